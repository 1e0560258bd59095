package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sampan/bench"
	"sampan/bench/proc"
	"sampan/bench/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := record(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	cells, cores, programs string
	out, flashMQ, sampan   string
	quick, render, list    bool
	pace
}

func (s *settings) parse(words []string, to io.Writer) error {
	f := flag.NewFlagSet("record", flag.ContinueOnError)
	f.SetOutput(to)
	f.BoolVar(&s.quick, "quick", false, "fewer and shorter rounds: 12 minutes in all instead of an hour")
	f.StringVar(&s.cells, "cells", "", "loads to measure, by commas; the others stay as they are (--list names them)")
	f.StringVar(&s.cores, "cores", "1,2", "runs with 1 core, 2, or both")
	f.StringVar(&s.programs, "programs", "", "programs to measure beside Sampan, by commas; empty: all that there are")
	f.StringVar(&s.out, "out", "docs/benchmarks.md", "`FILE` of the page; the figures go to .json beside it")
	f.StringVar(&s.flashMQ, "flashmq", os.Getenv("FLASHMQ"), "`PATH` of FlashMQ's binary, if it is there; $FLASHMQ sets it too")
	f.StringVar(&s.sampan, "sampan", "", "`PATH` of a Sampan to measure instead of the one that is built here")
	f.BoolVar(&s.render, "render", false, "only make the page anew, from the figures that are there")
	f.BoolVar(&s.list, "list", false, "only list the loads and programs, and how long they take")
	f.IntVar(&s.rounds, "rounds", 0, "rounds on one core")
	f.IntVar(&s.rounds2, "rounds2", 0, "rounds on two cores")
	f.DurationVar(&s.warmup, "warmup", 0, "load before each measurement")
	f.DurationVar(&s.duration, "duration", 0, "length of each measurement")
	f.DurationVar(&s.timed, "timed", 0, "length of measurements of latency at a rate")
	if err := f.Parse(words); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q is no flag", f.Arg(0))
	}
	usual := whole
	if s.quick {
		usual = quick
	}
	s.pace = s.pace.or(usual)
	return nil
}

// or fills in what is zero.
func (p pace) or(usual pace) pace {
	if p.rounds <= 0 {
		p.rounds = usual.rounds
	}
	if p.rounds2 <= 0 {
		p.rounds2 = usual.rounds2
	}
	if p.warmup <= 0 {
		p.warmup = usual.warmup
	}
	if p.duration <= 0 {
		p.duration = usual.duration
	}
	if p.timed <= 0 {
		p.timed = max(usual.timed, p.duration)
	}
	return p
}

// step is a cell on some cores with those who take part.
type step struct {
	cell
	cores    int
	programs []program
	takes    time.Duration
}

// version is that of one of the step's programs.
func (s *step) version(program string) string {
	for _, p := range s.programs {
		if p.name == program {
			return p.version
		}
	}
	return ""
}

// plan lists what there is to do: one core first.
func (s *settings) plan(all []program) (steps []step, err error) {
	some, err := chosen(s.cells)
	if err != nil {
		return nil, err
	}
	if s.programs != "" {
		names := append(strings.Split(s.programs, ","), sampan)
		for _, name := range names {
			if !slices.ContainsFunc(all, func(p program) bool { return p.name == name }) {
				return nil, fmt.Errorf("no program %q here (--list names them)", name)
			}
		}
		all = slices.DeleteFunc(all, func(p program) bool { return !slices.Contains(names, p.name) })
	}
	for _, cores := range []int{1, 2} {
		if !slices.Contains(strings.Split(s.cores, ","), fmt.Sprint(cores)) {
			continue
		}
		for _, c := range some {
			if part := measured(&c, cores, all); slices.Contains(c.cores, cores) {
				steps = append(steps, step{c, cores, part, s.takes(&c, cores, len(part))})
			}
		}
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("nothing to measure with --cores %s", s.cores)
	}
	return steps, nil
}

