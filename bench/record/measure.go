package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"sampan/bench"
	"sampan/bench/report"
)

// processors says who runs where.
type processors struct {
	broker, generator []int
	shared            bool // some are both's
}

// share divides the processors that this process may use, for a broker on 1 or 2 cores. The broker gets the
// last ones, as the first one often serves interrupts. Without any that are known nothing is bound.
func share(allowed []int, cores int) (p processors, err error) {
	n := len(allowed)
	switch {
	case n == 0:
		return p, nil
	case n < 2:
		return p, errors.New("a comparison needs two processors: one for the broker, one for the generator")
	case n > cores:
		return processors{broker: allowed[n-cores:], generator: allowed[:n-cores]}, nil
	}
	return processors{broker: allowed, generator: allowed, shared: true}, nil
}

// measured are the programs that take part in a cell on some cores.
func measured(c *cell, cores int, all []program) (some []program) {
	for _, p := range all {
		switch {
		case c.only != "" && p.name != c.only:
		case p.ceiling() && (cores > 1 || !slices.Contains(c.ceilings, p.name)):
		default:
			some = append(some, p)
		}
	}
	return some
}

// run measures a cell and returns an entry for each program. The error is that of ctx, or about this machine;
// what a program does wrong is in its entry.
func run(ctx context.Context, c *cell, cores int, p pace, on processors, programs []program, progress func(bench.Tick)) ([]entry, error) {
	config, err := p.config(c, cores)
	if err != nil {
		return nil, err
	}
	config.CPUs, config.Progress = on.generator, progress
	config.Load.ConnectTime, config.Load.StallTime = patience, patience/3
	var targets []bench.Target
	for _, program := range programs {
		targets = append(targets, bench.Target{Name: program.name, Command: program.command(cores), CPUs: on.broker})
	}
	var results []*bench.Result
	if len(targets) == 1 {
		var r *bench.Result
		if r, err = bench.Run(ctx, withTarget(config, targets[0])); r != nil {
			results = append(results, r)
		}
	} else {
		var comparison *bench.Comparison
		comparison, err = bench.Compare(ctx, config, targets...)
		if comparison != nil {
			results = comparison.Results
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	switch {
	case len(results) > 0:
	case len(targets) == 1 && err != nil:
		return []entry{failed(c, cores, programs[0].name, err.Error())}, nil
	default:
		return nil, err
	}
	var entries []entry
	for i, r := range results {
		entries = append(entries, entryOf(c, cores, programs[i].name, on.shared, r))
	}
	return entries, nil
}

// patience is how long a client may take to connect and to subscribe to 1,000 filters: some brokers need seconds.
const patience = 30 * time.Second

func withTarget(c bench.Config, t bench.Target) bench.Config {
	c.Target = t
	return c
}

// call measures calls of devices by the binary itself, which knows how devices sign and how servers call.
func call(ctx context.Context, c *cell, p pace, on processors, binary string) ([]entry, error) {
	words := []string{"bench", c.name, "--json", "--repeats", strconv.Itoa(p.rounds),
		"--warmup", max(p.warmup, callWarmup).String(), "--duration", p.timed.String()}
	if len(on.broker) > 0 {
		words = append(words, "--cpus", list(on.generator), "--broker-cpus", list(on.broker))
	}
	var out, told bytes.Buffer
	command := exec.CommandContext(ctx, binary, words...)
	command.Stdout, command.Stderr = &out, &told
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	failure := command.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r, err := report.ReadJSON(&out)
	if err != nil || len(r.Results) != 1 {
		return []entry{failed(c, 1, sampan, cmp.Or(lastLine(told.String()), fmt.Sprint(failure)))}, nil
	}
	return []entry{entryOf(c, 1, sampan, on.shared, r.Results[0])}, nil
}

// callWarmup is the shortest warm-up of calls: a thousand callers connect in it.
const callWarmup = time.Second

func list(cpus []int) string {
	var words []string
	for _, cpu := range cpus {
		words = append(words, strconv.Itoa(cpu))
	}
	return strings.Join(words, ",")
}

// lastLine is the end of what a program has said.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
