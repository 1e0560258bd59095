package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"sampan/bench/load"
	"sampan/bench/scenario"
)

// run does what the scenario says.
func (r *round) run(ctx context.Context) error {
	err := r.setUp(ctx)
	if err == nil {
		err = r.drive(ctx)
	}
	r.cut = errors.Is(err, load.ErrAborted)
	if err == nil {
		r.giveUp()
	}
	r.engine.Halt()
	r.while(ctx, "settle", func(ctx context.Context) error {
		r.engine.Settle(ctx)
		return nil
	})
	if err == nil && ctx.Err() == nil {
		r.engine.Measure(0) // what counts is over
		if err = r.engine.Forget(ctx); err == nil {
			return nil
		}
	}
	r.leave(ctx)
	return err
}

// leaveTime bounds the ending of the sessions of a run that went wrong.
const leaveTime = 5 * time.Second

// leave ends the sessions of persistent clients after a run that was ended, so
// that they and what is queued in them are no burden to the broker and to the
// runs that follow. A broker that the round has started ends with it.
func (r *round) leave(ctx context.Context) {
	var plan load.Plan
	var index []int
	for i, c := range r.plan.Clients {
		if c.Persistent {
			plan.Clients = append(plan.Clients, load.Client{Persistent: true})
			index = append(index, i)
		}
	}
	if len(index) == 0 || len(r.Target.Command) > 0 || r.engine.Count().Connects == 0 {
		return
	}
	r.engine.Disconnect(0, len(r.plan.Clients))
	o := r.options
	o.Tolerant, o.ConnectTime, o.Publish = true, leaveTime, nil
	o.Identity = func(client int) load.Credentials { return r.identity(index[client]) }
	if dial := o.Dial; dial != nil {
		o.Dial = func(ctx context.Context, addr string, client int) (net.Conn, error) {
			return dial(ctx, addr, index[client])
		}
	}
	left := len(index)
	if engine, err := load.New(plan, o); err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
		engine.Forget(ctx) // what it could not end is counted
		cancel()
		left -= int(engine.Count().Connects)
		engine.Close()
	}
	if left > 0 {
		r.result.Notes = append(r.result.Notes, fmt.Sprintf("%d sessions may be left at the broker", left))
	}
}

// setUp connects everybody who is to be there when the load begins.
func (r *round) setUp(ctx context.Context) error {
	return r.while(ctx, "connect", func(ctx context.Context) error {
		if err := r.connectAll(ctx, r.unrelated, r.idle); err != nil {
			return err
		}
		if err := r.comeAndGo(ctx); err != nil {
			return err
		}
		return r.connectAll(ctx, r.subscribers, r.publishers)
	})
}

func (r *round) connectAll(ctx context.Context, groups ...clients) error {
	for _, c := range groups {
		if err := r.engine.Connect(ctx, c.from, c.to, load.Ramp{}); err != nil {
			return err
		}
	}
	return nil
}

// comeAndGo lets the earlier subscribers subscribe and leave.
func (r *round) comeAndGo(ctx context.Context) error {
	n := r.earlier.len()
	if n == 0 {
		return nil
	}
	if err := r.engine.Cycle(load.Cycle{From: r.earlier.from, To: r.earlier.to, Each: uint64(n)}); err != nil {
		return err
	}
	r.engine.Settle(ctx)
	r.engine.Halt()
	return ctx.Err()
}

// drive makes the load and measures it.
func (r *round) drive(ctx context.Context) error {
	s := &r.Scenario
	pace := load.Pace{Rate: s.Rate, Window: s.Window, Sliding: s.Sliding}
	switch s.Kind {
	case scenario.Connect:
		return r.connect(ctx)
	case scenario.Idle:
		return r.hold(ctx)
	case scenario.Offline:
		return r.offline(ctx)
	case scenario.Churn:
		cycle := load.Cycle{From: r.cyclers.from, To: r.cyclers.to, Rate: s.Rate, Together: s.Window, Message: true}
		if err := r.engine.Cycle(cycle); err != nil {
			return err
		}
		return r.steady(ctx, "cycles", func(c *load.Counters) uint64 { return c.Cycles })
	case scenario.Takeover:
		if err := r.engine.Publish(pace); err != nil {
			return err
		}
		if err := r.engine.Takeover(r.subscribers.from, r.subscribers.to, s.Cycles); err != nil {
			return err
		}
		return r.steady(ctx, "takeovers", func(c *load.Counters) uint64 { return c.Takeovers })
	case scenario.RRPC:
		return r.rrpc(ctx, pace)
	case scenario.Soak:
		if s.Cycles > 0 {
			cycle := load.Cycle{From: r.cyclers.from, To: r.cyclers.to, Rate: s.Cycles}
			if err := r.engine.Cycle(cycle); err != nil {
				return err
			}
		}
	}
	if err := r.engine.Publish(pace); err != nil {
		return err
	}
	return r.steady(ctx, "deliveries", delivered)
}

