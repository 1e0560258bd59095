package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/client"
)

// publication is what `sampan pub` sends.
type publication struct {
	topic   string
	qos     int
	message string
	file    string
	lines   bool
}

func pubCommand() *cobra.Command {
	var to connection
	var p publication
	command := &cobra.Command{
		Use:   "pub",
		Short: "publish messages",
		Long: `Publish one message, or one for each line of standard input. With QoS 1 the exit
status 0 means that the broker has acknowledged every message.`,
		Example: `sampan pub --topic greeting --message hello
sampan pub --url mqtt://127.0.0.1:1883 --device a1B2c3D4e5/dev1 --secret ds-secret-1 --topic /a1B2c3D4e5/dev1/update --qos 1 --message '{"t":21.5}'
# one message for each line
seq 10 | sampan pub --topic numbers --qos 1 --lines`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := p.check(command); err != nil {
				return err
			}
			c, err := to.connect(command.Context(), nil)
			if err != nil {
				return err
			}
			if err := p.send(command, c); err != nil {
				c.Close()
				return err
			}
			return c.Disconnect()
		},
	}
	cli.Section(command, "What to publish", func(f *pflag.FlagSet) {
		f.StringVar(&p.topic, "topic", "", "topic name")
		f.IntVar(&p.qos, "qos", 0, "0: at most once, 1: at least once")
		f.StringVar(&p.message, "message", "", "payload")
		f.StringVar(&p.file, "file", "", "`FILE` that holds the payload; - is standard input")
		f.BoolVar(&p.lines, "lines", false, "publish each line of standard input")
	})
	to.register(command)
	return command
}

func (p *publication) check(command *cobra.Command) error {
	sources := 0
	for _, name := range []string{"message", "file", "lines"} {
		if command.Flags().Changed(name) {
			sources++
		}
	}
	switch {
	case p.topic == "":
		return cli.Usagef(command, "--topic is missing")
	case sources != 1:
		return cli.Usagef(command, "use one of --message, --file and --lines")
	case p.qos != 0 && p.qos != 1:
		return cli.Usagef(command, "--qos %d: use 0 or 1", p.qos)
	}
	return nil
}

func (p *publication) send(command *cobra.Command, c *client.Client) error {
	ctx := command.Context()
	switch {
	case p.lines:
		return p.sendLines(ctx, command.InOrStdin(), c)
	case p.file == "-":
		payload, err := io.ReadAll(command.InOrStdin())
		if err != nil {
			return err
		}
		return c.Publish(ctx, p.topic, payload, byte(p.qos))
	case p.file != "":
		payload, err := os.ReadFile(p.file)
		if err != nil {
			return err
		}
		return c.Publish(ctx, p.topic, payload, byte(p.qos))
	}
	return c.Publish(ctx, p.topic, []byte(p.message), byte(p.qos))
}

// sendLines publishes each line without its line feed.
func (p *publication) sendLines(ctx context.Context, in io.Reader, c *client.Client) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if n := len(line); n > 0 {
			if line[n-1] == '\n' {
				line = line[:n-1]
			}
			if err := c.Publish(ctx, p.topic, line, byte(p.qos)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
