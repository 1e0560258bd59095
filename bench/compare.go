package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sampan/bench/stat"
)

// Comparison is what several targets gave under the same scenario.
type Comparison struct {
	Schema int `json:"schema"`
	// Results are those of the targets, in their order.
	Results []*Result `json:"results"`
	// Ratios compare each target but the first with the first one.
	Ratios []Ratio `json:"ratios"`
}

// Ratio is how many times as large a figure is for one target as for the
// first.
type Ratio struct {
	Metric
	Scenario string `json:"scenario"`
	Target   string `json:"target"`
	Base     string `json:"base"`
	stat.Ratio
}

// defaultRounds is how often Compare measures each target.
const defaultRounds = 5

// Compare measures targets in turn, as often as cfg.Repeats says (0: 5 times):
// every round has each target once, one right after the other, so that what
// disturbs the machine disturbs all of them. The order changes from round to
// round. cfg.Target is not used.
//
// A target that does something wrong, or cannot be started, is left out of the
// rounds that follow; what it was is in its last round's Err and in the error. A
// round that ctx ended has no figures.
func Compare(ctx context.Context, cfg Config, targets ...Target) (*Comparison, error) {
	if len(targets) < 2 {
		return nil, errors.New("bench: a comparison needs two targets")
	}
	targets = slices.Clone(targets)
	var started []*Target
	for i := range targets {
		started = append(started, &targets[i])
	}
	unpin, err := pin(&cfg, started...)
	if err != nil {
		return nil, err
	}
	defer unpin()
	configs := make([]Config, len(targets))
	c := &Comparison{Schema: Schema}
	for i, t := range targets {
		configs[i] = cfg
		configs[i].Target = t
		if err := configs[i].check(); err != nil {
			return nil, err
		}
		for _, r := range c.Results {
			if name := configs[i].Target.name(); r.Target == name {
				return nil, fmt.Errorf("bench: two targets are called %s; give each a name of its own", name)
			}
		}
		c.Results = append(c.Results, newResult(&configs[i]))
	}
	rounds := cfg.Repeats
	if rounds <= 0 {
		rounds = defaultRounds
	}
	errs := make([]error, len(targets))
	for n := range rounds {
		for k := range targets {
			i := (k + n) % len(targets)
			if errs[i] != nil {
				continue
			}
			m, err := measure(ctx, &configs[i], n+1, rounds)
			if ctx.Err() != nil {
				if len(m.Phases)+len(m.Faults) > 0 {
					if m.Err == "" {
						m.Err = errInterrupted.Error()
					}
					c.Results[i].add(m)
				}
				c.end()
				return c, ctx.Err()
			}
			if err != nil {
				m.Err = err.Error()
			}
			c.Results[i].add(m)
			if errs[i] = err; err == nil {
				errs[i] = c.Results[i].error(&configs[i])
			}
		}
	}
	c.end()
	return c, errors.Join(errs...)
}

// end completes the results and makes the ratios.
func (c *Comparison) end() {
	for _, r := range c.Results {
		r.end()
	}
	c.Ratios = nil
	base := c.Results[0]
	for _, r := range c.Results[1:] {
		for _, f := range r.Summary {
			ratio, ok := r.Times(base, f.Name)
			if !ok {
				continue
			}
			c.Ratios = append(c.Ratios, Ratio{
				Metric: f.Metric, Scenario: r.Scenario.Name, Target: r.Target, Base: base.Target, Ratio: ratio,
			})
		}
	}
}

// Times tells how many times as large a metric is as in another result of the
// same comparison; false if no round has it in both.
func (r *Result) Times(base *Result, metric string) (stat.Ratio, bool) {
	a, b := r.paired(base, metric)
	return stat.Compare(a, b), len(a) > 0
}

// paired lists a metric's values in the rounds in which both results have it.
func (r *Result) paired(base *Result, metric string) (a, b []float64) {
	for i := range min(len(r.Rounds), len(base.Rounds)) {
		x, okX := r.value(i, metric)
		y, okY := base.value(i, metric)
		if okX && okY {
			a, b = append(a, x), append(b, y)
		}
	}
	return a, b
}

// value is a metric of a round.
func (r *Result) value(round int, metric string) (float64, bool) {
	for _, v := range r.Rounds[round].Metrics(&r.Scenario) {
		if v.Name == metric {
			return v.Value, true
		}
	}
	return 0, false
}

// String says a ratio as a sentence.
func (r Ratio) String() string {
	return fmt.Sprintf("%s: %s has %.2f times the %s (%.2f to %.2f)", r.Name, r.Target, r.Ratio.Ratio, r.Base, r.Low, r.High)
}
