package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
)

// registry is how the commands for products, devices, topics and keys reach them: the flags that all have.
type registry struct {
	data   string
	flags  *pflag.FlagSet // that --data is one of
	output cli.Output
}

// register adds the flags to a command.
func (r *registry) register(command *cobra.Command) {
	r.flags = command.Flags()
	cli.Section(command, "Where the registry is", func(f *pflag.FlagSet) {
		f.StringVar(&r.data, "data", "./sampan-data", "`DIR` of the broker's data; a broker that runs on it is asked, otherwise the directory itself; $SAMPAN_DATA sets it too")
	})
	r.output.Register(command)
}

// use opens the registry for as long as do runs.
func (r *registry) use(ctx context.Context, do func(control.Caller) error) error {
	if err := cli.FromEnvironment(r.flags, "data"); err != nil {
		return err
	}
	caller, err := control.Open(ctx, r.data)
	if err != nil {
		return err
	}
	return errors.Join(do(caller), caller.Close())
}

// group is a command that only holds others.
func group(name, short, long string, commands ...*cobra.Command) *cobra.Command {
	command := &cobra.Command{Use: name, Short: short, Long: long}
	command.AddCommand(commands...)
	return command
}
