package logstore

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"

	"sampan/session"
	"sampan/session/internal/filters"
	"sampan/session/internal/queue"
	"sampan/session/wal"
)

// index is what the store holds in memory: all but the messages' contents. It is changed by the same
// functions when something happens and when the log is read back.
type index struct {
	shards [shardCount]shard
	table  table
}

// shardCount is how many locks the sessions are spread over. One word holds a set of them.
const shardCount = 64

type shard struct {
	// mu guards the sessions of this shard, and is held while what happens to one of them is appended to
	// the log: so the log has it in the order in which it takes effect. Shards are locked in ascending
	// order, the table's locks and the log's inside them.
	mu       sync.Mutex
	sessions map[session.ID]*state
	recentID session.ID // 0, or the session that was looked up last
	recent   *state
	scratch  []byte // for a record on its way to the log, which copies it
	filters  filters.Sum
	queued   int // messages in their queues
	slots    int // places allocated for them
	names    int // bytes of identities
}

// state is what is kept of one session.
type state struct {
	identity  string
	connected bool
	until     session.Time // 0 if it is connected, or never expires
	doubtful  session.Ref
	filters   filters.Set
	queue     queue.Queue
	bytes     int64 // of the packets of the messages in the queue

	// partial: while the log is read, only the first parts of the session have been seen. Messages that
	// come in the meantime are in a later part.
	partial bool
}

func (x *index) init() {
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		sh.sessions = make(map[session.ID]*state)
		sh.recentID, sh.recent = 0, nil
		sh.filters, sh.queued, sh.slots, sh.names = filters.Sum{}, 0, 0, 0
		sh.mu.Unlock()
	}
	x.table.init()
}

// Estimates for Stats, in bytes, of a session's state with its map entry, and of a subscription's map entry.
const (
	stateBytes        = 176
	subscriptionBytes = 24
)

// memory estimates what the index takes, in bytes.
func (x *index) memory() int64 {
	n := x.table.size().memory
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		n += int64(len(sh.sessions)*stateBytes + sh.filters.Filters*subscriptionBytes + sh.filters.Bytes + sh.names + sh.slots*queue.PlaceBytes)
		sh.mu.Unlock()
	}
	return n
}

func shardOf(id session.ID) int { return int(id % shardCount) }

func (x *index) shard(id session.ID) *shard { return &x.shards[shardOf(id)] }

// session returns a session that is open, or nil. Its shard is locked. Whoever asks often asks again.
func (x *index) session(id session.ID) *state {
	sh := x.shard(id)
	if sh.recentID != id || id == 0 {
		sh.recentID, sh.recent = id, sh.sessions[id]
	}
	return sh.recent
}

// first returns the shard of a set, which is not empty, whose scratch is for who has locked the set.
func (x *index) first(set uint64) *shard { return &x.shards[bits.TrailingZeros64(set)] }

// keepScratch is the capacity up to which a buffer is kept.
const keepScratch = 64 << 10

func (sh *shard) keep(b []byte) {
	if cap(b) <= keepScratch {
		sh.scratch = b[:0]
	}
}

// lock locks a set of shards.
func (x *index) lock(set uint64) {
	for ; set != 0; set &= set - 1 {
		x.shards[bits.TrailingZeros64(set)].mu.Lock()
	}
}

func (x *index) unlock(set uint64) {
	for ; set != 0; set &= set - 1 {
		x.shards[bits.TrailingZeros64(set)].mu.Unlock()
	}
}

// subscriptions returns the session's subscriptions, in no particular order.
func (st *state) subscriptions() []session.Subscription {
	subs := make([]session.Subscription, 0, len(st.filters))
	for f, qos := range st.filters {
		subs = append(subs, session.Subscription{Filter: f, QoS: qos})
	}
	return subs
}

// open begins a session, which is connected. Its shard is locked, as in all functions below.
func (x *index) open(id session.ID, identity string) *state {
	st := x.prepare(id, identity)
	x.enter(id, st)
	return st
}

// prepare makes a session that nobody finds before enter, though it is counted.
func (x *index) prepare(id session.ID, identity string) *state {
	x.shard(id).names += len(identity)
	return &state{identity: identity, connected: true}
}

// enter makes a session the one of its name.
func (x *index) enter(id session.ID, st *state) {
	sh := x.shard(id)
	sh.sessions[id] = st
	sh.recentID, sh.recent = id, st
}

// message puts a message at the end of the queues of sessions. Those that are not open are passed over.
func (x *index) message(r session.Ref, pos wal.Pos, size int, expires session.Time, to []session.ID) {
	waiting := 0
	for _, id := range to {
		if st := x.session(id); st != nil && !st.partial && x.push(id, st, queue.At(r, 0), size) {
			waiting++
		}
	}
	if waiting > 0 {
		x.table.put(r, info{pos, size, expires, waiting})
	}
}

// push puts a message at the end of a queue, and reports whether it was not there.
func (x *index) push(id session.ID, st *state, p queue.Place, size int) bool {
	sh := x.shard(id)
	before := st.queue.Cap()
	if !st.queue.Push(p) {
		return false
	}
	sh.queued++
	sh.slots += st.queue.Cap() - before
	st.bytes += int64(size)
	return true
}

// change makes a change of a session that is open.
func (x *index) change(st *state, c *session.Change) {
	sh := x.shard(c.Session)
	switch c.Kind {
	case session.Closed:
		x.close(c.Session, st)
	case session.Connected:
		st.connected, st.until, st.doubtful = true, 0, 0
	case session.Disconnected:
		st.connected, st.until, st.doubtful = false, c.Until, c.Ref
	case session.Subscribed:
		st.filters.Put(c.Filter, c.QoS, &sh.filters)
	case session.Unsubscribed:
		st.filters.Remove(c.Filter, &sh.filters)
	case session.Sent:
		st.queue.Sent(c.Ref, c.PacketID)
	case session.Done:
		before := st.queue.Cap()
		if st.queue.Remove(c.Ref) {
			st.bytes -= int64(x.table.release(c.Ref))
			sh.queued--
			sh.slots += st.queue.Cap() - before
		}
	}
}

// insert is push for a message that may come before others.
func (x *index) insert(id session.ID, st *state, p queue.Place, size int) bool {
	if x.push(id, st, p, size) {
		return true
	}
	places := slices.DeleteFunc(slices.Clone(st.queue.Live()), queue.Place.Empty)
	i, found := slices.BinarySearchFunc(places, p.Ref(), func(q queue.Place, r session.Ref) int { return cmp.Compare(q.Ref(), r) })
	if found {
		return false
	}
	sh := x.shard(id)
	sh.queued -= len(places)
	sh.slots -= st.queue.Cap()
	st.queue = queue.Queue{}
	for _, q := range slices.Insert(places, i, p) {
		x.push(id, st, q, 0)
	}
	st.bytes += int64(size)
	return true
}

// close ends a session and releases what only it has waited for.
func (x *index) close(id session.ID, st *state) {
	x.release(id, st)
	sh := x.shard(id)
	delete(sh.sessions, id)
	sh.recentID, sh.recent = 0, nil
}

// release gives up what is counted of a session.
func (x *index) release(id session.ID, st *state) {
	sh := x.shard(id)
	for _, p := range st.queue.Live() {
		if !p.Empty() {
			x.table.release(p.Ref())
			sh.queued--
		}
	}
	sh.slots -= st.queue.Cap()
	st.filters.Drop(&sh.filters)
	sh.names -= len(st.identity)
}
