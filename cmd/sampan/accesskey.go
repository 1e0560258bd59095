package main

import (
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
)

func accessKeyCommand() *cobra.Command {
	return group("accesskey", "create and list keys of the server-side API", `Access keys: with what servers sign their calls of the HTTP API.`,
		accessKeyCreateCommand(), accessKeyListCommand())
}

func accessKeyCreateCommand() *cobra.Command {
	r := registry{makes: true}
	var n control.NewAccessKey
	command := &cobra.Command{
		Use: "create", Short: "make an access key",
		Example: `sampan accesskey create --note billing
sampan accesskey create --id testid --secret testsecret --json`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			return r.use(command.Context(), func(c control.Caller) error {
				made, err := control.CreateAccessKey(command.Context(), c, n)
				if err != nil {
					return err
				}
				return r.output.Print(command, made, func(w io.Writer) { printAccessKeys(w, []control.AccessKey{made}) })
			})
		},
	}
	cli.Section(command, "The key", func(f *pflag.FlagSet) {
		f.StringVar(&n.ID, "id", "", "the key's id; generated otherwise")
		f.StringVar(&n.Secret, "secret", "", "the key's secret; generated otherwise")
		f.StringVar(&n.Note, "note", "", "note for people")
	})
	r.registerData(command)
	return command
}

func accessKeyListCommand() *cobra.Command {
	var r registry
	command := &cobra.Command{
		Use: "list", Short: "list the access keys with their secrets", Example: "sampan accesskey list", Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			return r.use(command.Context(), func(c control.Caller) error {
				list, err := control.ListAccessKeys(command.Context(), c)
				if err != nil {
					return err
				}
				return r.output.Print(command, list, func(w io.Writer) { printAccessKeys(w, list) })
			})
		},
	}
	r.registerData(command)
	return command
}

func printAccessKeys(w io.Writer, list []control.AccessKey) {
	rows := make([][]string, len(list))
	for i, k := range list {
		state := ""
		if k.Disabled {
			state = "disabled"
		}
		rows[i] = []string{k.ID, k.Secret, date(k.Created), state, k.Note}
	}
	cli.Table(w, []string{"ID", "SECRET", "CREATED", "STATE", "NOTE"}, rows)
}
