package main

import (
	"context"
	"errors"
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

// benchRun is the flags of a measurement.
type benchRun struct {
	publishers, subscribers, clients, qos, payload, window, messages int
	unrelated, idle, earlier                                         int
	rate                                                             float64
	topic, filter                                                    string
	duration, warmup, cooldown                                       value.Duration
	lossAllowed                                                      float64

	repeats          int
	cpus, brokerCPUs string
	stall            value.Duration

	addr, command, name string
	pids                []int
	others              []bench.Target // of a comparison

	clientsOf benchClients
	own       ownBroker

	json                    bool
	html, csv, series, hgrm string
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
		f.IntVar(&r.unrelated, "unrelated", 0, "filters of others that match nothing")
		f.IntVar(&r.idle, "idle", 0, "clients that are connected and do nothing")
		f.IntVar(&r.earlier, "earlier", 0, "clients that subscribe to the same before, and go")
		f.StringVar(&r.topic, "topic", "", "topic, with {run}, {i}, {s}, {pk} and {dn} for the run, the publisher's and the subscriber's number, and the device's names")
		f.StringVar(&r.filter, "filter", "", "topic filter of the subscribers, in the same way")
		f.Var(&r.duration, "duration", "how long is measured")
		f.Var(&r.warmup, "warmup", "how long the load runs before that")
		f.Var(&r.cooldown, "cooldown", "how long the load goes on after that")
		f.Float64Var(&r.lossAllowed, "loss-allowed", 0, "share of QoS 0 messages that may be lost without an error, 0 to 1")
	})
	r.clientsOf.register(command)
	r.stall = value.Duration(5 * time.Second)
	cli.Section(command, "How it is measured", func(f *pflag.FlagSet) {
		f.IntVar(&r.repeats, "repeats", 0, "rounds; medians and spread are over them")
		f.StringVar(&r.cpus, "cpus", "", "processors of this process, such as 1 or 2,3 (Linux)")
		f.StringVar(&r.brokerCPUs, "broker-cpus", "", "processors of a broker that is started (Linux)")
		f.Var(&r.stall, "stall-timeout", "how long a broker that owes something may do nothing")
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
	cli.Section(command, "The broker; without --addr and --command, this Sampan", func(f *pflag.FlagSet) {
		f.StringVar(&r.addr, "addr", "", "where it listens: `HOST:PORT`, or a URL that names the channel too, such as mqtts://HOST:PORT or unix://PATH")
		f.IntSliceVar(&r.pids, "pid", nil, "its processes, for CPU and memory")
		f.StringVar(&r.command, "command", "", "start it with this `COMMAND` for each round; {addr}, {host} and {port} are filled in")
		f.StringVar(&r.name, "name", "", "what the result calls it")
	})
	r.own.register(command)
}

// with makes the configuration, measures, and shows what came of it.
func (r *benchRun) with(command *cobra.Command, name string, measure func(bench.Config) (*report.Report, error)) error {
	config, err := r.config(command, name)
	if err != nil {
		return err
	}
	defer r.own.remove()
	if err := r.target(command, &config); err != nil {
		return err
	}
	if err := r.clientsOf.use(command, &config); err != nil {
		return err
	}
	progress := report.NewProgress(command.ErrOrStderr())
	config.Progress = progress.Tick
	result, err := measure(config)
	progress.Close()
	if result == nil {
		return err
	}
	return r.show(command, result, err)
}

// config makes a scenario of its name and of the flags that were given.
func (r *benchRun) config(command *cobra.Command, name string) (bench.Config, error) {
	s, err := scenario.Find(name)
	if err != nil {
		return bench.Config{}, cli.Usagef(command, "%v; 'sampan bench list' names them", err)
	}
	given := command.Flags().Changed
	for _, n := range []struct {
		flag string
		to   *int
		v    int
	}{
		{"publishers", &s.Publishers, r.publishers}, {"subscribers", &s.Subscribers, r.subscribers}, {"clients", &s.Clients, r.clients},
		{"payload", &s.Payload, r.payload}, {"messages", &s.Messages, r.messages},
		{"unrelated", &s.Unrelated, r.unrelated}, {"idle", &s.IdleClients, r.idle}, {"earlier", &s.Earlier, r.earlier},
	} {
		if given(n.flag) {
			*n.to = n.v
		}
	}
	for _, d := range []struct {
		flag string
		to   *time.Duration
		v    value.Duration
	}{{"duration", &s.Duration, r.duration}, {"warmup", &s.Warmup, r.warmup}, {"cooldown", &s.Cooldown, r.cooldown}} {
		if given(d.flag) {
			*d.to = time.Duration(d.v)
		}
	}
	if r.topic != "" {
		s.Topic = r.topic
	}
	if r.filter != "" {
		s.Filter = r.filter
	}
	if given("qos") {
		if r.qos != 0 && r.qos != 1 {
			return bench.Config{}, cli.Usagef(command, "--qos %d: use 0 or 1", r.qos)
		}
		s.QoS = byte(r.qos)
	}
	switch {
	case given("repeats") && r.repeats < 1:
		return bench.Config{}, cli.Usagef(command, "--repeats %d: at least 1", r.repeats)
	case given("rate") && given("window"):
		return bench.Config{}, cli.Usagef(command, "use one of --rate and --window")
	case given("rate"):
		s.Rate, s.Window = r.rate, 0
	case given("window"):
		s.Rate, s.Window = 0, r.window
	}
	if changed := r.changed(command); changed != "" {
		s.About += "; here with" + changed
	}
	if err := s.Check(); err != nil {
		return bench.Config{}, cli.Usagef(command, "%v", err)
	}
	cpus, err := parseCPUs(r.cpus)
	if err != nil {
		return bench.Config{}, cli.Usagef(command, "--cpus %s: %v", r.cpus, err)
	}
	config := bench.Config{Scenario: s, Repeats: r.repeats, CPUs: cpus, LossAllowed: r.lossAllowed}
	config.Load.StallTime = time.Duration(r.stall)
	return config, nil
}

// changed are the flags that make the load another one than the scenario's.
func (r *benchRun) changed(command *cobra.Command) (flags string) {
	for _, name := range []string{
		"publishers", "subscribers", "clients", "qos", "payload", "rate", "window", "messages", "unrelated", "idle", "earlier", "topic", "filter",
	} {
		if f := command.Flags().Lookup(name); f.Changed {
			flags += " --" + name + " " + f.Value.String()
		}
	}
	return flags
}

// target says which broker is measured.
func (r *benchRun) target(command *cobra.Command, config *bench.Config) error {
	cpus, err := parseCPUs(r.brokerCPUs)
	if err != nil {
		return cli.Usagef(command, "--broker-cpus %s: %v", r.brokerCPUs, err)
	}
	t := &config.Target
	switch {
	case len(r.others) > 0:
		for i := range r.others {
			o := &r.others[i]
			if o.CPUs = cpus; o.Addr != "" {
				if o.Addr, err = r.clientsOf.at(command, o.Addr); err != nil {
					return err
				}
			}
		}
		return nil
	case r.addr != "" && r.command != "":
		return cli.Usagef(command, "use one of --addr and --command")
	case r.command != "":
		*t = bench.Target{Name: r.name, Command: strings.Fields(r.command)}
	case r.addr != "":
		addr, err := r.clientsOf.at(command, r.addr)
		if err != nil {
			return err
		}
		*t = bench.Target{Name: r.name, Addr: addr, PIDs: r.pids}
	default:
		if err := r.own.prepare(command, config, &r.clientsOf); err != nil {
			return err
		}
		if t.Name = r.name; t.Name == "" {
			t.Name = "sampan"
		}
	}
	t.CPUs = cpus
	return nil
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
	if errors.Is(failure, context.Canceled) {
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
