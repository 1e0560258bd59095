package bench

import (
	"slices"

	"sampan/bench/hist"
	"sampan/bench/load"
	"sampan/bench/scenario"
	"sampan/bench/stat"
)

// Metric is what a figure measures.
type Metric struct {
	// Name is a short, stable name, such as "deliveries_per_cpu_second".
	Name string `json:"name"`
	// Unit is that of the value: "/s", "/CPU-s", "µs", "KB", "MB", "CPUs".
	Unit string `json:"unit"`
	// Less says that less is better.
	Less bool `json:"less_is_better,omitempty"`
}

// Value is a metric of one round.
type Value struct {
	Metric
	Value float64
}

// quantiles are those that results name.
var quantiles = []struct {
	name string
	q    float64
}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}}

// Metrics are the figures of a round that are the broker's, the most telling
// one first. A round with a fault that makes it worthless has none. If the
// generator was the bottleneck, there are no rates and no latencies; what is
// left in a closed load is the broker's processor time for each message, which
// does not depend on who waited for whom.
func (m *Measurement) Metrics(s *scenario.Scenario) (all []Value) {
	p := m.Main()
	if p == nil || m.Err != "" {
		return nil
	}
	bound := m.Bottleneck != ""
	add := func(name, unit string, less bool, v float64) {
		if v > 0 {
			all = append(all, Value{Metric{name, unit, less}, v})
		}
	}
	times := func(prefix string, of func(*load.Times) *hist.Histogram) {
		h := m.durations(of)
		if h.Count() == 0 {
			return
		}
		for _, q := range quantiles {
			add(prefix+"_"+q.name, "µs", true, microseconds(h.Quantile(q.q)))
		}
	}
	open := s.Rate > 0
	if !bound || !open {
		for i := len(m.Phases) - 1; i >= 0; i-- {
			if p := &m.Phases[i]; !p.holds() {
				add(p.Unit+"_per_cpu_second", "/CPU-s", false, p.PerCPU())
			}
		}
	}
	if p.holds() {
		all, added := p.PerConnection()
		add("kb_per_connection", "KB", true, all/1024)
		add("kb_added_per_connection", "KB", true, added/1024)
	}
	if !bound {
		for i := len(m.Phases) - 1; i >= 0; i-- {
			if p := &m.Phases[i]; !p.holds() {
				add(p.Unit+"_per_second", "/s", false, p.Rate())
			}
		}
		times("latency", func(t *load.Times) *hist.Histogram { return t.Delivery })
		times("ack", func(t *load.Times) *hist.Histogram { return t.Ack })
		times("connect", func(t *load.Times) *hist.Histogram { return t.Connect })
		times("cycle", func(t *load.Times) *hist.Histogram { return t.Cycle })
	}
	if b := p.Broker; b != nil {
		if !bound {
			add("broker_cpu", "CPUs", true, b.CPU/p.Seconds)
		}
		add("broker_rss", "MB", true, float64(b.RSS)/(1<<20))
	}
	return all
}

// durations are those of the last phase that has any of the kind.
func (m *Measurement) durations(of func(*load.Times) *hist.Histogram) *hist.Histogram {
	h := hist.New()
	for i := range m.Phases {
		if o := of(m.Phases[i].Times); o.Count() > 0 {
			h = o
		}
	}
	return h
}

// holds reports whether the phase is about connections that stay.
func (p *Phase) holds() bool { return p.Unit == connections }

// Figure finds a figure of the summary by its name.
func (r *Result) Figure(name string) (Figure, bool) {
	i := slices.IndexFunc(r.Summary, func(f Figure) bool { return f.Name == name })
	if i < 0 {
		return Figure{}, false
	}
	return r.Summary[i], true
}

// summarise makes the summary and gathers the faults.
func (r *Result) summarise() {
	r.Summary = nil
	values := map[string][]float64{}
	for i := range r.Rounds {
		for _, v := range r.Rounds[i].Metrics(&r.Scenario) {
			if values[v.Name] == nil {
				r.Summary = append(r.Summary, Figure{Metric: v.Metric})
			}
			values[v.Name] = append(values[v.Name], v.Value)
		}
	}
	for i := range r.Summary {
		f := &r.Summary[i]
		f.Summary = stat.Of(values[f.Name]...)
	}
}
