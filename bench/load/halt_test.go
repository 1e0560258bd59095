package load

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"
	"time"

	"sampan/bench/internal/fake"
)

// TestRefusedAtOnce: dials that fail before they have begun neither keep the
// lane to themselves nor go on when the run is aborted.
func TestRefusedAtOnce(t *testing.T) {
	for way, o := range ways {
		t.Run(way, func(t *testing.T) {
			o.Addr = "unix:" + filepath.Join(t.TempDir(), "nobody")
			e := start(t, fanout(3, 0), o)
			if err := e.Cycle(Cycle{To: 3}); err != nil {
				t.Fatal(err)
			}
			<-e.Aborted()
			done := make(chan struct{})
			go func() {
				e.Halt()
				e.Close()
				close(done)
			}()
			select {
			case <-done:
			case <-time.After(patience):
				t.Fatal("Close does not return")
			}
		})
	}
}

// TestConnectEndsWithItsContext: nobody waits for the clients that are left.
func TestConnectEndsWithItsContext(t *testing.T) {
	p := Plan{Clients: make([]Client, 50), Key: 9}
	e := start(t, p, Options{Addr: fake.Start(t, fake.Behaviour{}).Addr, Lanes: 2})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Connect(ctx, 0, 50, Ramp{Rate: 0.1}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, l := range e.lanes {
		for start := time.Now(); ; time.Sleep(time.Millisecond) {
			var openers int
			l.do(func() {
				for _, j := range l.jobs {
					if _, is := j.(*opener); is {
						openers++
					}
				}
			})
			if openers == 0 {
				break
			}
			if time.Since(start) > patience {
				t.Fatal("clients still wait for their turn to connect")
			}
		}
	}
}

// TestHaltedStreamsStayHalted: other loads that begin do not begin them again.
func TestHaltedStreamsStayHalted(t *testing.T) {
	p := pairs(1, 0)
	p.Clients = append(p.Clients, Client{})
	e, ctx := connected(t, p, Options{Addr: fake.Start(t, fake.Behaviour{}).Addr, Lanes: 1})
	if err := e.Publish(Pace{Window: 20, Sliding: true}); err != nil {
		t.Fatal(err)
	}
	reach(t, ctx, e, func(c *Counters) bool { return c.Delivered > 100 })
	e.Halt()
	e.Disconnect(2, 3)
	cycles := e.Count().Cycles
	sent := e.Count().Sent
	if err := e.Cycle(Cycle{From: 2, To: 3}); err != nil {
		t.Fatal(err)
	}
	reach(t, ctx, e, func(c *Counters) bool { return c.Cycles > cycles+20 })
	e.Halt()
	if now := e.Count().Sent; now != sent {
		t.Errorf("%d messages were sent after Halt", now-sent)
	}
}

// TestCallsThatAreOverAreNotDue: what has ended owes nothing.
func TestCallsThatAreOverAreNotDue(t *testing.T) {
	for name, end := range map[string]func(e *Engine, cancel func()){
		"the context ends": func(_ *Engine, cancel func()) { cancel() },
		"halted":           func(e *Engine, _ func()) { e.Halt() },
	} {
		t.Run(name, func(t *testing.T) {
			e, ctx := connected(t, rrpc(2), Options{Addr: fake.Start(t, fake.Behaviour{}).Addr, Lanes: 1})
			calling, cancel := context.WithCancel(ctx)
			defer cancel()
			hang := func(ctx context.Context, _ int, _ []byte) ([]byte, error) { <-calling.Done(); return nil, ctx.Err() }
			if err := e.Call(calling, Pace{Rate: 1e6, Window: 1}, hang); err != nil {
				t.Fatal(err)
			}
			for e.Glance(nil).Backlog == 0 {
				time.Sleep(time.Millisecond)
			}
			end(e, cancel)
			for start := time.Now(); e.Glance(nil).Backlog > 0; time.Sleep(time.Millisecond) {
				if time.Since(start) > patience {
					t.Fatal("calls go on becoming due")
				}
			}
		})
	}
}

// TestRatesThatAreNone: they would never let a lane go.
func TestRatesThatAreNone(t *testing.T) {
	e := start(t, rrpc(1), Options{Addr: "127.0.0.1:1", Lanes: 1})
	for _, rate := range []float64{math.NaN(), math.Inf(1), -1} {
		for what, err := range map[string]error{
			"Publish":  e.Publish(Pace{Rate: rate}),
			"Cycle":    e.Cycle(Cycle{To: 1, Rate: rate}),
			"Takeover": e.Takeover(0, 1, rate),
			"Connect":  e.Connect(context.Background(), 0, 1, Ramp{Rate: rate}),
			"Call":     e.Call(context.Background(), Pace{Rate: rate}, nil),
		} {
			if err == nil {
				t.Errorf("%s takes a rate of %v", what, rate)
			}
		}
	}
	if e.Takeover(1, 1, 1) == nil {
		t.Error("Takeover takes no clients")
	}
}

// TestKeepAliveIsWhatIsSaid: CONNECT has whole seconds, and pings go by them.
func TestKeepAliveIsWhatIsSaid(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		0:                       300 * time.Second,
		time.Millisecond:        time.Second,
		1999 * time.Millisecond: 2 * time.Second,
		100_000 * time.Second:   65_535 * time.Second,
	} {
		e := start(t, fanout(1, 0), Options{Addr: "127.0.0.1:1", Lanes: 1, KeepAlive: asked})
		if e.o.KeepAlive != want || time.Duration(e.keepAlive)*time.Second != want {
			t.Errorf("%v: says %d s, keeps %v, want %v", asked, e.keepAlive, e.o.KeepAlive, want)
		}
	}
}

// TestRateBeyondThisMachine: a schedule that the generator cannot keep up with
// does not keep it from reading, nor from being told to stop.
func TestRateBeyondThisMachine(t *testing.T) {
	for way, o := range ways {
		t.Run(way, func(t *testing.T) {
			o.Addr = fake.Start(t, fake.Behaviour{}).Addr
			e, ctx := connected(t, pairs(2, 0), o)
			if err := e.Publish(Pace{Rate: 1e12}); err != nil {
				t.Fatal(err)
			}
			halted := make(chan struct{})
			go func() { // ends with the lanes' turns
				defer close(halted)
				reach(t, ctx, e, func(c *Counters) bool { return c.Delivered > 0 })
				e.Halt()
			}()
			select {
			case <-halted:
			case <-time.After(patience):
				t.Fatal("the lanes do nothing but catch up")
			}
		})
	}
}

// TestTakeoversBeyondThisMachine: nor do takeovers at such a rate.
func TestTakeoversBeyondThisMachine(t *testing.T) {
	p := pairs(1, 1)
	p.Clients[0].Persistent = true
	e, _ := connected(t, p, Options{Addr: fake.Start(t, fake.Behaviour{}).Addr, Lanes: 1})
	if err := e.Takeover(0, 1, 1e12); err != nil {
		t.Fatal(err)
	}
	halted := make(chan struct{})
	go func() { // ends with the lane's turn
		defer close(halted)
		e.Halt()
	}()
	select {
	case <-halted:
	case <-time.After(patience):
		t.Fatal("the lane does nothing but count what is due")
	}
}
