package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/bench"
	"sampan/bench/report"
	"sampan/bench/scenario"
	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/value"
)

func benchCommand() *cobra.Command {
	var run benchRun
	command := &cobra.Command{
		Use:   "bench SCENARIO",
		Short: "measure a broker, any broker",
		Long: `Measure a broker at an address, or one that is started for each round. SCENARIO is a kind of load, a
preset of the Open MQTT Benchmark Suite, or a cell of the fan-out table; 'sampan bench list' names them all.

A load with --rate is open: messages are due at fixed times, whatever the broker does, and latency counts
from when a message was due. With --window it is closed: so many messages are under way, and the next are
sent when they have arrived. Every message is checked: lost, doubled, reordered or corrupted ones are
counted, and a loss at QoS 1 is an error. A run in which the generator was the bottleneck says so.

Given the broker's processes (--pid, or --command), the figures are also per second of its CPU.`,
		Example: `sampan bench fanout --addr 127.0.0.1:1883 --subscribers 100 --window 200
sampan bench pairs --addr 127.0.0.1:1883 --pid 4711 --rate 10000 --duration 10s --html pairs.html
sampan bench fanout --command 'mosquitto -p {port}' --repeats 5 --json`,
		Args: cli.Args("SCENARIO"),
		RunE: func(command *cobra.Command, args []string) error {
			config, err := run.config(command, args[0])
			if err != nil {
				return err
			}
			if config.Target, err = run.target(command); err != nil {
				return err
			}
			result, err := bench.Run(command.Context(), config)
			if result == nil {
				return err
			}
			return run.show(command, &report.Report{Schema: result.Schema, Results: []*bench.Result{result}}, err)
		},
	}
	run.register(command)
	run.registerTarget(command)
	command.AddCommand(benchCompareCommand(), benchListCommand())
	return command
}

func benchCompareCommand() *cobra.Command {
	var run benchRun
	command := &cobra.Command{
		Use:   "compare SCENARIO BROKER BROKER...",
		Short: "measure brokers in turn, and say by how much they differ",
		Long: `Measure two or more brokers with one scenario, in turn, several times, so that what disturbs the machine
disturbs all of them. A BROKER is NAME=ADDRESS, NAME=ADDRESS,PID or NAME=COMMAND with {port} in it, which is
started for each round.`,
		Example: `sampan bench compare fanout sampan='sampan serve --profile open --durability memory --listen mqtt://{addr}' mosquitto='mosquitto -p {port}'
sampan bench compare pairs a=127.0.0.1:1883,4711 b=127.0.0.1:1884,4712 --rate 10000`,
		Args: func(command *cobra.Command, args []string) error {
			if len(args) < 3 {
				return cli.Usagef(command, "name a scenario and at least two brokers")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			config, err := run.config(command, args[0])
			if err != nil {
				return err
			}
			var targets []bench.Target
			for _, arg := range args[1:] {
				target, err := parseTarget(arg)
				if err != nil {
					return cli.Usagef(command, "%v", err)
				}
				targets = append(targets, target)
			}
			comparison, err := bench.Compare(command.Context(), config, targets...)
			if comparison == nil {
				return err
			}
			return run.show(command, report.Of(comparison), err)
		},
	}
	run.register(command)
	return command
}

func benchListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "list the scenarios",
		Example: "sampan bench list",
		Args:    cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			var rows [][]string
			for _, name := range scenario.Names() {
				s, err := scenario.Find(name)
				if err != nil {
					return err
				}
				rows = append(rows, []string{name, s.About})
			}
			cli.Table(command.OutOrStdout(), []string{"SCENARIO", "WHAT IT DOES"}, rows)
			return nil
		},
	}
}

// benchRun is the flags of a measurement.
type benchRun struct {
	publishers, subscribers, clients, qos, payload, window, messages int
	rate                                                             float64
	duration, warmup                                                 value.Duration
	repeats                                                          int
	cpus, addr, command, name                                        string
	pids                                                             []int
	json                                                             bool
	html, csv, series, hgrm                                          string
	lossAllowed                                                      float64
}

func (r *benchRun) register(command *cobra.Command) {
	cli.Section(command, "The load; what is not given is the scenario's own", func(f *pflag.FlagSet) {
		f.IntVar(&r.publishers, "publishers", 0, "clients that publish")
		f.IntVar(&r.subscribers, "subscribers", 0, "clients that subscribe, or pairs")
		f.IntVar(&r.clients, "clients", 0, "clients that connect, or devices that are called")
		f.IntVar(&r.qos, "qos", 0, "0 or 1")
		f.IntVar(&r.payload, "payload", 0, "bytes of a message, at least 16")
		f.Float64Var(&r.rate, "rate", 0, "messages, or connections, a second in all: an open load")
		f.IntVar(&r.window, "window", 0, "messages of each publisher under way: a closed load")
		f.IntVar(&r.messages, "messages", 0, "messages queued for each client of offline")
		f.Var(&r.duration, "duration", "how long is measured")
		f.Var(&r.warmup, "warmup", "how long the load runs before that")
		f.Float64Var(&r.lossAllowed, "loss-allowed", 0, "share of QoS 0 messages that may be lost without an error, 0 to 1")
	})
	cli.Section(command, "How it is measured", func(f *pflag.FlagSet) {
		f.IntVar(&r.repeats, "repeats", 0, "rounds; medians and spread are over them")
		f.StringVar(&r.cpus, "cpus", "", "processors of this process, such as 1 or 2,3 (Linux)")
	})
	cli.Section(command, "The result", func(f *pflag.FlagSet) {
		f.BoolVar(&r.json, "json", false, "print the result as JSON")
		f.StringVar(&r.html, "html", "", "write a page with plots to `FILE`")
		f.StringVar(&r.csv, "csv", "", "write the figures to `FILE`")
		f.StringVar(&r.series, "series", "", "write the course of the run to `FILE`, as CSV")
		f.StringVar(&r.hgrm, "hgrm", "", "write histograms of latency into `DIR`")
	})
}

