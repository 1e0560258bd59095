// Command sampan is an MQTT broker that behaves like the Alibaba Cloud IoT Platform's MQTT endpoint, with
// the tools that go with it. Each command has a file of its own here; `sampan --help` lists them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"sampan/cmd/internal/cli"
)

func main() { os.Exit(run()) }

// run carries out the command line of the process and returns its exit status.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks a command to end; after that they kill, as they do without us.
	context.AfterFunc(ctx, stop)
	return cli.Run(ctx, root(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}

// root is the tree of commands.
func root() *cobra.Command {
	command := &cobra.Command{
		Use:   "sampan",
		Short: "An MQTT broker that behaves like the Alibaba Cloud IoT Platform's MQTT endpoint",
		Long: `Sampan is an MQTT 3.1 and 3.1.1 broker that behaves like the Alibaba Cloud IoT
Platform's MQTT endpoint: signed devices, topic permissions, RRPC, and the same
limits, offline and on one machine.`,
		Example: `sampan demo
sampan serve --listen mqtt://127.0.0.1:1883`,
	}
	command.AddCommand(
		serveCommand(), checkCommand(), healthCommand(), demoCommand(),
		pubCommand(), subCommand(), rrpcCommand(),
		productCommand(), deviceCommand(), topicCommand(), accessKeyCommand(),
		benchCommand(), crashCommand(), fuzzCommand(), storeCommand(),
		versionCommand(),
	)
	return command
}
