package bench

import (
	"strings"
	"testing"
	"time"

	"sampan/bench/load"
	"sampan/bench/scenario"
)

// TestBottleneck shows when a phase's figures are not the broker's.
func TestBottleneck(t *testing.T) {
	closed, open := scenario.Of(scenario.Fanout), scenario.Of(scenario.Fanout)
	closed.Rate, closed.Window = 0, 10
	open.Rate = 1000
	phase := func(busy float64, broker *Use, sent uint64, latency, lag time.Duration) Phase {
		p := Phase{Seconds: 10, Broker: broker, Times: load.NewTimes(), Counters: load.Counters{Sent: sent}}
		p.Generator.Busy = busy
		p.Times.Delivery.RecordN(latency, 1000)
		p.Times.Lag.RecordN(lag, 1000)
		return p
	}
	idle := &Use{CPU: 3, Thread: 0.2, Processors: 2}
	full := &Use{CPU: 19, Thread: 0.95, Processors: 2}
	oneThread := &Use{CPU: 9.5, Thread: 0.95, Processors: 2}
	functions := phase(0.1, idle, 0, time.Millisecond, time.Microsecond)
	functions.Generator.CPU, functions.Generator.Processors = 19, 2
	const us, ms = time.Microsecond, time.Millisecond
	for _, c := range []struct {
		name string
		s    scenario.Scenario
		p    Phase
		says string // empty: no bottleneck
	}{
		{"closed, broker full", closed, phase(0.95, full, 0, ms, us), ""},
		{"closed, broker's one thread full", closed, phase(0.95, oneThread, 0, ms, us), ""},
		{"closed, nobody full", closed, phase(0.7, idle, 0, ms, us), ""},
		{"closed, generator full", closed, phase(0.95, idle, 0, ms, us), "the broker used 0.30 of 2"},
		{"closed, generator full, broker not known", closed, phase(0.95, nil, 0, ms, us), "not known"},
		{"closed, generator's functions full", closed, functions, "95 % of the time"},
		{"open, on time", open, phase(0.95, idle, 10_000, ms, 100*us), ""},
		{"open, late but the broker is later", open, phase(0.5, idle, 10_000, 100*ms, 5*ms), ""},
		{"open, late", open, phase(0.5, idle, 10_000, 6*ms, 5*ms), "late: by 5"},
		{"open, sends too little", open, phase(0.5, idle, 9_000, ms, us), "90 % of the messages"},
	} {
		got := c.p.bottleneck(&c.s)
		if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", c.name, got, c.says)
		}
	}
	held := phase(0.5, idle, 9_000, ms, us)
	held.Counters.Backlog = 1000
	if got := held.bottleneck(&open); got != "" {
		t.Errorf("a broker that does not read counts as a slow generator: %s", got)
	}
}

// TestBoundRunsHaveNoBrokerFigures shows what is left out when the generator
// was the bottleneck.
func TestBoundRunsHaveNoBrokerFigures(t *testing.T) {
	m := Measurement{Phases: []Phase{{
		Name: "load", Unit: "deliveries", Count: 1000, Seconds: 2,
		Broker: &Use{CPU: 0.5, RSS: 1 << 20}, Times: load.NewTimes(),
	}}, Bottleneck: "the generator"}
	m.Phases[0].Times.Delivery.Record(time.Millisecond)
	for rate, want := range map[float64]string{0: "deliveries_per_cpu_second broker_rss", 500: "broker_rss"} {
		var names []string
		for _, v := range m.Metrics(&scenario.Scenario{Rate: rate}) {
			names = append(names, v.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("rate %v: %s, want %s", rate, got, want)
		}
	}
}
