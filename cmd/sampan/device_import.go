package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
)

func deviceImportCommand() *cobra.Command {
	r := registry{makes: true}
	var replace bool
	command := &cobra.Command{
		Use:   "import FILE",
		Short: "take over devices with the secrets that they have",
		Long: `Take over devices that are in the field, so that they connect unchanged. The file is CSV
with the columns productKey, deviceName, deviceSecret and optionally productSecret; a first line
may name them in any order. Products that are not there are made. Good lines are imported
whatever the others are; the exit status is 0 only if all were good. - is standard input.`,
		Example: `sampan device import devices.csv
sampan device import - --replace < devices.csv`,
		Args: cli.Args("FILE"),
		RunE: func(command *cobra.Command, args []string) error {
			file := command.InOrStdin()
			if args[0] != "-" {
				opened, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer opened.Close()
				file = opened
			}
			return r.use(command.Context(), func(c control.Caller) error {
				report, err := control.Import(command.Context(), c, file, replace)
				if err != nil {
					return err
				}
				if err := r.output.Print(command, report, func(w io.Writer) { printImport(w, args[0], report) }); err != nil {
					return err
				}
				if report.Failed > 0 {
					return cli.ErrReported
				}
				return nil
			})
		},
	}
	cli.Section(command, "The import", func(f *pflag.FlagSet) {
		f.BoolVar(&replace, "replace", false, "give devices and products that are there the secrets of the file; otherwise another secret is a failure")
	})
	r.registerData(command) // the API has no import
	return command
}

func printImport(w io.Writer, name string, r control.ImportReport) {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "%s:%d: %s\n", name, p.Line, p.Problem)
	}
	if more := r.Failed - len(r.Problems); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	fmt.Fprintf(w, "%d devices: %d added, %d unchanged, %d replaced, %d failed\n", r.Lines, r.Added, r.Unchanged, r.Replaced, r.Failed)
}
