package scenario

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"sampan/bench/proof"
)

// TestEveryNameIsComplete finds each name and checks the scenario.
func TestEveryNameIsComplete(t *testing.T) {
	names := Names()
	if distinct := slices.Compact(slices.Sorted(slices.Values(names))); len(distinct) != len(names) || len(names) < 30 {
		t.Errorf("%d names, %d different ones", len(names), len(distinct))
	}
	for _, name := range names {
		for _, spelling := range []string{name, strings.ToUpper(name), "singlenode-" + name} {
			s, err := Find(spelling)
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != name || s.About == "" {
				t.Errorf("%s found as %q, %q", spelling, s.Name, s.About)
			}
			if err := s.Check(); err != nil {
				t.Error(err)
			}
			if topic, filter := s.Templates(); s.sends() && (topic == "" || filter == "") {
				t.Errorf("%s has topic %q and filter %q", name, topic, filter)
			}
		}
	}
	if _, err := Find("nothing"); err == nil || !strings.Contains(err.Error(), "fanout-5-1000-5-250K") {
		t.Errorf("unknown name: %v", err)
	}
}

// TestSuiteSizes checks the presets against what their names say: clients,
// topics, and deliveries a second.
func TestSuiteSizes(t *testing.T) {
	for name, want := range map[string][3]float64{
		"fanout-1-1k-1-1K":         {1, 1000, 1000},
		"fanout-5-1000-5-250K":     {5, 1000, 250_000},
		"p2p-1K-1K-1K-1K":          {1000, 1000, 1000},
		"p2p-50K-50K-50K-50K":      {50_000, 50_000, 50_000},
		"sharesub-1K-5-1K-1K":      {1000, 5, 1000},
		"sharesub-50K-500-50K-50K": {50_000, 500, 50_000},
	} {
		s, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		publishers, deliveries := float64(s.Publishers), s.Rate
		if s.Kind == Pairs {
			publishers = float64(s.Subscribers)
		}
		if s.Kind == Fanout {
			deliveries *= float64(s.Subscribers)
		}
		if got := [3]float64{publishers, float64(s.Subscribers), deliveries}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if s.QoS != 1 || s.Payload != 16 || s.Duration != 30*time.Minute {
			t.Errorf("%s: QoS %d, %d bytes, %v", name, s.QoS, s.Payload, s.Duration)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	if Stamp != proof.StampSize {
		t.Errorf("the stamp has %d bytes, not %d", proof.StampSize, Stamp)
	}
	for name, change := range map[string]func(*Scenario){
		"kind":        func(s *Scenario) { s.Kind = "x" },
		"QoS 2":       func(s *Scenario) { s.QoS = 2 },
		"payload":     func(s *Scenario) { s.Payload = 15 },
		"no load":     func(s *Scenario) { s.Rate = 0 },
		"rate":        func(s *Scenario) { s.Rate = -1 },
		"no number":   func(s *Scenario) { s.Rate = math.NaN() },
		"infinite":    func(s *Scenario) { s.Rate = math.Inf(1) },
		"takeovers":   func(s *Scenario) { *s = Of(Takeover); s.Cycles = math.Inf(1) },
		"duration":    func(s *Scenario) { s.Duration = 0 },
		"warm-up":     func(s *Scenario) { s.Warmup = -1 },
		"nobody":      func(s *Scenario) { s.Subscribers = 0 },
		"shared":      func(s *Scenario) { s.Shared = true },
		"self":        func(s *Scenario) { s.Self = true },
		"no clients":  func(s *Scenario) { *s = Of(Churn); s.Clients = 0 },
		"no devices":  func(s *Scenario) { *s = Of(RRPC); s.Clients = 0 },
		"RRPC QoS":    func(s *Scenario) { *s = Of(RRPC); s.QoS = 1 },
		"publishers":  func(s *Scenario) { *s = Of(Pairs); s.Publishers = 3 },
		"takeover":    func(s *Scenario) { *s = Of(Takeover); s.QoS = 0 },
		"no takeover": func(s *Scenario) { *s = Of(Takeover); s.Cycles = 0 },
		"offline":     func(s *Scenario) { *s = Of(Offline); s.QoS = 0 },
		"no messages": func(s *Scenario) { *s = Of(Offline); s.Messages = 0 },
		"soak":        func(s *Scenario) { *s = Of(Soak); s.Clients = 0 },
		"window":      func(s *Scenario) { *s = Of(Idle); s.Window = -1 },
		"unrelated":   func(s *Scenario) { s.Unrelated = -1 },
		"holders":     func(s *Scenario) { s.UnrelatedClients = -1 },
		"idle":        func(s *Scenario) { s.IdleClients = -1 },
		"earlier":     func(s *Scenario) { s.Earlier = -1 },
		"connect":     func(s *Scenario) { *s = Of(Connect); s.Window = 0 },
	} {
		s := Of(Fanout)
		change(&s)
		if s.Check() == nil {
			t.Errorf("%s: taken: %+v", name, s)
		}
	}
}
