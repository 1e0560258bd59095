package load

import (
	"time"

	"sampan/bench/fault"
	"sampan/packet"
)

const (
	// guardPeriod is how often a lane looks at its deadlines. It is also how
	// often its lag is measured when no schedule does.
	guardPeriod = 10 * time.Millisecond
	// pingRound is how often every connection is looked at for its keep-alive,
	// as a part of it.
	pingRound = 4
)

// guard keeps a lane's deadlines: connections that do not get ready, and
// keep-alive.
type guard struct {
	lane *lane
	next int64
	last int64   // when it ran last
	ping int     // the client whose turn it is
	debt float64 // clients that should have been looked at
}

func (g *guard) run(now int64) (next int64, more bool) {
	if now < g.next {
		return g.next, true
	}
	l := g.lane
	if g.next > 0 {
		l.timesFor(now).Lag.Record(since(g.next, now))
	}
	g.deadlines(now)
	g.pings(now)
	// From now, not from when it should have been: after a halt of the
	// machine there is nothing to make up for.
	g.next = now + int64(guardPeriod)
	return g.next, true
}

// deadlines ends connections that take too long to get ready.
func (g *guard) deadlines(now int64) {
	l := g.lane
	limit := l.engine.o.ConnectTime
	kept := 0
	for i, c := range l.young {
		if c.phase < online && since(c.began, now) < limit {
			kept = copy(l.young, l.young[i:])
			break
		}
		if c.phase < online {
			kind := fault.Stalled
			if c.phase == dialling {
				kind = fault.Unreachable
			}
			c.fail(kind, "still %s after %v", c.phase, limit)
		}
	}
	clear(l.young[kept:])
	l.young = l.young[:kept]
}

// pings sends PINGREQ where nothing was sent for half the keep-alive. Every
// client has its turn pingRound times in a keep-alive.
func (g *guard) pings(now int64) {
	l := g.lane
	keep := l.engine.o.KeepAlive
	if keep == 0 || len(l.clients) == 0 {
		return
	}
	// All of them at most, however long the machine stood still.
	round := float64(keep) / pingRound
	passed := min(float64(since(g.last, now)), round)
	g.last = now
	g.debt += float64(len(l.clients)) * passed / round
	for ; g.debt >= 1; g.debt-- {
		g.ping = (g.ping + 1) % len(l.clients)
		c := l.clients[g.ping].conn
		if c == nil || c.phase != online || since(c.used, now) < keep/2 {
			continue
		}
		switch {
		case c.pings == 0:
			c.probe()
		case since(c.used, now) > l.engine.o.StallTime:
			c.fail(fault.Stalled, "no PINGRESP for %v", since(c.used, now).Round(time.Millisecond))
		}
	}
}

// probe asks the broker for a sign of life.
func (c *conn) probe() {
	c.pings++
	c.write(packet.AppendPingreq(nil))
}
