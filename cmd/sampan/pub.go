package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/client"
	"sampan/cmd/internal/value"
)

// publication is what `sampan pub` sends.
type publication struct {
	topic   string
	qos     int
	message string
	file    string
	lines   bool
	timeout value.Duration
}

func pubCommand() *cobra.Command {
	var to connection
	p := publication{timeout: value.Duration(10 * time.Second)}
	command := &cobra.Command{
		Use:   "pub",
		Short: "publish messages",
		Long: `Publish one message, or one for each line of standard input. With QoS 1 the exit
status 0 means that the broker has acknowledged every message. Each is sent when the one
before was acknowledged, as quickly as that goes: the platform drops what one device sends
beyond 10 messages of QoS 1 a second without an answer, and then --timeout ends the command.`,
		Example: `sampan pub --topic greeting --message hello
sampan pub --url mqtt://127.0.0.1:1883 --device a1B2c3D4e5/dev1 --secret ds-secret-1 --topic /a1B2c3D4e5/dev1/update --qos 1 --message '{"t":21.5}'
# one message for each line
seq 10 | sampan pub --topic numbers --qos 1 --lines`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := p.check(command); err != nil {
				return err
			}
			// What cannot be read is found out before anybody is bothered with a connection.
			payload, err := p.payload(command)
			if err != nil {
				return err
			}
			c, err := to.connect(command.Context(), nil)
			if err != nil {
				return err
			}
			if err := p.send(command, c, payload); err != nil {
				c.Disconnect()
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
		f.Var(&p.timeout, "timeout", "with QoS 1, how long to wait for the acknowledgement of a message")
	})
	to.register(command)
	return command
}

func (p *publication) check(command *cobra.Command) error {
	sources := 0
	for _, given := range []bool{command.Flags().Changed("message"), command.Flags().Changed("file"), p.lines} {
		if given {
			sources++
		}
	}
	switch {
	case p.topic == "":
		return cli.Usagef(command, "--topic is missing")
	case command.Flags().Changed("file") && p.file == "":
		return cli.Usagef(command, "--file has no name: an empty message is --message ''")
	case sources != 1:
		return cli.Usagef(command, "use one of --message, --file and --lines")
	case p.qos != 0 && p.qos != 1:
		return cli.Usagef(command, "--qos %d: use 0 or 1", p.qos)
	case p.timeout == 0:
		return cli.Usagef(command, "--timeout must be more than 0")
	}
	return nil
}

// payload is the one message that there is without --lines.
func (p *publication) payload(command *cobra.Command) ([]byte, error) {
	switch {
	case p.lines:
		return nil, nil
	case p.file == "-":
		return io.ReadAll(command.InOrStdin())
	case p.file != "":
		return os.ReadFile(p.file)
	}
	return []byte(p.message), nil
}

func (p *publication) send(command *cobra.Command, c *client.Client, payload []byte) error {
	if p.lines {
		return p.sendLines(command.Context(), command.InOrStdin(), c)
	}
	return p.publish(command.Context(), c, 1, payload)
}

// publish publishes a message, the first or a later one.
func (p *publication) publish(ctx context.Context, c *client.Client, number int, payload []byte) error {
	late := fmt.Errorf("the broker has not acknowledged message %d within %s; perhaps it came too quickly after others: "+
		"a broker drops what is beyond the rate of a device (--rate-uplink-qos1 of 'sampan serve', 10/s on the platform) without an answer",
		number, p.timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(p.timeout), late)
	defer cancel()
	return c.Publish(ctx, p.topic, payload, byte(p.qos))
}

// sendLines publishes each line without its line feed.
func (p *publication) sendLines(ctx context.Context, in io.Reader, c *client.Client) error {
	lines := bufio.NewReader(in)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if n := len(line); n > 0 {
			if line[n-1] == '\n' {
				line = line[:n-1]
			}
			if err := p.publish(ctx, c, number, line); err != nil {
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
