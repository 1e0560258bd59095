package report

import (
	"sampan/bench"
	"sampan/bench/hist"
	"sampan/bench/load"
)

// distribution is one kind of duration of a result, all rounds together.
type distribution struct {
	name string // as in the names of metrics
	what string // in words
	h    *hist.Histogram
}

// kinds are the kinds of durations, the most telling one first.
var kinds = []struct {
	name, what string
	of         func(*load.Times) *hist.Histogram
}{
	{"latency", "from the intended send time to the arrival", func(t *load.Times) *hist.Histogram { return t.Delivery }},
	{"ack", "from the intended send time to PUBACK", func(t *load.Times) *hist.Histogram { return t.Ack }},
	{"connect", "from the intended beginning to CONNACK", func(t *load.Times) *hist.Histogram { return t.Connect }},
	{"cycle", "from the intended beginning to the end of the cycle", func(t *load.Times) *hist.Histogram { return t.Cycle }},
}

// distributions lists those of a result that hold anything, in the order of
// kinds. Rounds that have no such figures are left out: those in which the
// generator was the bottleneck, and those with an error.
func distributions(r *bench.Result) (all []distribution) {
	for _, d := range kinds {
		sum := hist.New()
		for i := range r.Rounds {
			m := &r.Rounds[i]
			if m.Bottleneck != "" || m.Err != "" {
				continue
			}
			for k := len(m.Phases) - 1; k >= 0; k-- {
				if h := d.of(m.Phases[k].Times); h.Count() > 0 {
					sum.Merge(h)
					break
				}
			}
		}
		if sum.Count() > 0 {
			all = append(all, distribution{d.name, d.what, sum})
		}
	}
	return all
}
