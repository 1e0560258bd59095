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
	data      string
	api       string // instead of data
	keyID     string
	keySecret string
	makes     bool // the command puts something into a registry that need not be there
	command   *cobra.Command
	output    cli.Output
}

// register adds the flags to a command.
func (r *registry) register(command *cobra.Command) {
	r.registerData(command)
	cli.Section(command, registrySection, func(f *pflag.FlagSet) {
		f.StringVar(&r.api, "api", "", "`ADDR` of a broker's server-side HTTP API, to ask that broker instead")
		f.StringVar(&r.keyID, "access-key-id", "", "id of the access key that signs calls of the API; $SAMPAN_ACCESS_KEY_ID sets it too")
		f.StringVar(&r.keySecret, "access-key-secret", "", "its secret; $SAMPAN_ACCESS_KEY_SECRET sets it too")
	})
}

const registrySection = "Where the registry is"

// registerData adds the flags of a command that needs the data directory.
func (r *registry) registerData(command *cobra.Command) {
	r.command = command
	cli.Section(command, registrySection, func(f *pflag.FlagSet) {
		f.StringVar(&r.data, "data", "./sampan-data", "`DIR` of the broker's data; a broker that runs on it is asked, otherwise the directory itself; $SAMPAN_DATA sets it too")
	})
	r.output.Register(command)
}

// open finds out where the registry is.
func (r *registry) open(ctx context.Context) (control.Caller, error) {
	switch {
	case r.api != "":
		if err := cli.FromEnvironment(r.command.Flags(), "access-key-id", "access-key-secret"); err != nil {
			return nil, err
		}
		return control.API(r.api, r.keyID, r.keySecret)
	case r.command.Flags().Changed("api"):
		return nil, cli.Usagef(r.command, "--api has no address: write host:port, or leave it out to use the data directory")
	case r.data == "":
		return nil, cli.Usagef(r.command, "%s", noData)
	case r.makes:
		return control.OpenNew(ctx, r.data)
	}
	return control.Open(ctx, r.data)
}

// noData is the error of a command whose data directory is empty text, as that of a variable that is not set.
const noData = "the data directory has no name: give one with --data or $SAMPAN_DATA"

// where says where the registry is.
func (r *registry) where() string {
	if r.api != "" {
		return r.api
	}
	return r.data
}

// use opens the registry for as long as do runs.
func (r *registry) use(ctx context.Context, do func(control.Caller) error) error {
	if err := cli.FromEnvironment(r.command.Flags(), "data"); err != nil {
		return err
	}
	caller, err := r.open(ctx)
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
