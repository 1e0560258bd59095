package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
	"sampan/cmd/internal/value"
)

func topicCommand() *cobra.Command {
	return group("topic", "create and list the topics of a product", `Topic categories: which topics below /PK/DN/ a device of the product may use. They hold for
each device with its own name in place of ${deviceName}; changes hold at once for devices that are
connected. The system's topics (/sys, /ext, /broadcast and so on) are always there.`,
		topicCreateCommand(), topicListCommand(), topicDeleteCommand())
}

func topicCreateCommand() *cobra.Command {
	var r registry
	var n control.NewTopic
	operation := value.OneOf("ALL", "PUB", "SUB")
	command := &cobra.Command{
		Use:   "create PK TOPIC",
		Short: "let the devices of a product use a topic",
		Example: `sampan topic create a1B2c3D4e5 user/report --operation PUB
# subscribed with a wildcard
sampan topic create a1B2c3D4e5 'user/orders/#' --operation SUB`,
		Args: cli.Args("PK", "TOPIC"),
		RunE: func(command *cobra.Command, args []string) error {
			n.ProductKey, n.Topic, n.Operation = args[0], args[1], operation.String()
			return r.use(command.Context(), func(c control.Caller) error {
				made, err := control.CreateTopic(command.Context(), c, n)
				if err != nil {
					return err
				}
				return r.output.Print(command, made, func(w io.Writer) { printTopics(w, []control.Topic{made}) })
			})
		},
	}
	cli.Section(command, "The topic", func(f *pflag.FlagSet) {
		f.Var(&operation, "operation", "what a device may do: publish, subscribe, or both")
		f.StringVar(&n.Note, "note", "", "note for people")
	})
	r.register(command)
	return command
}

func topicListCommand() *cobra.Command {
	var r registry
	command := &cobra.Command{
		Use: "list PK", Short: "list the topics of a product", Example: "sampan topic list a1B2c3D4e5", Args: cli.Args("PK"),
		RunE: func(command *cobra.Command, args []string) error {
			return r.use(command.Context(), func(c control.Caller) error {
				list, err := control.ListTopics(command.Context(), c, args[0])
				if err != nil {
					return err
				}
				return r.output.Print(command, list, func(w io.Writer) { printTopics(w, list) })
			})
		},
	}
	r.register(command)
	return command
}

func topicDeleteCommand() *cobra.Command {
	var r registry
	command := &cobra.Command{
		Use: "delete PK ID", Short: "take a topic away from the devices of a product", Example: "sampan topic delete a1B2c3D4e5 7", Args: cli.Args("PK", "ID"),
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := strconv.ParseUint(args[1], 10, 64); err != nil {
				return cli.Usagef(command, "%q is not the id of a topic category; 'sampan topic list %s' shows them", args[1], args[0])
			}
			return r.use(command.Context(), func(c control.Caller) error {
				if err := control.DeleteTopic(command.Context(), c, args[0], args[1]); err != nil {
					return err
				}
				result := map[string]string{"productKey": args[0], "id": args[1]}
				return r.output.Print(command, result, func(w io.Writer) { fmt.Fprintf(w, "deleted topic %s of %s\n", args[1], args[0]) })
			})
		},
	}
	r.register(command)
	return command
}

func printTopics(w io.Writer, list []control.Topic) {
	rows := make([][]string, len(list))
	for i, t := range list {
		rows[i] = []string{t.ID, t.Topic, t.Operation, t.Note}
	}
	cli.Table(w, []string{"ID", "TOPIC", "OPERATION", "NOTE"}, rows)
}