// record does everything.
func record(ctx context.Context, words []string, to io.Writer) error {
	var s settings
	if err := s.parse(words, to); err != nil {
		return err
	}
	name := strings.TrimSuffix(s.out, filepath.Ext(s.out)) + ".json"
	f, err := readFigures(name)
	if err != nil {
		return err
	}
	if s.render {
		return s.publish(f)
	}
	w, err := open(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	programs, err := w.programs(ctx, s.flashMQ, s.sampan)
	if err != nil {
		return err
	}
	steps, err := s.plan(programs)
	if err != nil {
		return err
	}
	if s.list {
		describe(to, steps)
		return nil
	}
	machine := bench.ThisMachine()
	if f.Machine.Processor != machine.Processor || f.Machine.Processors != machine.Processors {
		f.Entries = nil // figures of another machine do not stand beside ours
	}
	machine.Realtime = false // each entry says it
	f.Machine = machine
	for _, name := range peers {
		if !slices.ContainsFunc(programs, func(p program) bool { return p.name == name }) {
			fmt.Fprintf(to, "without %s, which is not on this machine\n", name)
		}
	}
	fmt.Fprintln(to, "building")
	if err := w.build(ctx, s.sampan); err != nil {
		return err
	}
	err = s.measure(ctx, w, f, steps, name, to)
	return errors.Join(err, s.publish(f))
}

// publish writes the page.
func (s *settings) publish(f *figures) error {
	text, err := f.render()
	if err != nil {
		return err
	}
	return replace(s.out, []byte(text))
}

// measure takes the steps and writes the figures after each.
func (s *settings) measure(ctx context.Context, w *workshop, f *figures, steps []step, name string, to io.Writer) error {
	allowed, err := proc.Allowed()
	if err != nil && !errors.Is(err, proc.ErrUnsupported) {
		return err
	}
	progress := report.NewProgress(to)
	defer progress.Close()
	var left time.Duration
	for _, step := range steps {
		left += step.takes
	}
	began := time.Now()
	fmt.Fprintf(to, "%d loads, about %v\n", len(steps), left.Round(time.Minute))
	for i, step := range steps {
		on, err := share(allowed, step.cores)
		if err != nil {
			return err
		}
		var entries []entry
		if step.table == calls {
			entries, err = call(ctx, &step.cell, s.pace, on, w.built("sampan"))
		} else {
			entries, err = run(ctx, &step.cell, step.cores, s.pace, on, step.programs, progress.Tick)
		}
		progress.Close()
		if err != nil {
			return fmt.Errorf("%s on %s: %w", step.name, coresText(step.cores), err)
		}
		for i := range entries {
			entries[i].Version = step.version(entries[i].Program)
		}
		f.put(entries)
		if err := f.write(name); err != nil {
			return err
		}
		left -= step.takes
		fmt.Fprintf(to, "[%d/%d] %s, %s: %s; %v gone, about %v to go\n", i+1, len(steps), step.name, coresText(step.cores),
			outcome(&step.cell, entries), time.Since(began).Round(time.Second), left.Round(time.Second))
	}
	return nil
}

// outcome says in a line what a step gave.
func outcome(c *cell, entries []entry) string {
	var all []string
	for i := range entries {
		e := &entries[i]
		text := e.Program + " "
		switch s := e.of(c.metric); {
		case e.Trouble != "":
			text += "FAILED: " + e.Trouble
		case s.N == 0:
			text += "no figure"
		default:
			text += inUnit(c.metric, s.Median) + spread(e, c.metric)
		}
		if e.Bottleneck != "" {
			text += " (generator was the bottleneck)"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// inUnit writes a figure with its unit, where it has one.
func inUnit(metric string, v float64) string {
	switch {
	case strings.HasPrefix(metric, "latency_"):
		return micros(v)
	case metric == perIdle:
		return short(v) + " KB"
	}
	return short(v)
}

// describe lists the steps.
func describe(to io.Writer, steps []step) {
	var sum time.Duration
	for _, step := range steps {
		var names []string
		for _, p := range step.programs {
			names = append(names, p.name)
		}
		fmt.Fprintf(to, "%-20s %-9s %6v  %s\n", step.name, coresText(step.cores), step.takes.Round(time.Second), strings.Join(names, ", "))
		sum += step.takes
	}
	fmt.Fprintf(to, "%d loads, about %v\n", len(steps), sum.Round(time.Minute))
}
