package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"sampan/bench/fault"
	"sampan/bench/internal/fake"
	"sampan/bench/scenario"
	"sampan/packet"
)

// A rate at which this machine has no ports left is not one that the broker
// cannot take.
func TestLimitOfThisMachine(t *testing.T) {
	faults := []*fault.Fault{
		{Kind: fault.Lost, Count: 1, First: "some"},
		{Kind: fault.Exhausted, Count: 1, First: "connect: cannot assign requested address"},
	}
	for n, want := range map[int]string{1: "loss", 2: limitGenerator} {
		r := &Result{Rounds: []Measurement{{Faults: faults[:n]}}}
		if got := r.limit(time.Hour, fault.Join(faults[:n])); got != want {
			t.Errorf("%v: limit %q, want %q", fault.Join(faults[:n]), got, want)
		}
	}
}

// What a search for the highest rate of connections bounds is how long they take, and not how fast the message is
// that they send once they are there.
func TestSearchOfConnections(t *testing.T) {
	slow := fake.Behaviour{Connack: func(_ *packet.Connect, right []byte) []byte {
		time.Sleep(20 * time.Millisecond)
		return right
	}}
	for _, kind := range []scenario.Kind{scenario.Churn, scenario.Connect} {
		s, want := small(kind), map[scenario.Kind]string{scenario.Churn: "cycle", scenario.Connect: "connect"}[kind]
		s.Rate, s.Window = 40, 0
		cfg := Config{Scenario: s, Target: Target{Addr: fake.Start(t, slow).Addr}, trusting: true}
		h, err := Search(t.Context(), cfg, Bound{P99: 15 * time.Millisecond, From: 4})
		if err != nil || h.Rate != 0 || h.Limit != "latency" || h.Bounded != want {
			t.Errorf("%s: %v/s, limit %s, %v", kind, h.Rate, h.Limit, err)
		}
		if f, ok := h.Steps[0].Result.Figure(want + "_p99"); !ok || f.Median < 15_000 {
			t.Errorf("%s: %s_p99 %v", kind, want, f)
		}
	}
}

// A search needs a latency that a rate has to do with.
func TestSearchRefuses(t *testing.T) {
	for _, kind := range []scenario.Kind{scenario.Idle, scenario.Offline} {
		if _, err := Search(t.Context(), Config{Scenario: small(kind), Target: Target{Addr: "127.0.0.1:1"}}, Bound{P99: time.Second, From: 1}); err == nil {
			t.Errorf("%s was taken", kind)
		}
	}
}

// What may be lost without an error does not end a search.
func TestSearchAllowsLoss(t *testing.T) {
	s := small(scenario.Fanout)
	s.Subscribers, s.Rate = 1, 100
	lossy := fake.Start(t, fake.Behaviour{Deliver: func(n int, right []byte) []byte {
		if n == 7 {
			return nil
		}
		return right
	}})
	for allowed, want := range map[float64]string{0: "loss", 0.5: "most"} {
		cfg := Config{Scenario: s, Target: Target{Addr: lossy.Addr}, trusting: true, LossAllowed: allowed}
		cfg.Load.StallTime = 200 * time.Millisecond
		h, err := Search(t.Context(), cfg, Bound{P99: time.Minute, Most: 100, Precision: 0.9})
		if err != nil || h.Limit != want {
			t.Errorf("%v allowed: limit %q, want %q; %v", allowed, h.Limit, want, err)
		}
	}
}

// A search that was interrupted does not say what the next rate would have failed by.
func TestSearchInterrupted(t *testing.T) {
	s := small(scenario.Fanout)
	s.Rate = 50
	b := fake.Start(t, fake.Behaviour{})
	for steps := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begun := 0
		cfg := Config{Scenario: s, Target: Target{Addr: b.Addr}, trusting: true, Progress: func(tick Tick) {
			if tick.Phase == "load" {
				if begun++; begun > steps {
					cancel()
				}
			}
		}}
		h, err := Search(ctx, cfg, Bound{P99: time.Minute})
		if !errors.Is(err, context.Canceled) || h.Limit != "interrupted" || len(h.Steps) != steps {
			t.Errorf("%d steps: limit %q, %v", len(h.Steps), h.Limit, err)
		}
	}
}

// A broker that is not there, or lets nobody in, is no matter of rates.
func TestSearchOfABrokerThatIsNotThere(t *testing.T) {
	refuses := fake.Start(t, fake.Behaviour{Connack: func(*packet.Connect, []byte) []byte { return []byte{0x20, 2, 0, 5} }})
	for _, c := range []struct {
		kind scenario.Kind
		addr string
		want error
	}{
		{scenario.Pairs, "127.0.0.1:1", fault.Unreachable},
		{scenario.Connect, "127.0.0.1:1", fault.Unreachable},
		{scenario.Churn, refuses.Addr, fault.Refused},
	} {
		s := small(c.kind)
		s.Rate, s.Window = 400, 0
		h, err := Search(t.Context(), Config{Scenario: s, Target: Target{Addr: c.addr}, trusting: true}, Bound{P99: time.Second})
		if !errors.Is(err, c.want) || len(h.Steps) != 1 || h.Limit != "fault" {
			t.Errorf("%s: %d steps, limit %s, %v", c.kind, len(h.Steps), h.Limit, err)
		}
	}
}
