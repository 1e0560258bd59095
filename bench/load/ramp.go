package load

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Ramp is how fast clients connect.
type Ramp struct {
	// Rate is the number of connections begun in a second. 0: as fast as
	// Together allows.
	Rate float64
	// Together is how many may be on their way at once, one at least on each
	// lane. 0: 64, or with a Rate no bound.
	Together int
}

const defaultTogether = 64

// withDefaults fills in what zero means.
func (r Ramp) withDefaults() Ramp {
	if r.Together <= 0 {
		r.Together = defaultTogether
		if r.Rate > 0 {
			r.Together = 1 << 30
		}
	}
	return r
}

// Connect connects clients from up to but not including to and returns when
// each has its CONNACK and SUBACKs, or has failed. The error says that a fault
// has ended the run, or is that of the context; what failed is in Faults.
func (e *Engine) Connect(ctx context.Context, from, to int, r Ramp) error {
	if err := checkRate(r.Rate); err != nil {
		return err
	}
	r = r.withDefaults()
	done := make(chan struct{}, len(e.lanes))
	var returned atomic.Bool
	defer returned.Store(true)
	waiting := 0
	start := e.clock.Now()
	for i, l := range e.lanes {
		o := &opener{
			lane: l, next: start, done: done, abandoned: &returned,
			together: max(r.Together/len(e.lanes), 1),
		}
		if o.todo = l.among(from, to); len(o.todo) == 0 {
			continue
		}
		if r.Rate > 0 {
			o.period = turns(r.Rate, len(o.todo), to-from)
			o.next += int64(o.period * float64(i) / float64(len(e.lanes)))
		}
		waiting++
		l.do(func() { l.jobs = append(l.jobs, o) })
	}
	for range waiting {
		select {
		case <-done:
		case <-e.aborted:
			return fmt.Errorf("load: %w", ErrAborted)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if e.over() { // by the last of them
		return fmt.Errorf("load: %w", ErrAborted)
	}
	return nil
}

// Forget ends the sessions that persistent clients have left at the broker,
// so that a run leaves nothing behind.
func (e *Engine) Forget(ctx context.Context) error {
	from, to := len(e.clients), 0
	for i, c := range e.clients {
		if c.Persistent {
			from, to = min(from, i), i+1
			c.lane.do(func() { c.forgotten = true })
		}
	}
	if from >= to {
		return nil
	}
	e.Disconnect(from, to)
	if err := e.Connect(ctx, from, to, Ramp{}); err != nil {
		return err
	}
	e.Disconnect(from, to)
	return nil
}

// opener connects clients of a lane.
type opener struct {
	lane      *lane
	todo      []*client
	next      int64 // with a period: when the next is due
	period    float64
	together  int
	pending   int
	done      chan<- struct{}
	abandoned *atomic.Bool // Connect has returned: nobody waits for the rest
}

func (o *opener) run(now int64) (next int64, more bool) {
	if o.abandoned.Load() || o.lane.engine.over() {
		o.todo = nil
	}
	for len(o.todo) > 0 && o.pending < o.together {
		asked := now
		if o.period > 0 {
			if asked = o.next; asked > now {
				return asked, true
			}
			o.next += int64(o.period)
		}
		c := o.todo[0]
		o.todo = o.todo[1:]
		o.pending++
		c.life = o
		c.connect(asked)
	}
	if len(o.todo) == 0 && o.pending == 0 {
		o.done <- struct{}{}
		return never, false
	}
	return never, true
}

func (o *opener) online(c *conn, _ int64) {
	c.client.life = nil
	o.pending--
}

func (o *opener) offline(c *conn, now int64) { o.online(c, now) }

func (o *opener) returned(*client, int64) bool { return false }
