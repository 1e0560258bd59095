package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"sampan/bench/fault"
	"sampan/bench/scenario"
)

// Bound is what Search looks for.
type Bound struct {
	// P99 is what the 99th percentile of the latency may be at most: that of
	// messages, in Connect of the CONNACK and in Churn of the whole cycle.
	P99 time.Duration
	// From is the rate of the first step. 0: that of the scenario.
	From float64
	// Most is a rate beyond which Search does not go. 0: 100 million.
	Most float64
	// Precision ends the search when the highest good rate and the lowest bad
	// one are that close, as a share. 0: 0.05.
	Precision float64
}

// Highest is the highest rate at which a bound holds.
type Highest struct {
	Schema int     `json:"schema"`
	Target string  `json:"target"`
	P99    float64 `json:"p99_bound_us"`
	// Bounded names the figures that P99 is about, without "_p99": "latency",
	// "connect" or "cycle".
	Bounded string `json:"bounded"`
	// Rate is the highest good rate, 0 if none was; messages (or connections)
	// a second.
	Rate float64 `json:"rate_per_second"`
	// Limit says what held the next rate up: "latency", "loss", "backlog",
	// "fault", "generator" or "most"; or that there was none: "interrupted".
	Limit string `json:"limit"`
	// Steps are all rates that were tried, in order.
	Steps []Step `json:"steps"`
}

// Step is one rate of a search.
type Step struct {
	Rate   float64 `json:"rate_per_second"`
	Good   bool    `json:"good"`
	Limit  string  `json:"limit,omitempty"` // why it is not
	Result *Result `json:"result"`

	err error // of Result
}

const (
	defaultPrecision = 0.05
	mostRate         = 100e6
	// stepUp is the factor from one rate to the next until one is bad.
	stepUp = 2
	// unjudgedAllowed is after how many steps in which the generator was the
	// bottleneck the search ends if none was good: the machine has other work.
	unjudgedAllowed = 4
	limitGenerator  = "generator"
	// limitInterrupted is the Limit of a search that was not carried to its end.
	limitInterrupted = "interrupted"
	// backlogAllowed is the share of a step's messages that may be waiting in
	// the generator at its end because the broker takes no more.
	backlogAllowed = 0.01
)

// Search finds the highest rate at which cfg.Scenario, as an open load, keeps
// a bound on its latency and loses no more than cfg.LossAllowed: it doubles the rate until a step is
// bad, or halves it until one is good, and then halves the distance. A step
// in which the generator was the bottleneck ends the search upwards: Limit
// then is "generator", and the broker can do more than Rate. The error is that
// of ctx, about the configuration, or that of a broker with which no step has
// sent or connected anything, whatever the rate; a broker that does wrong beyond
// its limit is no error here, it is in the step.
func Search(ctx context.Context, cfg Config, b Bound) (*Highest, error) {
	switch {
	case b.P99 <= 0:
		return nil, errors.New("bench: a search needs a bound on the latency")
	case b.From < 0 || b.Most < 0 || b.Precision < 0:
		return nil, errors.New("bench: a search has no negative rates")
	case bounded(cfg.Scenario.Kind) == "":
		return nil, fmt.Errorf("bench: scenario %s has no latency that a rate has to do with; nothing to search for", cfg.Scenario.Name)
	}
	if b.From == 0 {
		b.From = cfg.Scenario.Rate
	}
	if b.Most == 0 {
		b.Most = mostRate
	}
	if b.Precision == 0 {
		b.Precision = defaultPrecision
	}
	if b.From == 0 {
		return nil, errors.New("bench: a search needs a rate to begin with")
	}
	h := &Highest{Schema: Schema, Target: cfg.Target.name(), P99: microseconds(b.P99), Bounded: bounded(cfg.Scenario.Kind)}
	good, bad := 0.0, math.Inf(1)
	unjudged := 0 // steps, one after the other, of which only the generator is known
	for rate := min(b.From, b.Most); ; {
		step, err := h.try(ctx, cfg, rate, b.P99)
		if err != nil {
			h.Limit = limitInterrupted
			return h, err
		}
		if step.Good {
			good = rate
		} else {
			bad, h.Limit = rate, step.Limit
		}
		if unjudged++; h.Limit != limitGenerator {
			unjudged = 0
		}
		h.Rate = good
		if last := &h.Steps[len(h.Steps)-1]; last.err != nil && good == 0 && last.Limit != limitGenerator && !last.Result.begun() {
			return h, last.err
		}
		switch {
		case good == 0 && unjudged == unjudgedAllowed:
			return h, nil // it is not the rate that makes the generator late
		case good >= b.Most:
			h.Limit = "most"
			return h, nil
		case math.IsInf(bad, 1):
			rate = min(rate*stepUp, b.Most)
		case bad < 1:
			return h, nil // not even one a second
		case good == 0:
			rate = bad / stepUp
		case bad-good <= b.Precision*bad:
			return h, nil
		default:
			rate = (good + bad) / 2
		}
	}
}

// bounded names the latency of which a search has the p99 bounded: of that for
// which the scenario has a rate. Empty: there is none.
func bounded(kind scenario.Kind) string {
	switch kind {
	case scenario.Connect:
		return "connect"
	case scenario.Churn:
		return "cycle" // its messages are sent when all is ready for them
	case scenario.Idle, scenario.Offline:
		return ""
	}
	return "latency"
}

// try measures one rate.
func (h *Highest) try(ctx context.Context, cfg Config, rate float64, bound time.Duration) (Step, error) {
	cfg.Scenario.Rate = rate
	cfg.Scenario.Name = fmt.Sprintf("%s at %.0f/s", cfg.Scenario.Name, rate)
	result, err := Run(ctx, cfg)
	if result == nil || ctx.Err() != nil {
		return Step{}, err
	}
	s := Step{Rate: rate, Result: result, Limit: result.limit(bound, err), err: err}
	s.Good = s.Limit == ""
	h.Steps = append(h.Steps, s)
	return s, nil
}

// begun reports whether any round has come so far that its rate mattered.
func (r *Result) begun() bool {
	return slices.ContainsFunc(r.Rounds, func(m Measurement) bool { return m.Counters.Sent+m.Counters.Cycles > 0 })
}

// limit tells why a step is bad; empty if it is good.
func (r *Result) limit(bound time.Duration, err error) string {
	switch {
	case errors.Is(err, fault.Exhausted):
		return limitGenerator
	case errors.Is(err, fault.Lost):
		return "loss"
	case err != nil:
		return "fault"
	}
	p99, ok := r.Figure(bounded(r.Scenario.Kind) + "_p99")
	for i := range r.Rounds {
		if p := r.Rounds[i].Main(); p != nil && float64(p.Counters.Backlog) > backlogAllowed*float64(p.Counters.Sent) {
			return "backlog"
		}
	}
	switch {
	case r.Bottleneck() != "":
		return limitGenerator
	case !ok || p99.Median > microseconds(bound):
		return "latency"
	}
	return ""
}
