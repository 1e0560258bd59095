package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/crash"
	"sampan/cmd/internal/value"
)

func crashCommand() *cobra.Command {
	o := crash.Options{}
	var output cli.Output
	durability := value.OneOf("disk", "os")
	least, most, timeout := value.Duration(50*time.Millisecond), value.Duration(600*time.Millisecond), value.Duration(30*time.Second)
	command := &cobra.Command{
		Use:   "crash",
		Short: "kill a broker again and again, and audit what it had acknowledged",
		Long: `Run 'sampan serve' as a child process under QoS 1 load, with persistent sessions that come and
go; kill it with SIGKILL at random moments, start it again, and audit every message that was
acknowledged: lost, reordered, doubled without DUP; every session, every subscription, and
the packet identifiers. With --power-cuts the broker runs in this process, at level disk, on a
simulated disk whose power is cut: it forgets what was not synced and tears the last writes.

The exit status is 0 only if nothing was lost, reordered or doubled, and something that was
acknowledged had to outlive the broker: ends that come before anybody is there prove nothing.
The same --seed makes the same plan, but not the same timing.`,
		Example: `sampan crash
# fifty process kills at the level that is meant to survive them
sampan crash --durability os --kills 50
sampan crash --power-cuts --kills 50 --json`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			o.Durability = durability.String()
			o.MinInterval, o.MaxInterval, o.Timeout = time.Duration(least), time.Duration(most), time.Duration(timeout)
			if err := checkCrash(command, &o); err != nil {
				return err
			}
			if o.Seed == 0 {
				o.Seed = uint64(time.Now().UnixNano())
			}
			out := command.ErrOrStderr()
			fmt.Fprintln(out, crash.Heading)
			o.Progress = func(p crash.Progress) { fmt.Fprintln(out, p) }
			report, err := crash.Run(command.Context(), o)
			if report == nil {
				return err
			}
			if printed := output.Print(command, report, report.Print); printed != nil {
				return printed
			}
			if err != nil {
				return err
			}
			if !report.OK() {
				return cli.ErrReported
			}
			return nil
		},
	}
	cli.Section(command, "What happens to the broker", func(f *pflag.FlagSet) {
		f.IntVar(&o.Kills, "kills", 20, "how often it is ended without warning")
		f.BoolVar(&o.PowerCuts, "power-cuts", false, "cut the power of a simulated disk instead of killing a process")
		f.Var(&durability, "durability", "level of the child: os or disk")
		f.Var(&least, "min-interval", "shortest time from a start to the next end")
		f.Var(&most, "max-interval", "longest time from a start to the next end")
		f.Var(&timeout, "timeout", "time that it may take to start, and to deliver the last messages")
		f.StringVar(&o.Data, "data", "", "`DIR` for the child, new or empty, that is kept; otherwise a temporary one, kept after a failure")
		f.Uint64Var(&o.Seed, "seed", 0, "what the plan is made of; 0 is a new one, which the report names")
	})
	cli.Section(command, "The load", func(f *pflag.FlagSet) {
		f.IntVar(&o.Publishers, "publishers", 8, "clients that publish, half of them one message at a time")
		f.IntVar(&o.Subscribers, "subscribers", 4, "clients with persistent sessions that come and go")
		f.IntVar(&o.Rate, "rate", 2000, "messages a second of all publishers together, at most")
	})
	output.Register(command)
	return command
}

func checkCrash(command *cobra.Command, o *crash.Options) error {
	const most = 1000 // clients of a kind: the ledger compares each message with each subscriber
	switch {
	case o.Kills < 1:
		return cli.Usagef(command, "--kills %d: at least 1", o.Kills)
	case o.Publishers < 1 || o.Publishers > most:
		return cli.Usagef(command, "--publishers %d: 1 to %d", o.Publishers, most)
	case o.Subscribers < 1 || o.Subscribers > most:
		return cli.Usagef(command, "--subscribers %d: 1 to %d", o.Subscribers, most)
	case o.Rate < 1 || o.Rate > 1_000_000:
		return cli.Usagef(command, "--rate %d: 1 to 1000000", o.Rate)
	case o.MinInterval <= 0 || o.MaxInterval < o.MinInterval:
		return cli.Usagef(command, "--min-interval %v to --max-interval %v is no range", o.MinInterval, o.MaxInterval)
	case o.Timeout <= 0:
		return cli.Usagef(command, "--timeout must be more than 0")
	case o.PowerCuts && command.Flags().Changed("durability") && o.Durability != "disk":
		return cli.Usagef(command, "--power-cuts are about the level disk; at %s nothing is promised about them", o.Durability)
	case o.PowerCuts && o.Data != "":
		return cli.Usagef(command, "--power-cuts has its disk in memory, so --data means nothing")
	}
	return nil
}