func (r *benchRun) registerTarget(command *cobra.Command) {
	cli.Section(command, "The broker", func(f *pflag.FlagSet) {
		f.StringVar(&r.addr, "addr", "", "where it listens, `HOST:PORT`")
		f.IntSliceVar(&r.pids, "pid", nil, "its processes, for CPU and memory")
		f.StringVar(&r.command, "command", "", "start it with this `COMMAND` for each round; {addr}, {host} and {port} are filled in")
		f.StringVar(&r.name, "name", "", "what the result calls it")
	})
}

// config makes a scenario of its name and of the flags that were given.
func (r *benchRun) config(command *cobra.Command, name string) (bench.Config, error) {
	s, err := scenario.Find(name)
	if err != nil {
		return bench.Config{}, cli.Usagef(command, "%v; 'sampan bench list' names them", err)
	}
	given := command.Flags().Changed
	set := func(flag string, to *int, v int) {
		if given(flag) {
			*to = v
		}
	}
	set("publishers", &s.Publishers, r.publishers)
	set("subscribers", &s.Subscribers, r.subscribers)
	set("clients", &s.Clients, r.clients)
	set("payload", &s.Payload, r.payload)
	set("messages", &s.Messages, r.messages)
	if given("qos") {
		if r.qos != 0 && r.qos != 1 {
			return bench.Config{}, cli.Usagef(command, "--qos %d: use 0 or 1", r.qos)
		}
		s.QoS = byte(r.qos)
	}
	switch {
	case given("rate") && given("window"):
		return bench.Config{}, cli.Usagef(command, "use one of --rate and --window")
	case given("rate"):
		s.Rate, s.Window = r.rate, 0
	case given("window"):
		s.Rate, s.Window = 0, r.window
	}
	if given("duration") {
		s.Duration = time.Duration(r.duration)
	}
	if given("warmup") {
		s.Warmup = time.Duration(r.warmup)
	}
	if err := s.Check(); err != nil {
		return bench.Config{}, cli.Usagef(command, "%v", err)
	}
	cpus, err := parseCPUs(r.cpus)
	if err != nil {
		return bench.Config{}, cli.Usagef(command, "--cpus %s: %v", r.cpus, err)
	}
	progress := report.NewProgress(command.ErrOrStderr())
	return bench.Config{
		Scenario: s, Repeats: r.repeats, CPUs: cpus, LossAllowed: r.lossAllowed, Progress: progress.Tick,
	}, nil
}

func (r *benchRun) target(command *cobra.Command) (bench.Target, error) {
	switch {
	case (r.addr == "") == (r.command == ""):
		return bench.Target{}, cli.Usagef(command, "use one of --addr and --command")
	case r.command != "":
		return bench.Target{Name: r.name, Command: strings.Fields(r.command)}, nil
	}
	return bench.Target{Name: r.name, Addr: r.addr, PIDs: r.pids}, nil
}

// parseTarget reads NAME=ADDRESS, NAME=ADDRESS,PID or NAME=COMMAND.
func parseTarget(s string) (bench.Target, error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || name == "" || rest == "" {
		return bench.Target{}, fmt.Errorf("broker %q: write NAME=ADDRESS or NAME=COMMAND", s)
	}
	if strings.ContainsAny(rest, " {") {
		return bench.Target{Name: name, Command: strings.Fields(rest)}, nil
	}
	addr, pid, ok := strings.Cut(rest, ",")
	t := bench.Target{Name: name, Addr: addr}
	if ok {
		n, err := strconv.Atoi(pid)
		if err != nil {
			return bench.Target{}, fmt.Errorf("broker %q: process %q is not a number", s, pid)
		}
		t.PIDs = []int{n}
	}
	return t, nil
}

func parseCPUs(s string) (cpus []int, err error) {
	if s == "" {
		return nil, nil
	}
	for _, item := range strings.Split(s, ",") {
		n, err := strconv.Atoi(item)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is not the number of a processor", item)
		}
		cpus = append(cpus, n)
	}
	return cpus, nil
}

// show prints the report and writes the files that were asked for. failure is the error of the measurement.
func (r *benchRun) show(command *cobra.Command, result *report.Report, failure error) error {
	out := command.OutOrStdout()
	print := result.WriteTable
	if r.json {
		print = result.WriteJSON
	}
	if err := print(out); err != nil {
		return err
	}
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{{r.html, result.WriteHTML}, {r.csv, result.WriteCSV}, {r.series, result.WriteSeriesCSV}} {
		if file.name == "" {
			continue
		}
		if err := writeFile(file.name, file.write); err != nil {
			return err
		}
	}
	if r.hgrm != "" {
		if err := os.MkdirAll(r.hgrm, 0o755); err != nil {
			return err
		}
		if _, err := result.WriteHgrm(filepath.Clean(r.hgrm)); err != nil {
			return err
		}
	}
	if failure == context.Canceled {
		return cli.ErrReported
	}
	return failure
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
