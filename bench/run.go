package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"sampan/bench/fault"
	"sampan/bench/proc"
)

// Run measures a scenario, as often as the configuration says. The result is
// nil only if nothing could be measured. The error tells what the broker did
// wrong (ask it with errors.Is for a [fault.Kind]), what is wrong with the
// configuration, or that ctx ended the run; a Bottleneck is no error. A round
// that ctx ended has a note, and figures only if it is the only one.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	unpin, err := pin(&cfg, &cfg.Target)
	if err != nil {
		return nil, err
	}
	defer unpin()
	r := newResult(&cfg)
	rounds := max(cfg.Repeats, 1)
	for n := range rounds {
		m, err := measure(ctx, &cfg, n+1, rounds)
		if ctx.Err() != nil && n > 0 && m.Err == "" {
			m.Err = errInterrupted.Error()
		}
		if err == nil || len(m.Phases)+len(m.Faults) > 0 {
			r.add(m)
		}
		if err != nil && len(r.Rounds) == 0 {
			return nil, err
		}
		if err != nil {
			return r.end(), errors.Join(r.error(&cfg), err)
		}
		if m.Err != "" {
			break // it would only be broken again
		}
	}
	return r.end(), r.error(&cfg)
}

// pin takes this process to its processors and returns what undoes that.
// Targets that are started do not inherit them.
func pin(cfg *Config, targets ...*Target) (undo func(), err error) {
	if len(cfg.CPUs) > 0 {
		before, err := proc.Allowed()
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		for _, t := range targets {
			if len(t.Command) > 0 && len(t.CPUs) == 0 {
				t.CPUs = before
			}
		}
	}
	unpin, err := proc.Pin(cfg.CPUs)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if cfg.Call == nil && cfg.Load.Publish == nil {
		return unpin, nil
	}
	// A lane keeps the Go scheduler's turn while it waits for its
	// connections: those who call must not wait with it.
	procs := runtime.GOMAXPROCS(0)
	if cfg.Load.Lanes <= 0 {
		cfg.Load.Lanes = procs
	}
	runtime.GOMAXPROCS(max(procs, cfg.Load.Lanes) + 1)
	return func() {
		runtime.GOMAXPROCS(procs)
		unpin()
	}, nil
}

// newResult begins the result of a configuration.
func newResult(cfg *Config) *Result {
	return &Result{
		Schema: Schema, Target: cfg.Target.name(), Scenario: cfg.Scenario,
		Machine: ThisMachine(), Began: time.Now().UTC(),
	}
}

func (r *Result) add(m Measurement) { r.Rounds = append(r.Rounds, m) }

// end completes the result.
func (r *Result) end() *Result {
	r.summarise()
	var all [][]*fault.Fault
	for i := range r.Rounds {
		all = append(all, r.Rounds[i].Faults)
	}
	r.Faults = fault.Merge(all...)
	return r
}

// error is what was wrong in all rounds, nil if nothing.
func (r *Result) error(cfg *Config) error {
	var all [][]*fault.Fault
	for i := range r.Rounds {
		all = append(all, r.Rounds[i].counted(&r.Scenario, cfg.LossAllowed))
	}
	if err := fault.Join(fault.Merge(all...)); err != nil {
		return fmt.Errorf("bench: %s with %s: %w", r.Scenario.Name, r.Target, err)
	}
	return nil
}

// Bottleneck says why the figures of a round are not the broker's, the first
// there is; empty if all are.
func (r *Result) Bottleneck() string {
	for i := range r.Rounds {
		if b := r.Rounds[i].Bottleneck; b != "" {
			return b
		}
	}
	return ""
}
