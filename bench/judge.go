package bench

import (
	"fmt"
	"time"

	"sampan/bench/scenario"
)

const (
	// saturated is the share of its time from which a loop, a thread or a
	// group of processors counts as having nothing left.
	saturated = 0.9
	// punctual is the share of an open load's messages that the generator has
	// to send when they are due.
	punctual = 0.98
	// lagAllowed is how late the generator may be, at p99, without a look at
	// the latencies.
	lagAllowed = time.Millisecond
)

// bottleneck tells why a phase's figures are the generator's and not the
// broker's; empty if they are the broker's.
func (p *Phase) bottleneck(s *scenario.Scenario) string {
	if p.Name == "hold" {
		return "" // nothing is due
	}
	if s.Rate > 0 && p.Name != "drain" { // which has no schedule
		return p.late(s)
	}
	// Loops are not all that works when a function makes calls.
	busy := max(p.Generator.Busy, p.Generator.CPU/p.Seconds/float64(max(p.Generator.Processors, 1)))
	if busy < saturated || p.brokerSaturated() {
		return ""
	}
	if p.Broker == nil {
		return fmt.Sprintf("the generator was busy for %.0f %% of the time, and what the broker did is not known (give its process ids)", 100*busy)
	}
	return fmt.Sprintf("the generator was busy for %.0f %% of the time, the broker used %.2f of %d processors",
		100*busy, p.Broker.CPU/p.Seconds, p.Broker.Processors)
}

// late tells whether an open load was the load that was asked for.
func (p *Phase) late(s *scenario.Scenario) string {
	lag := p.Times.Lag.Quantile(0.99)
	main := p.Times.Delivery
	switch s.Kind {
	case scenario.Connect, scenario.Churn, scenario.Idle:
		main = p.Times.Connect
	case scenario.Offline:
		main = p.Times.Ack // nobody receives yet
	}
	if lag > lagAllowed && lag > main.Quantile(0.99)/2 {
		return fmt.Sprintf("the generator itself was late: by %v at p99, of %v", lag.Round(time.Microsecond), main.Quantile(0.99).Round(time.Microsecond))
	}
	due := s.Rate * p.Seconds
	if done := float64(p.Counters.Sent + p.Counters.Backlog); s.Kind != scenario.Connect && s.Kind != scenario.Churn &&
		s.Kind != scenario.Offline && due >= 100 && done < punctual*due {
		return fmt.Sprintf("the generator sent %.0f %% of the messages that were due", 100*done/due)
	}
	return ""
}

// brokerSaturated reports whether the broker had no processor time left: all
// of its processors, or a thread that does everything.
func (p *Phase) brokerSaturated() bool {
	b := p.Broker
	if b == nil {
		return false
	}
	return b.CPU/p.Seconds >= saturated*float64(max(b.Processors, 1)) || b.Thread >= saturated
}

// Crowded tells for which share of the time in which they wanted a processor
// the broker and the generator had to leave it to others, at the worst in the
// round's phases. From about 0.1 on, only ratios of figures that were measured
// side by side mean anything.
func (m *Measurement) Crowded() (broker, generator float64) {
	for i := range m.Phases {
		p := &m.Phases[i]
		if p.Broker != nil {
			broker = max(broker, p.Broker.Waited)
		}
		generator = max(generator, p.Generator.Waited)
	}
	return broker, generator
}
