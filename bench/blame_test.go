package bench

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sampan/bench/fault"
	"sampan/bench/internal/fake"
	"sampan/bench/load"
	"sampan/bench/scenario"
	"sampan/packet"
)

// However many earlier subscribers there are for the lanes, each comes once.
func TestFewEarlierForManyLanes(t *testing.T) {
	for _, lanes := range []int{2, 8} {
		for _, n := range []int{1, 3, 9} {
			s := small(scenario.Fanout)
			s.Earlier = n
			r, err := try(t, s, fake.Behaviour{}, func(c *Config) { c.Load.Lanes = lanes })
			if err != nil {
				t.Fatalf("%d for %d lanes: %v", n, lanes, err)
			}
			if c := r.Rounds[0].Counters; c.Cycles != uint64(n) {
				t.Errorf("%d for %d lanes: %d have come", n, lanes, c.Cycles)
			}
		}
	}
}

// What is on its way when the user ends a run is not lost.
func TestInterruptedIsNotLost(t *testing.T) {
	s := small(scenario.Fanout)
	s.Rate, s.Window, s.Duration = 0, 50, time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := Run(ctx, Config{Scenario: s, Target: Target{Addr: fake.Start(t, fake.Behaviour{}).Addr}, Progress: func(tick Tick) {
		if tick.Phase == "load" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || errors.Is(err, fault.Lost) {
		t.Error(err)
	}
}

// A closed load that a lost message has brought to a halt has no figures, even if the loss was allowed.
func TestHaltedLoad(t *testing.T) {
	s := small(scenario.Fanout)
	s.Rate, s.Window, s.Warmup, s.Duration = 0, 5, 0, time.Minute
	r, err := try(t, s, fake.Behaviour{Deliver: func(n int, right []byte) []byte {
		if n == 3000 {
			return nil
		}
		return right
	}}, func(c *Config) { c.LossAllowed = 0.5 })
	if !errors.Is(err, errCut) {
		t.Error(err)
	}
	if r == nil || len(r.Summary) > 0 {
		t.Errorf("figures of a load that was cut short: %+v", r)
	}
}

// A call that is never answered is lost: the last ones of a run, too, and one of several.
func TestCallsWithoutAnswer(t *testing.T) {
	s := small(scenario.RRPC)
	s.Clients, s.Rate, s.Window = 3, 0, 3
	for name, hangs := range map[string]func() bool{
		"all":  func() bool { return true },
		"some": func() func() bool { n := 0; return func() bool { n++; return n == 5 } }(),
	} {
		gate := make(chan func() bool, 1)
		gate <- hangs
		_, err := try(t, s, fake.Behaviour{}, func(c *Config) {
			c.Call = func(ctx context.Context, _ load.Credentials, payload []byte) ([]byte, error) {
				h := <-gate
				hang := h()
				gate <- h
				if hang {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				time.Sleep(time.Millisecond)
				return payload, nil
			}
		})
		if !errors.Is(err, fault.Lost) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A broker that is slower than the load is not the generator's fault.
func TestSlowBrokerIsNoBottleneck(t *testing.T) {
	slow := func(s scenario.Scenario, b fake.Behaviour, call func(context.Context, load.Credentials, []byte) ([]byte, error)) {
		t.Helper()
		r, err := try(t, s, b, func(c *Config) { c.trusting, c.Call = false, call })
		if err != nil {
			t.Error(err)
		} else if why := r.Bottleneck(); why != "" {
			t.Errorf("%s: %s", s.Kind, why)
		}
	}
	s := small(scenario.Churn)
	s.Clients, s.Rate, s.Duration = 4, 400, time.Second
	slow(s, fake.Behaviour{Connack: func(_ *packet.Connect, right []byte) []byte {
		time.Sleep(10 * time.Millisecond)
		return right
	}}, nil)
	s = small(scenario.RRPC)
	s.Clients, s.Rate, s.Window, s.Duration = 3, 1000, 3, time.Second
	slow(s, fake.Behaviour{}, func(_ context.Context, _ load.Credentials, payload []byte) ([]byte, error) {
		time.Sleep(30 * time.Millisecond)
		return payload, nil
	})
	s = small(scenario.Idle)
	s.Rate = 300
	slow(s, fake.Behaviour{}, nil)
}

// Lost counts deliveries: a PUBACK that does not come is a fault, and no message.
func TestLostAreDeliveries(t *testing.T) {
	s := small(scenario.Fanout)
	s.QoS, s.Subscribers = 1, 1
	third := func(n int, right []byte) []byte {
		if n == 3 {
			return nil
		}
		return right
	}
	for _, c := range []struct {
		b    fake.Behaviour
		want uint64
	}{
		{fake.Behaviour{Puback: third}, 0},
		{fake.Behaviour{Deliver: third}, 1},
		{fake.Behaviour{Puback: third, Deliver: third}, 1},
	} {
		r, err := try(t, s, c.b, func(c *Config) { c.Load.StallTime = 200 * time.Millisecond })
		if !errors.Is(err, fault.Lost) {
			t.Errorf("error %v", err)
		}
		if got := r.Rounds[0].Lost; got != c.want {
			t.Errorf("%d deliveries lost, want %d: %v", got, c.want, err)
		}
		if got := r.limit(time.Hour, err); got != "loss" {
			t.Errorf("limit %q, want loss", got)
		}
	}
}

// A round that was interrupted says so, and has no part in what several rounds gave.
func TestInterruptedIsNoRound(t *testing.T) {
	s := small(scenario.Fanout)
	s.Rate, s.Window, s.Warmup, s.Cooldown, s.Duration = 0, 5, 0, 0, time.Second
	// cut is a broker whose user gives up in the middle of a round.
	cut := func(round int64) (addr string, ctx context.Context) {
		ctx, cancel := context.WithCancel(t.Context())
		var connects atomic.Int64
		return fake.Start(t, fake.Behaviour{
			Connack: func(_ *packet.Connect, right []byte) []byte { connects.Add(1); return right },
			Deliver: func(n int, right []byte) []byte {
				if n == 100 && connects.Load() > (round-1)*int64(s.Subscribers+s.Publishers) {
					cancel()
				}
				return right
			},
		}).Addr, ctx
	}

	addr, ctx := cut(1)
	r, err := Run(ctx, Config{Scenario: s, Target: Target{Addr: addr}, trusting: true})
	if !errors.Is(err, context.Canceled) || len(r.Rounds) != 1 || len(r.Summary) == 0 {
		t.Fatalf("%v: %+v", err, r)
	}
	if notes := r.Rounds[0].Notes; len(notes) != 1 || !strings.Contains(notes[0], "interrupted") {
		t.Errorf("a single round is told with %q", notes)
	}

	addr, ctx = cut(2)
	r, err = Run(ctx, Config{Scenario: s, Target: Target{Addr: addr}, Repeats: 2, trusting: true})
	if f, _ := r.Figure("deliveries_per_second"); !errors.Is(err, context.Canceled) || f.N != 1 {
		t.Errorf("%v: figures of %d rounds, want the one that is whole", err, f.N)
	}

	addr, ctx = cut(1)
	c, err := Compare(ctx, Config{Scenario: s, trusting: true},
		Target{Name: "a", Addr: fake.Start(t, fake.Behaviour{}).Addr}, Target{Name: "b", Addr: addr})
	if !errors.Is(err, context.Canceled) || len(c.Ratios) > 0 {
		t.Errorf("%v: a whole round is compared with one that was interrupted: %v", err, c.Ratios)
	}
}

// What was due and never sent, because the broker took no more, is in no latency: the result says so.
func TestUnsentIsTold(t *testing.T) {
	s := small(scenario.Fanout)
	s.QoS, s.Subscribers, s.Publishers, s.Rate, s.Warmup, s.Cooldown = 1, 1, 1, 2000, 0, 0
	blocks := fake.Behaviour{Puback: func(n int, right []byte) []byte {
		if n == 100 {
			time.Sleep(400 * time.Millisecond)
		}
		return right
	}}
	for name, c := range map[string]struct {
		b    fake.Behaviour
		want bool
	}{
		"a right broker":         {fake.Behaviour{}, false},
		"a broker that is stuck": {blocks, true},
	} {
		r, err := try(t, s, c.b, func(c *Config) { c.Load.Inflight = 50 })
		if err != nil {
			t.Fatal(err)
		}
		told := strings.Join(r.Rounds[0].Notes, "; ")
		if strings.Contains(told, "never sent") != c.want {
			t.Errorf("%s: notes %q", name, told)
		}
	}
}

// The same holds for calls.
func TestUnmadeCallsAreTold(t *testing.T) {
	s := small(scenario.RRPC)
	s.Clients, s.Rate, s.Window, s.Warmup, s.Cooldown = 1, 1000, 1, 0, 0
	r, err := try(t, s, fake.Behaviour{}, func(c *Config) {
		c.Call = func(_ context.Context, _ load.Credentials, payload []byte) ([]byte, error) {
			time.Sleep(20 * time.Millisecond)
			return payload, nil
		}
	})
	if err != nil || !strings.Contains(strings.Join(r.Rounds[0].Notes, "; "), "never sent") {
		t.Errorf("%v, notes %q", err, r.Rounds[0].Notes)
	}
}

// A queue that is filled at a rate is drained without one, and while it is filled nobody receives.
func TestOfflineAtARate(t *testing.T) {
	s := small(scenario.Offline)
	s.Rate = 2000
	for _, name := range []string{"queue", "drain"} {
		p := Phase{Name: name, Seconds: 1, Times: load.NewTimes()}
		p.Times.Lag.Record(5 * time.Millisecond)
		p.Times.Ack.Record(500 * time.Millisecond)
		if why := p.bottleneck(&s); why != "" {
			t.Errorf("%s: %s", name, why)
		}
	}
}

// A run leaves no session behind, with what is queued in it, however it ends.
func TestNoSessionsAreLeft(t *testing.T) {
	for name, c := range map[string]struct {
		kind scenario.Kind
		b    fake.Behaviour
		want error
	}{
		"whole": {scenario.Offline, fake.Behaviour{}, nil},
		"wrong": {scenario.Offline, fake.Behaviour{Puback: func(n int, right []byte) []byte {
			if n == 50 {
				return []byte{0x20, 2, 0, 0}
			}
			return right
		}}, fault.Violation},
		"lossy": {scenario.Takeover, fake.Behaviour{Puback: func(n int, right []byte) []byte {
			if n == 3 {
				return nil
			}
			return right
		}}, fault.Lost},
		"interrupted": {scenario.Offline, fake.Behaviour{}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			s := small(c.kind)
			s.Subscribers = 3
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.want == context.Canceled {
				c.b.Puback = func(n int, right []byte) []byte {
					if n == 50 {
						cancel()
						return nil
					}
					return right
				}
			}
			b := fake.Start(t, c.b)
			cfg := Config{Scenario: s, Target: Target{Addr: b.Addr}, trusting: true}
			cfg.Load.StallTime = 300 * time.Millisecond
			if _, err := Run(ctx, cfg); !errors.Is(err, c.want) {
				t.Errorf("error %v", err)
			}
			for start := time.Now(); b.Sessions() > 0; time.Sleep(time.Millisecond) {
				if time.Since(start) > 5*time.Second {
					t.Fatalf("%d sessions are left", b.Sessions())
				}
			}
		})
	}
}

// And for connections that were due while those before them had not ended.
func TestUnmadeConnectionsAreTold(t *testing.T) {
	for _, slow := range []time.Duration{0, 20 * time.Millisecond} {
		connack := func(_ *packet.Connect, right []byte) []byte {
			time.Sleep(slow)
			return right
		}
		churn, takeover := small(scenario.Churn), small(scenario.Takeover)
		churn.Clients, churn.Rate = 2, 5
		takeover.Subscribers, takeover.Cycles = 2, 5
		if slow > 0 {
			churn.Rate, takeover.Cycles = 400, 400
		}
		for _, s := range []scenario.Scenario{churn, takeover} {
			r, err := try(t, s, fake.Behaviour{Connack: connack}, func(c *Config) { c.Load.Lanes = 1 })
			if err != nil {
				t.Fatalf("%s: %v", s.Kind, err)
			}
			told := strings.Join(r.Rounds[0].Notes, "; ")
			if strings.Contains(told, "connections that were due were not made") != (slow > 0) {
				t.Errorf("%s, CONNACK after %v: notes %q", s.Kind, slow, told)
			}
		}
	}
}

// The connections that end the sessions after a run are none of its own.
func TestForgettingIsNotMeasured(t *testing.T) {
	for _, kind := range []scenario.Kind{scenario.Offline, scenario.Takeover} {
		s := small(kind)
		s.Subscribers = 7
		r, err := try(t, s, fake.Behaviour{})
		if err != nil {
			t.Fatal(err)
		}
		p := r.Rounds[0].Main()
		want := uint64(7) // they come back once, all of them
		if kind == scenario.Takeover {
			want = r.Rounds[0].Counters.Takeovers
		}
		if got := p.Times.Connect.Count(); got > want {
			t.Errorf("%s: %d times of connecting, want %d at most", kind, got, want)
		}
	}
}

// A closed load stands still where a message was lost, even if that was allowed: its rate is not the broker's.
func TestPartOfALoadHalted(t *testing.T) {
	for _, sliding := range []bool{false, true} {
		s := small(scenario.Pairs)
		s.Rate, s.Window, s.Sliding = 0, 5, sliding
		var lost atomic.Bool
		r, err := try(t, s, fake.Behaviour{Deliver: func(n int, right []byte) []byte {
			if n == 3 && lost.CompareAndSwap(false, true) {
				return nil
			}
			return right
		}}, func(c *Config) { c.LossAllowed, c.Load.StallTime = 0.5, 200*time.Millisecond })
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := r.Figure("deliveries_per_second"); ok || !strings.Contains(r.Bottleneck(), "lost") {
			t.Errorf("bottleneck %q", r.Bottleneck())
		}
	}
}
