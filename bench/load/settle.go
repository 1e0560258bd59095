package load

import (
	"context"
	"fmt"
	"time"

	"sampan/bench/fault"
)

const (
	// watchPeriod is how often progress is looked at under load, and
	// settlePeriod when there is none.
	watchPeriod  = 50 * time.Millisecond
	settlePeriod = 2 * time.Millisecond
	// probeTime is how long a broker has for a PINGRESP when nothing else
	// moves.
	probeTime = time.Second
)

// progress is what moves while a broker works.
type progress struct {
	moved movement
	owed  uint64 // deliveries, PUBACKs, ends of cycles and messages to send
}

// movement is what a broker has brought.
type movement struct{ delivered, acked, cycles, connects uint64 }

// progress sums up the lanes: first what has moved, then what was owed, so that nothing has moved before it was owed.
func (e *Engine) progress() (p progress) {
	for _, l := range e.lanes {
		l.Lock()
		c := &l.count
		p.moved.delivered += c.Delivered
		p.moved.acked += c.Acked
		p.moved.cycles += c.Cycles + c.Takeovers
		p.moved.connects += c.Connects
		l.Unlock()
	}
	for _, l := range e.lanes {
		l.Lock()
		c := &l.count
		p.owed += c.owed + c.acks + uint64(l.active) + l.unbegun + l.unsent
		l.Unlock()
	}
	p.owed -= min(p.owed, p.moved.delivered+p.moved.acked)
	return p
}

// Watch returns when nothing has moved for the stall time while the broker
// owed something, when a fault has ended the run, or with the context. A stall
// becomes a fault.
func (e *Engine) Watch(ctx context.Context) {
	e.wait(ctx, watchPeriod, func(progress) bool { return false })
}

// Settle waits until all that was sent, and all that Pace.Each still wants
// sent, has arrived and all that was begun, and all that Cycle.Each still
// wants begun, has ended. When nothing moves any more for the stall time it
// asks the broker for a sign of life, to tell messages that are lost from a
// broker that has stopped. What does not come, and what came wrong, is in
// Faults afterwards.
func (e *Engine) Settle(ctx context.Context) {
	e.wait(ctx, settlePeriod, func(p progress) bool { return p.owed == 0 })
	if ctx.Err() == nil { // else it is on its way, not lost
		e.account()
	}
}

// wait looks at the progress until it is done.
func (e *Engine) wait(ctx context.Context, period time.Duration, done func(progress) bool) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	last, moved := e.progress(), time.Now()
	for !done(last) {
		select {
		case <-ctx.Done():
			return
		case <-e.aborted:
			return
		case now := <-ticker.C:
			p := e.progress()
			if p.moved != last.moved || p.owed == 0 {
				moved = now
			} else if now.Sub(moved) >= e.o.StallTime {
				e.stalled(ctx, p)
				return
			}
			last = p
		}
	}
}

// stalled finds out which connections are still served.
func (e *Engine) stalled(ctx context.Context, p progress) {
	e.each(func(c *conn) {
		if c.phase == online {
			c.probe()
		}
	})
	deadline := time.Now().Add(probeTime)
	ticker := time.NewTicker(settlePeriod)
	defer ticker.Stop()
	for {
		silent := 0
		e.each(func(c *conn) {
			if c.phase == online && c.pings > 0 || c.phase < online {
				silent++
			}
		})
		if silent == 0 {
			if n := e.calling.Load(); n > 0 {
				e.lost.Add(uint64(n))
				e.faults.AddN(fault.Lost, uint64(n), "%d answers to calls, after %v in which nothing came", n, e.o.StallTime)
			}
			break // it lives: what else is missing is lost, and account finds it
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			e.silent(p)
			break
		}
		<-ticker.C
	}
	e.abort()
}

// silent reports the connections that did not answer the probe.
func (e *Engine) silent(p progress) {
	e.each(func(c *conn) {
		switch {
		case c.phase == online && c.pings > 0:
			e.faults.Add(fault.Stalled, "client %q: nothing for %v, not even PINGRESP, while %d deliveries or acknowledgements are to come",
				c.name(), e.o.StallTime+probeTime, p.owed)
		case c.phase < online:
			e.faults.Add(fault.Stalled, "client %q: %s for %v", c.name(), c.phase, e.o.StallTime)
		}
	})
}

// each calls f for every connection, with its lane locked.
func (e *Engine) each(f func(*conn)) {
	for _, l := range e.lanes {
		l.do(func() {
			for _, cl := range l.clients {
				if cl.conn != nil {
					f(cl.conn)
				}
			}
		})
	}
}

// account adds what is missing to the faults, unless a fault explains why:
// what a closed or silent connection did not bring is not lost.
func (e *Engine) account() {
	for _, f := range e.faults.All() {
		switch f.Kind {
		case fault.Lost, fault.Doubled, fault.Reordered, fault.Corrupted, fault.Misrouted, fault.Foreign:
		default:
			return
		}
	}
	var unreceived uint64
	for _, l := range e.lanes {
		l.Lock()
		unreceived += l.unreceived
		l.Unlock()
	}
	for _, l := range e.lanes {
		l.Lock()
		for _, cl := range l.clients {
			cl.account(e, unreceived == 0)
		}
		l.Unlock()
	}
	if len(e.clients) > 0 && e.clients[0].group != nil {
		g := e.clients[0].group
		for i, s := range e.streams {
			e.undelivered(s, g.lost(i, s.sent), "all of its subscribers")
		}
	}
}

// account adds what was not acknowledged to a client and, unless messages are
// queued for later, what it did not receive.
func (cl *client) account(e *Engine, received bool) {
	for i := range cl.trackers {
		if !received {
			break
		}
		s := e.streams[cl.First+i]
		e.undelivered(s, cl.trackers[i].Lost(s.sent), fmt.Sprintf("client %q", e.o.Identity(cl.index).ClientID))
	}
	if n := cl.inflight.unacked(); n > 0 {
		e.faults.AddN(fault.Lost, uint64(n), "%d PUBACKs to client %q", n, e.o.Identity(cl.index).ClientID)
	}
}

// undelivered adds n lost messages of a stream.
func (e *Engine) undelivered(s *stream, n uint64, receiver string) {
	e.lost.Add(n)
	e.faults.AddN(fault.Lost, n, "%d of %d messages of topic %q at %s", n, s.sent, s.Topic, receiver)
}
