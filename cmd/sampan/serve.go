package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/server"
)

func serveCommand() *cobra.Command {
	var settings server.Settings
	var path string
	command := &cobra.Command{
		Use:   "serve",
		Short: "run the broker",
		Long: `Run the broker until SIGTERM or SIGINT, which let clients take what waits for
them, and exit with status 0. When every listener accepts, a line goes to standard output,
and below it a table of the listeners that says who may come in by each:

  ready mqtt://127.0.0.1:1883 api=http://127.0.0.1:8080

The log goes to standard error. Every flag below is a key of the configuration file, and has an
environment variable: SAMPAN_TLS_POLICY for --tls-policy. Where a flag may be given more than
once, the key has a list, and the variable has its values with blanks between them. Flags win
over the environment, the environment over the file.

SIGHUP reads the file again. log-level and log-format are taken over, the files of certificates,
client-ca and crl are read anew, and the oracle's file is opened anew. Every other setting that
has changed is named in the log and waits for a new start.`,
		Example: `# signed devices on this machine only
sampan serve
# anybody may use any topic; the port is chosen by the system and printed
sampan serve --profile open --durability memory --listen mqtt://127.0.0.1:0
# two listeners, one of them encrypted
sampan serve --listen mqtt://127.0.0.1:1883 --listen mqtts://:8883 --cert broker.pem --key broker.key
sampan serve --config sampan.yaml`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			return server.Run(server.Process{
				Out: command.OutOrStdout(), Err: command.ErrOrStderr(),
				Stop: command.Context(), Reload: reload,
				Load: func() (*server.Settings, error) {
					s, err := server.Load(command.Flags(), path)
					if err != nil {
						return nil, err
					}
					return s, s.Check()
				},
			})
		},
	}
	cli.Section(command, "Configuration", func(f *pflag.FlagSet) {
		f.StringVar(&path, server.ConfigFlag, "", "YAML `FILE` with settings; flags given here win over it")
	})
	settings.Register(command)
	return command
}
