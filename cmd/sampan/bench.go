package main

import (
	"fmt"
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
		Long: `Measure a broker at an address, or one that is started for each round; without both, this Sampan. SCENARIO
is a kind of load, a preset of the Open MQTT Benchmark Suite, or a cell of the comparison in
docs/benchmarks.md; 'sampan bench list' names them all.

A load with --rate is open: messages are due at fixed times, whatever the broker does, and latency counts
from when a message was due. With --window it is closed: so many messages are under way, and the next are
sent when they have arrived. Every message is checked: lost, doubled, reordered or corrupted ones are
counted, and a loss at QoS 1 is an error. A run in which the generator was the bottleneck says so.

Given the broker's processes (--pid, or --command), the figures are also per second of its CPU. Clients may
be the platform's devices (--devices); rrpc calls them as a server does, over HTTP, if there is an --api.`,
		Example: `sampan bench fanout-100
sampan bench rrpc-100
sampan bench fanout --addr 127.0.0.1:1883 --subscribers 100 --window 200
sampan bench pairs --addr 127.0.0.1:1883 --pid 4711 --rate 10000 --duration 10s --html pairs.html
sampan bench fanout --command 'mosquitto -p {port}' --repeats 5 --json
sampan bench idle --addr 127.0.0.1:8883 --channel mqtts --ca ca.pem --clients 50000 --source 127.0.0.1,127.0.0.2`,
		Args: cli.Args("SCENARIO"),
		RunE: func(command *cobra.Command, args []string) error {
			return run.with(command, args[0], func(config bench.Config) (*report.Report, error) {
				result, err := bench.Run(command.Context(), config)
				if result == nil {
					return nil, err
				}
				return &report.Report{Schema: result.Schema, Results: []*bench.Result{result}}, err
			})
		},
	}
	run.register(command)
	run.registerTarget(command)
	command.AddCommand(benchCompareCommand(), benchSearchCommand(), benchListCommand())
	return command
}

func benchSearchCommand() *cobra.Command {
	var run benchRun
	bound := value.Duration(10 * time.Millisecond)
	var from, most, precision float64
	command := &cobra.Command{
		Use:   "search SCENARIO",
		Short: "find the highest rate with a bound on latency",
		Long: `Find the highest rate at which 99 of 100 messages arrive in time and none is lost: the rate is doubled
until a step is bad, then the distance is halved. A step in which the generator was the bottleneck ends the
search: the broker can do more.`,
		Example: `sampan bench search pairs --addr 127.0.0.1:1883 --p99 5ms --from 1000
sampan bench search fanout --command 'mosquitto -p {port}' --duration 3s --html search.html`,
		Args: cli.Args("SCENARIO"),
		RunE: func(command *cobra.Command, args []string) error {
			return run.with(command, args[0], func(config bench.Config) (*report.Report, error) {
				switch {
				case from < 0:
					return nil, cli.Usagef(command, "--from %v: cannot be negative", from)
				case most < 0:
					return nil, cli.Usagef(command, "--most %v: cannot be negative", most)
				case !(precision > 0 && precision < 1):
					return nil, cli.Usagef(command, "--precision %v: more than 0 and less than 1", precision)
				}
				if from == 0 && config.Scenario.Rate == 0 {
					return nil, cli.Usagef(command, "scenario %s has no rate to begin with; use --from", args[0])
				}
				b := bench.Bound{P99: time.Duration(bound), From: from, Most: most, Precision: precision}
				highest, err := bench.Search(command.Context(), config, b)
				if highest == nil {
					return nil, err
				}
				return &report.Report{Schema: highest.Schema, Searches: []*bench.Highest{highest}}, err
			})
		},
	}
	cli.Section(command, "The search", func(f *pflag.FlagSet) {
		f.Var(&bound, "p99", "what the 99th percentile of the latency may be at most")
		f.Float64Var(&from, "from", 0, "rate to begin with; 0: the scenario's own")
		f.Float64Var(&most, "most", 0, "highest rate to try; 0: no bound")
		f.Float64Var(&precision, "precision", 0.05, "how close the result is, as a share")
	})
	run.register(command)
	run.registerTarget(command)
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
			var targets []bench.Target
			for _, arg := range args[1:] {
				target, err := parseTarget(arg)
				if err != nil {
					return cli.Usagef(command, "%v", err)
				}
				targets = append(targets, target)
			}
			run.others = targets
			return run.with(command, args[0], func(config bench.Config) (*report.Report, error) {
				comparison, err := bench.Compare(command.Context(), config, run.others...)
				if comparison == nil {
					return nil, err
				}
				return report.Of(comparison), err
			})
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
