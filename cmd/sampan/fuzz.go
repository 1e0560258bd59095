package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/address"
	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/dial"
	"sampan/cmd/internal/value"
	"sampan/fuzz/model"
	"sampan/fuzz/network"
	"sampan/fuzz/script"
)

// fuzzing is what `sampan fuzz` is told.
type fuzzing struct {
	url, other         address.Target
	profile            value.Word
	duration, patience value.Duration
	scripts            int
	seed               uint64
	username, password string
	insecure, quiet    bool
	slow               bool
	restart            string
	replay, save       string
	output             cli.Output
}

var (
	errDeviates      = errors.New("the broker deviates from the standard")
	errOtherDeviates = errors.New("the second broker deviates from the standard")
)

func fuzzCommand() *cobra.Command {
	o := &fuzzing{
		url:      address.Target{URL: address.URL{Scheme: address.MQTT, Host: "127.0.0.1", Port: 1883}},
		profile:  value.OneOf("standard", "open"),
		duration: value.Duration(time.Minute), patience: value.Duration(2 * time.Second),
	}
	command := &cobra.Command{
		Use:   "fuzz",
		Short: "look for the bugs of a broker, over the network",
		Long: `Carry out random conversations of several clients with a broker, any broker, and compare
each answer with a model of the standard. The clients share topics and client identifiers,
take each other over, disconnect, break exchanges of QoS 2 off halfway, and send packets
that nobody may send. Two more clients, the canaries, notice when the broker crashes, hangs
or loses messages, also while a third is sent more than it reads.

Each deviation is reported with the statement of MQTT 3.1.1 that it breaks, the packet, and
the shortest script that shows it, which --replay carries out again. The profile says what
the broker does on purpose: 'standard' is a general broker with QoS 2, Will and retained
messages; 'open' is 'sampan serve --profile open'.

The exit status is 0 only if no deviation was found, on the second broker either. Scripts
share the clients alice, bob and carol, so that a broker can have one campaign at a time. It
should hold nothing of value: these sessions and some retained messages are removed, those
that were there before too.`,
		Example: `sampan fuzz --url mqtt://127.0.0.1:1883 --duration 10m
# a broker of ours, and the scripts of what was found as files
sampan fuzz --profile open --save findings
# keep-alives, and restarts that sessions must survive
sampan fuzz --slow --restart 'systemctl restart mosquitto' --duration 1h
# what do two brokers answer differently?
sampan fuzz --url mqtt://127.0.0.1:1883 --against mqtt://127.0.0.1:1884 --json
sampan fuzz --replay findings/mqtt-3.3.1-2-connection-still-open.script`,
		Args: cli.Args(),
		RunE: o.run,
	}
	cli.Section(command, "The broker", func(f *pflag.FlagSet) {
		f.Var(&o.url, "url", "`URL` of the broker: mqtt://, mqtts://, ws://, wss:// or unix://")
		f.Var(&o.other, "against", "`URL` of a second broker, whose answers are compared with the first one's")
		f.Lookup("against").DefValue = "" // there is none
		f.Var(&o.profile, "profile", "what the broker does on purpose")
		f.StringVar(&o.username, "username", "", "user name for every CONNECT")
		f.StringVar(&o.password, "password", "", "password for every CONNECT")
		f.BoolVar(&o.insecure, "insecure", false, "accept any certificate")
	})
	cli.Section(command, "The search", func(f *pflag.FlagSet) {
		f.Var(&o.duration, "duration", "how long to look")
		f.IntVar(&o.scripts, "scripts", 0, "how many scripts at most; 0: as many as there is time for")
		f.Uint64Var(&o.seed, "seed", 0, "the same seed makes the same scripts; 0: chosen, and printed")
		f.BoolVar(&o.slow, "slow", false, "let scripts wait for a second or two, so that keep-alives run out")
		f.StringVar(&o.restart, "restart", "", "let scripts restart the broker with this shell `COMMAND`, which its sessions must survive")
		f.Var(&o.patience, "patience", "how long an answer may take before it counts as missing")
		f.StringVar(&o.replay, "replay", "", "carry out the script in this `FILE` instead")
		f.StringVar(&o.save, "save", "", "write the script of each deviation into this `DIR`")
		f.BoolVar(&o.quiet, "quiet", false, "show no progress")
	})
	o.output.Register(command)
	return command
}

func (o *fuzzing) check(command *cobra.Command) error {
	switch {
	case o.scripts < 0:
		return cli.Usagef(command, "--scripts %d: cannot be negative", o.scripts)
	case o.duration == 0:
		return cli.Usagef(command, "--duration must be more than 0: nothing would be looked for")
	case o.patience == 0:
		return cli.Usagef(command, "--patience must be more than 0")
	case o.replay != "" && command.Flags().Changed("against"):
		return cli.Usagef(command, "--replay goes to one broker: leave --against out, and replay on each with --url")
	case o.replay != "" && o.save != "":
		return cli.Usagef(command, "--replay has its script in a file: leave --save out")
	case o.password != "" && o.username == "":
		return cli.Usagef(command, "--password without --username: give both")
	}
	return nil
}