func delivered(c *load.Counters) uint64 { return c.Delivered }

func online(c *load.Counters) uint64 { return uint64(max(c.Online, 0)) }

// steady measures a load that is under way, between a warm-up and a
// cool-down.
func (r *round) steady(ctx context.Context, unit string, count func(*load.Counters) uint64) error {
	s := &r.Scenario
	for _, p := range []part{
		{name: "warm-up", last: s.Warmup},
		{name: "load", unit: unit, count: count, last: s.Duration},
		{name: "cool-down", last: s.Cooldown},
	} {
		if p.last == 0 {
			continue
		}
		if err := r.during(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// connect measures connecting, and with Stay the holding of what was
// connected.
func (r *round) connect(ctx context.Context) error {
	s := &r.Scenario
	cycle := load.Cycle{From: r.cyclers.from, To: r.cyclers.to, Rate: s.Rate, Together: s.Window, Stay: s.Stay}
	cycles := func(c *load.Counters) uint64 { return c.Cycles }
	if !s.Stay {
		if err := r.engine.Cycle(cycle); err != nil {
			return err
		}
		return r.steady(ctx, "connects", cycles)
	}
	cycle.Each = uint64(s.Clients)
	err := r.during(ctx, part{
		name: "connect", unit: "connects", count: cycles,
		begin: func() error { return r.engine.Cycle(cycle) },
		done:  func(c *load.Counters) bool { return c.Cycles >= cycle.Each },
	})
	if err != nil {
		return err
	}
	return r.during(ctx, part{name: "hold", unit: connections, count: online, last: s.Duration})
}

// hold measures connections that do nothing.
func (r *round) hold(ctx context.Context) error {
	s := &r.Scenario
	err := r.while(ctx, "connect", func(ctx context.Context) error {
		return r.engine.Connect(ctx, r.cyclers.from, r.cyclers.to, load.Ramp{Rate: s.Rate, Together: s.Window})
	})
	if err != nil {
		return err
	}
	if err := r.during(ctx, part{name: "warm-up", last: max(s.Warmup, time.Millisecond)}); err != nil {
		return err
	}
	return r.during(ctx, part{name: "hold", unit: connections, count: online, last: s.Duration})
}

// rrpc measures calls, by a client or by a function.
func (r *round) rrpc(ctx context.Context, pace load.Pace) error {
	if r.Call == nil {
		if err := r.engine.Publish(pace); err != nil {
			return err
		}
		return r.steady(ctx, "calls", delivered)
	}
	calling, cancel := context.WithCancel(ctx)
	defer cancel()
	err := r.engine.Call(calling, pace, func(ctx context.Context, client int, payload []byte) ([]byte, error) {
		return r.Call(ctx, r.identity(client), payload)
	})
	if err != nil {
		return err
	}
	err = r.steady(ctx, "calls", delivered)
	r.giveUp()
	return err
}

// giveUp counts what an open load has due when it ends, and could not send.
func (r *round) giveUp() {
	if r.Scenario.Rate > 0 {
		r.unsent = max(r.unsent, r.engine.Glance(nil).Backlog)
	}
	r.unmade = r.engine.Unmade()
}

// offline measures the queueing of messages for clients that are away, and
// then their fetching.
func (r *round) offline(ctx context.Context) error {
	s := &r.Scenario
	all := uint64(s.Subscribers) * uint64(s.Messages)
	r.engine.Disconnect(r.subscribers.from, r.subscribers.to)
	pace := load.Pace{Rate: s.Rate, Window: s.Window, Sliding: s.Sliding, Each: uint64(s.Messages), Queued: true}
	err := r.during(ctx, part{
		name: "queue", unit: "queued", count: func(c *load.Counters) uint64 { return c.Acked },
		begin: func() error { return r.engine.Publish(pace) },
		done:  func(c *load.Counters) bool { return c.Acked >= all },
	})
	if err != nil {
		return err
	}
	r.engine.Halt()
	r.engine.Expect()
	connected := make(chan error, 1)
	err = r.during(ctx, part{
		name: "drain", unit: "deliveries", count: delivered,
		begin: func() error {
			// It ends when all are connected, or with the context.
			go func() {
				connected <- r.engine.Connect(ctx, r.subscribers.from, r.subscribers.to, load.Ramp{})
			}()
			return nil
		},
		done: func(c *load.Counters) bool { return c.Delivered >= all },
	})
	if err != nil {
		return err
	}
	return <-connected
}
