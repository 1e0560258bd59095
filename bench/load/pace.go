package load

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Pace is how fast the streams send.
type Pace struct {
	// Rate is the number of messages a second of all streams together, in an
	// open load: the streams take turns at equal distances in time. 0 makes a
	// closed load.
	Rate float64
	// Window is the number of messages that each stream has under way in a
	// closed load. They are sent at once, and the next when all of them have
	// arrived everywhere (at QoS 1 also the PUBACKs), so that every broker
	// gets the same bursts however fast it is.
	Window int
	// Sliding sends a new message as soon as one has arrived.
	Sliding bool
	// Each is the number of messages that each stream sends from now on. 0:
	// no end.
	Each uint64
	// Queued says that nobody receives yet: a message counts as arrived when
	// it is acknowledged. QoS 1 only.
	Queued bool
}

// checkRate refuses what is no number of times a second.
func checkRate(rate float64) error {
	if rate < 0 || math.IsNaN(rate) || math.IsInf(rate, 0) {
		return fmt.Errorf("load: a rate is a number of times a second, not %v", rate)
	}
	return nil
}

// Publish lets all streams send, until Halt or until they have sent what
// Pace.Each says.
func (e *Engine) Publish(p Pace) error {
	if err := checkRate(p.Rate); err != nil {
		return err
	}
	switch {
	case p.Rate == 0 && p.Window < 1:
		return errors.New("load: neither a rate nor a window")
	case len(e.streams) == 0:
		return errors.New("load: nothing to publish")
	}
	// The schedule begins when every lane has had the time to learn of it.
	start := e.clock.Now() + int64(time.Millisecond)
	for _, l := range e.lanes {
		l.do(func() {
			s := l.resume()
			l.unsent = p.Each * uint64(len(l.streams))
			for _, st := range l.streams {
				st.pace(p, start, len(e.streams))
			}
			if p.Rate > 0 && len(l.streams) > 0 {
				l.jobs = append(l.jobs, &pacer{spell: s})
			}
		})
	}
	return nil
}

// pace sets a stream's pace; total is the number of streams.
func (s *stream) pace(p Pace, start int64, total int) {
	s.limit = math.MaxUint64
	if p.Each > 0 {
		s.limit = s.planned + p.Each
	}
	s.unreceived = p.Queued
	s.outstanding.Store(0)
	s.base = s.planned
	s.period, s.batch = 0, 0
	s.enough.Store(open)
	if p.Rate > 0 {
		s.period = float64(total) * float64(time.Second) / p.Rate
		s.first = start + int64(s.period*float64(s.index)/float64(total))
		return
	}
	s.batch = int64(s.Copies)
	if p.Queued {
		s.batch = 0
	}
	if s.QoS > 0 {
		s.batch++
	}
	s.batch = max(s.batch, 1)
	s.most = int64(p.Window) * s.batch
	s.enough.Store(0)
	if p.Sliding {
		s.enough.Store(s.most - s.batch)
	}
	if s.queued.CompareAndSwap(false, true) {
		s.lane.ready = append(s.lane.ready, s)
	}
}

// due is when the stream's next message is to be sent in an open load.
func (s *stream) due(seq uint64) int64 {
	return s.first + int64(s.period*float64(seq-s.base))
}

// pacer plans the messages of an open load when they are due. All streams of
// a lane have the same period, and the order in which they are due is that of
// the lane's list, again and again.
type pacer struct {
	spell
	turn int // the stream that is due next
}

const (
	// catchUp is how long a lane does what is due before it looks at its
	// connections, and lets others have its lock, again: at a rate beyond what
	// it can do, more is always due.
	catchUp = time.Millisecond
	// catchUpLook is after how many of them it looks at the clock.
	catchUpLook = 64
)

func (p *pacer) run(now int64) (next int64, more bool) {
	l := p.lane
	if p.over() {
		return never, false
	}
	end := now + int64(catchUp)
	for n := 1; ; n++ {
		s := l.streams[p.turn]
		if s.planned >= s.limit {
			return never, false // the first of the list is through, so all are
		}
		due := s.due(s.planned)
		if due > now {
			// A long catching up takes time itself.
			if now = l.engine.clock.Now(); due > now {
				return due, true
			}
		}
		s.planned++
		s.send(now)
		if p.turn++; p.turn == len(l.streams) {
			p.turn = 0
		}
		if n%catchUpLook == 0 {
			if now = l.engine.clock.Now(); now >= end {
				return now, true
			}
		}
	}
}

// Expect makes the broker owe what was published at a pace with Queued.
func (e *Engine) Expect() {
	for _, l := range e.lanes {
		l.do(func() {
			l.count.owed += l.unreceived
			l.unreceived = 0
		})
	}
}

// Halt ends publishing, cycles and takeovers: nothing new begins, and what was
// due and could not be sent is given up. Calls end with the context of Call.
func (e *Engine) Halt() {
	e.caller.Store(nil)
	for _, l := range e.lanes {
		l.do(func() {
			l.halts++
			l.unsent, l.unbegun = 0, 0
			for _, s := range l.streams {
				s.planned, s.limit, s.blocked = s.sent, s.sent, false
			}
		})
	}
}