// replaying lists the options that a saved script is replayed with, beside --url. The password is left to the user.
func (o *fuzzing) replaying() string {
	text := " --profile " + o.profile.String() + " --patience " + time.Duration(o.patience).String()
	if o.restart != "" {
		text += " --restart '" + strings.ReplaceAll(strings.ReplaceAll(o.restart, "'", `'\''`), "\n", " ") + "'"
	}
	if o.username != "" {
		text += " --username ... --password ..."
	}
	return text
}

// dialer makes connections to a broker.
func (o *fuzzing) dialer(to address.Target) network.Dialer {
	options := dial.Options{Level: 4}
	if o.insecure {
		options.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	return func(ctx context.Context) (net.Conn, error) { return dial.Dial(ctx, to.URL, options) }
}

// restarter runs the user's command. What it prints goes to w.
func (o *fuzzing) restarter(w io.Writer) network.Restarter {
	return func(ctx context.Context) error {
		shell := exec.CommandContext(ctx, "sh", "-c", o.restart)
		shell.Stdout, shell.Stderr = w, w
		// A broker that the command leaves behind may hold on to its output.
		shell.WaitDelay = time.Second
		if err := shell.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
			return fmt.Errorf("%s: %w", o.restart, err)
		}
		return nil
	}
}

func (o *fuzzing) run(command *cobra.Command, _ []string) error {
	if err := o.check(command); err != nil {
		return err
	}
	rules, _ := model.ByName(o.profile.String())
	c := &network.Campaign{
		Dial: o.dialer(o.url), Rules: rules, Duration: time.Duration(o.duration), Scripts: o.scripts, Seed: o.seed,
		Patience: time.Duration(o.patience), Slow: o.slow, Username: o.username, Password: o.password,
	}
	if command.Flags().Changed("against") {
		c.Other = o.dialer(o.other)
	}
	if o.restart != "" {
		c.Restart = o.restarter(command.ErrOrStderr())
	}
	if o.replay != "" {
		return o.again(command, c)
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	if !o.quiet {
		c.Progress = func(p network.Progress) {
			fmt.Fprintf(command.ErrOrStderr(), "%v: %d scripts, %.0f a second, %d kinds of answers, %d deviations\n",
				p.Elapsed.Round(time.Second), p.Scripts, float64(p.Scripts)/p.Elapsed.Seconds(), p.Effects, p.Deviations)
		}
	}
	k := &keeper{dir: o.save, options: o.replaying()}
	if o.save != "" {
		if err := os.MkdirAll(o.save, 0o755); err != nil {
			return fmt.Errorf("--save: %w", err)
		}
		c.Found = k.keep
	}
	report, err := c.Run(command.Context())
	if err != nil {
		return o.named(err)
	}
	var failed error
	if err := o.output.Print(command, report, func(w io.Writer) { failed = report.WriteText(w) }); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	if k.err != nil {
		return fmt.Errorf("--save: %w", k.err)
	}
	if len(report.Deviations) > 0 {
		return errDeviates
	}
	if slices.ContainsFunc(report.Differences, func(f *network.Finding) bool { return f.Rule != network.NoRule }) {
		return errOtherDeviates
	}
	return nil
}

// named says which broker it is that cannot be looked at.
func (o *fuzzing) named(err error) error {
	if h, ok := errors.AsType[*network.Health](err); ok {
		return fmt.Errorf("%s %w", o.url, h.Err)
	}
	return err
}

// again carries out one script.
func (o *fuzzing) again(command *cobra.Command, c *network.Campaign) error {
	text, err := os.ReadFile(o.replay)
	if err != nil {
		return err
	}
	s, err := script.Parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", o.replay, err)
	}
	if !command.Flags().Changed("profile") {
		if o.profile.Set(s.Profile) != nil {
			return fmt.Errorf("%s: the profile %q is not one of a broker over the network, but of one in the process of "+
				"FuzzSession; to carry the script out as if it were, add --profile open or --profile standard", o.replay, s.Profile)
		}
		c.Rules = s.Rules()
	}
	found, said, err := c.Replay(command.Context(), s)
	if err != nil {
		return o.named(err)
	}
	if found == nil {
		found = &network.Finding{Script: s.String(), Transcript: said}
	}
	err = o.output.Print(command, found, func(w io.Writer) {
		for _, line := range said {
			fmt.Fprintln(w, line)
		}
		if found.Rule == "" {
			fmt.Fprintln(w, "no deviation")
			return
		}
		fmt.Fprintf(w, "[%s] %s\n", found.Rule, found.Text)
		for _, line := range found.Facts() {
			fmt.Fprintln(w, line)
		}
	})
	if err == nil && found.Rule != "" {
		err = errDeviates
	}
	return err
}
