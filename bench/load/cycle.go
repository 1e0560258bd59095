package load

import (
	"errors"
	"time"
)

// Cycle is a load of connections: clients connect, do something, disconnect,
// and connect again.
type Cycle struct {
	// From and To are the range of clients that take turns.
	From, To int
	// Rate is the number of connections begun in a second, whatever becomes of
	// them. 0: as fast as Together allows.
	Rate float64
	// Together is how many are on their way at once, one at least on each lane.
	// 0: 64, or with a Rate as many as there are clients.
	Together int
	// Each is the number of cycles in all, with Stay at most one for each
	// client. 0: until Halt.
	Each uint64
	// Stay ends a cycle with CONNACK and keeps the connection.
	Stay bool
	// Message makes each connection publish one message of the client's first
	// stream and wait until it has come back, before it disconnects.
	Message bool
}

// Cycle begins cycles. The time of each counts from when it was to begin, to
// the CONNACK in Times.Connect and to its end in Times.Cycle.
func (e *Engine) Cycle(c Cycle) error {
	if c.From < 0 || c.To > len(e.clients) || c.From >= c.To {
		return errors.New("load: no clients for cycles")
	}
	if err := checkRate(c.Rate); err != nil {
		return err
	}
	if c.Together <= 0 {
		c.Together = defaultTogether
		if c.Rate > 0 {
			c.Together = c.To - c.From
		}
	}
	var all []*cycler
	for _, l := range e.lanes {
		y := &cycler{Cycle: c, spell: spell{lane: l}, idle: l.among(c.From, c.To), left: ^uint64(0), together: max(c.Together/len(e.lanes), 1)}
		for _, cl := range y.idle {
			if c.Message && len(cl.pubs) == 0 {
				return errors.New("load: a cycle with a message needs a stream for each client")
			}
		}
		if c.Each > 0 {
			y.left = y.share(c.Each)
			if c.Stay {
				y.left = min(y.left, uint64(len(y.idle)))
			}
		}
		if len(y.idle) > 0 {
			all = append(all, y)
		}
	}
	start := e.clock.Now()
	for i, y := range all {
		y.next = start
		if c.Rate > 0 {
			y.period = turns(c.Rate, len(y.idle), c.To-c.From)
			y.next += int64(y.period * float64(i) / float64(len(all)))
		}
		l := y.lane
		l.do(func() {
			y.spell = l.resume()
			if c.Each > 0 {
				l.unbegun += y.left
			}
			l.jobs = append(l.jobs, y)
		})
	}
	return nil
}

// Unmade is how many connections of Cycle and Takeover were due, and were not
// made because those before them had not ended. Of cycles those count that are
// due now and are made as soon as a client is free, until Halt; takeovers whose
// client is not free fall out. No time tells of either.
func (e *Engine) Unmade() (n uint64) {
	for _, l := range e.lanes {
		l.do(func() {
			now := e.clock.Now()
			n += l.unmade
			for _, j := range l.jobs {
				if y, ok := j.(*cycler); ok {
					n += y.unmade(now)
				}
			}
		})
	}
	return n
}

// turns is the distance, in nanoseconds, of what some clients of all do in
// turn, if all together do it at a rate.
func turns(rate float64, some, all int) float64 {
	return float64(all) / (float64(some) * rate) * float64(time.Second)
}

// cycler runs the cycles of a lane.
type cycler struct {
	Cycle
	spell
	idle     []*client // longest idle first
	next     int64     // with a period: when the next is due
	period   float64
	left     uint64 // cycles that are still to begin
	together int
	pending  int
	behind   bool // because of the broker
}

// share is how many of so many cycles are those of the lane's clients: each client has as many as any other, or one
// less.
func (y *cycler) share(all uint64) (left uint64) {
	span := uint64(y.To - y.From)
	for _, cl := range y.idle {
		left += all / span
		if uint64(cl.index-y.From) < all%span {
			left++
		}
	}
	return left
}

func (y *cycler) run(now int64) (next int64, more bool) {
	l := y.lane
	if y.over() || y.left == 0 {
		return never, false
	}
	for y.left > 0 && y.pending < y.together && len(y.idle) > 0 {
		asked := now
		if y.period > 0 {
			if asked = y.next; asked > now {
				y.behind = false
				return asked, true
			}
			y.next += int64(y.period)
			if !y.behind {
				l.timesFor(asked).Lag.Record(since(asked, now))
			}
		}
		cl := y.idle[0]
		y.idle = y.idle[1:]
		y.left--
		if y.Each > 0 {
			l.unbegun--
		}
		y.pending++
		l.active++
		cl.life = y
		cl.connect(asked)
	}
	y.behind = true // if one is due: no client is free
	return never, true
}

// unmade is how many cycles are due and wait for a client that is free.
func (y *cycler) unmade(now int64) uint64 {
	if y.over() || !y.behind || y.period <= 0 || y.next > now {
		return 0
	}
	return min(uint64(float64(now-y.next)/y.period)+1, y.left)
}

func (y *cycler) online(c *conn, now int64) {
	if !y.Message {
		y.end(c.client, c, now)
		return
	}
	s := c.client.pubs[0]
	s.period = 0
	s.enough.Store(0)
	s.batch = int64(s.Copies) + int64(s.QoS)
	s.outstanding.Store(s.batch)
	s.planned++
	s.send(now)
}

func (y *cycler) returned(cl *client, now int64) bool {
	if cl.conn != nil {
		y.end(cl, cl.conn, now)
	}
	return true
}

// end books a cycle.
func (y *cycler) end(cl *client, c *conn, now int64) {
	l := y.lane
	l.count.Cycles++
	l.timesFor(c.asked).Cycle.Record(since(c.asked, now))
	y.free(cl)
	if !y.Stay {
		cl.disconnect()
		y.idle = append(y.idle, cl)
	}
}

func (y *cycler) offline(c *conn, _ int64) {
	y.free(c.client)
	if !y.Stay {
		y.idle = append(y.idle, c.client)
	}
}

// free takes a client off those that are under way.
func (y *cycler) free(cl *client) {
	cl.life = nil
	y.pending--
	y.lane.active--
}
