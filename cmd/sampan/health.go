package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/server"
)

// healthPatience is how long a broker may take to say that it is well.
const healthPatience = 5 * time.Second

func healthCommand() *cobra.Command {
	var at string
	variable := cli.Variable("health")
	command := &cobra.Command{
		Use:   "health",
		Short: "ask a running broker whether it is well",
		Long: `Ask the broker that was started with 'sampan serve --health ADDR' whether it is well,
whatever its profile and its listeners. The exit status is 0 if it is, and 1 if nobody
answers within ` + healthPatience.String() + `, or if its store has failed. The check of a container runs this.`,
		Example: "sampan health --at 127.0.0.1:8081",
		Args:    cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			if at == "" {
				at = os.Getenv(variable)
			}
			if at == "" || at == "off" {
				return cli.Usagef(command, "--at is missing: write where 'sampan serve --health' serves, or set %s for both", variable)
			}
			ctx, cancel := context.WithTimeout(command.Context(), healthPatience)
			defer cancel()
			if err := server.Healthy(ctx, at); err != nil {
				return err
			}
			fmt.Fprintln(command.OutOrStdout(), "ok")
			return nil
		},
	}
	command.Flags().StringVar(&at, "at", "", "`ADDR` or URL of the broker's health; $"+variable+" sets it too")
	return command
}
