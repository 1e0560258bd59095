package load

import (
	"errors"

	"sampan/bench/fault"
)

// Takeover connects clients a second time while they are connected, Rate
// times a second in all, until Halt. The broker has to close the older
// connection; Times.Cycle is the time until it has and the newer one is ready.
func (e *Engine) Takeover(from, to int, rate float64) error {
	if err := checkRate(rate); err != nil || rate == 0 {
		return errors.Join(errors.New("load: takeovers need a rate"), err)
	}
	var all []*taker
	clients := 0
	for _, l := range e.lanes {
		t := &taker{spell: spell{lane: l}, turns: l.among(from, to)}
		if clients += len(t.turns); len(t.turns) > 0 {
			all = append(all, t)
		}
	}
	if clients == 0 {
		return errors.New("load: no clients to take over")
	}
	start := e.clock.Now()
	for i, t := range all {
		t.period = turns(rate, len(t.turns), clients)
		t.next = start + int64(t.period*float64(i+1)/float64(len(all)))
		l := t.lane
		l.do(func() {
			t.spell = l.resume()
			l.jobs = append(l.jobs, t)
		})
	}
	return nil
}

// taker takes over the clients of a lane in turn.
type taker struct {
	spell
	turns   []*client
	turn    int
	next    int64
	period  float64
	pending []*takeover // oldest first
}

// takeover is one that is under way.
type takeover struct {
	old, new *conn
	asked    int64
}

func (t *taker) run(now int64) (next int64, more bool) {
	l := t.lane
	for n := 0; !t.over() && t.next <= now && n < len(t.turns); n++ {
		asked := t.next
		t.next += int64(t.period)
		cl := t.turns[t.turn]
		if t.turn++; t.turn == len(t.turns) {
			t.turn = 0
		}
		if cl.life != nil || cl.conn == nil || cl.conn.phase != online {
			l.unmade++
			continue // still busy with the last one
		}
		l.timesFor(asked).Lag.Record(since(asked, now))
		o := &takeover{old: cl.conn, asked: asked}
		o.old.old = true
		cl.life = t
		o.new = cl.connect(asked)
		t.pending = append(t.pending, o)
		l.active++
	}
	t.check(now)
	switch {
	case t.over() && len(t.pending) == 0:
		return never, false
	case t.over():
		return never, true
	}
	return t.next, true
}

// check ends takeovers that are complete, or will never be.
func (t *taker) check(now int64) {
	l := t.lane
	kept := t.pending[:0]
	for _, o := range t.pending {
		switch {
		case o.new.phase == gone:
			o.old.drop()
		case o.new.phase < online:
			kept = append(kept, o)
			continue
		case o.old.phase == gone:
			l.count.Takeovers++
			l.timesFor(o.asked).Cycle.Record(since(o.asked, now))
		case since(o.asked, now) > l.engine.o.ConnectTime:
			o.old.report(fault.Closed, "the older connection is still open %v after a newer one of the same client", l.engine.o.ConnectTime)
			o.old.drop()
		default:
			kept = append(kept, o)
			continue
		}
		o.new.client.life = nil
		l.active--
	}
	clear(t.pending[len(kept):])
	t.pending = kept
}

// What happens to either connection is looked at in the lane's next turn.

func (t *taker) online(*conn, int64)          {}
func (t *taker) offline(*conn, int64)         {}
func (t *taker) returned(*client, int64) bool { return false }
