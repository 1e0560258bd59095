package main

import (
	"github.com/spf13/cobra"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/demo"
)

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "show what the broker does, in one process",
		Long: `Start a broker with a product and two devices, let them talk over TCP with signed CONNECTs,
and print what happens: messages each way, a delivery after an absence, a call of a device, a
foreign topic refused. The exit status is 0 only if all of it happened. Nothing is left behind.`,
		Example: "sampan demo",
		Args:    cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			return demo.Run(command.Context(), command.OutOrStdout())
		},
	}
}
