package load

import (
	"sync"
	"sync/atomic"
	"time"

	"sampan/bench/hist"
	"sampan/bench/wire"
)

// outSize is when the output for one connection is written, in bytes.
const outSize = 256 << 10

// lane has a share of the clients and all that belongs to them.
type lane struct {
	wire.Lane // its lock guards the fields up to mail

	engine     *Engine
	clients    []*client
	streams    []*stream // published by these clients
	jobs       []job
	ready      []*stream // have room in their window
	out        []byte    // packets for outConn that are not yet written
	outConn    *conn
	acks       []byte  // PUBACKs for the chunk at hand
	scratch    []byte  // a topic under construction
	young      []*conn // not known to be ready, oldest first
	references map[*stream]*reference
	active     int // cycles and takeovers under way
	halts      int // calls of Halt so far

	count      Counters
	unsent     uint64      // messages that Pace.Each still wants sent
	unbegun    uint64      // cycles that Cycle.Each still wants begun
	unmade     uint64      // takeovers that were due while the one before was under way
	unreceived uint64      // deliveries of a pace with Queued that are not yet owed
	measured   span        // what is measured
	times      *Times      // of what began inside it, since the last sample
	warm       *Times      // of the rest
	recent     hist.Coarse // deliveries of both, since the last sample or glance

	mail struct {
		sync.Mutex
		streams []*stream // guarded by the mutex: have room, told by other lanes
	}
	hasMail atomic.Bool
}

// job is something that a lane does at certain times. It is run in every
// turn, so it compares the time itself, and returns when it wants to be run
// at the latest, and whether it wants to be run again at all.
type job interface {
	run(now int64) (next int64, more bool)
}

// spell is the time of a lane until the next Halt.
type spell struct {
	lane  *lane
	halts int // before it
}

// among are the lane's clients of a range of all, in order.
func (l *lane) among(from, to int) (some []*client) {
	for _, c := range l.clients {
		if c.index >= from && c.index < to {
			some = append(some, c)
		}
	}
	return some
}

// resume begins a spell.
func (l *lane) resume() spell { return spell{l, l.halts} }

// over reports whether Halt has been called since, or the run was aborted.
func (s spell) over() bool { return s.halts != s.lane.halts || s.lane.engine.over() }

// Turn does what is due: see wire.Work.
func (l *lane) Turn(now int64) (next int64) {
	if l.hasMail.Load() {
		l.takeMail()
	}
	if len(l.ready) > 0 {
		l.fill() // first: it may free clients for the jobs
	}
	next = never
	kept := 0
	for _, j := range l.jobs {
		if due, more := j.run(now); more {
			next = min(next, due)
			l.jobs[kept] = j
			kept++
		}
	}
	clear(l.jobs[kept:])
	l.jobs = l.jobs[:kept]
	if len(l.ready) > 0 {
		l.fill()
	}
	l.flush()
	return next
}

// fill lets the streams send that have room.
func (l *lane) fill() {
	ready := l.ready
	now := l.engine.clock.Now()
	for _, s := range ready {
		s.fill(now)
	}
	l.ready = ready[:0]
}

// post tells a lane from another one that a stream has room.
func (l *lane) post(s *stream) {
	l.mail.Lock()
	l.mail.streams = append(l.mail.streams, s)
	l.mail.Unlock()
	if l.hasMail.CompareAndSwap(false, true) {
		l.Wake()
	}
}

// takeMail makes the streams ready that other lanes posted.
func (l *lane) takeMail() {
	l.hasMail.Store(false)
	l.mail.Lock()
	l.ready = append(l.ready, l.mail.streams...)
	l.mail.streams = l.mail.streams[:0]
	l.mail.Unlock()
}

// begin makes c the connection that the output is for.
func (l *lane) begin(c *conn) {
	if l.outConn != c || len(l.out) >= outSize {
		l.flush()
		l.outConn = c
	}
}

// flush writes the output.
func (l *lane) flush() {
	if len(l.out) > 0 {
		l.outConn.write(l.out)
		l.out = l.out[:0]
	}
	l.outConn = nil
}

// do runs f under the lane's lock and lets the lane look at what changed.
func (l *lane) do(f func()) {
	l.Lock()
	f()
	l.Unlock()
}

// never is a time that does not come.
const never = wire.Never

// since is the time between two readings, not below zero.
func since(from, to int64) time.Duration { return time.Duration(max(to-from, 0)) }
