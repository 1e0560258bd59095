package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/client"
	"sampan/cmd/internal/value"
	"sampan/packet"
)

// subscription is what `sampan sub` waits for.
type subscription struct {
	topics  []string
	qos     int
	count   int
	timeout value.Duration
	json    bool
}

// receivedMessage is a line of `sampan sub --json`.
type receivedMessage struct {
	Topic   string `json:"topic"`
	QoS     byte   `json:"qos"`
	Dup     bool   `json:"dup,omitempty"`
	Retain  bool   `json:"retain,omitempty"`
	Payload string `json:"payload"`          // as text, if it is
	Base64  []byte `json:"base64,omitempty"` // otherwise
}

func subCommand() *cobra.Command {
	var from connection
	var s subscription
	command := &cobra.Command{
		Use:   "sub",
		Short: "subscribe and print messages",
		Long: `Subscribe to topics and print each message: its topic, a blank, its payload. With
--count the exit status 0 means that as many messages came.`,
		Example: `sampan sub --topic 'greeting/#'
# the next ten messages, as JSON
sampan sub --topic '#' --count 10 --json
sampan sub --device a1B2c3D4e5/dev1 --secret ds-secret-1 --clean=false --topic /a1B2c3D4e5/dev1/get --qos 1`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := s.check(command); err != nil {
				return err
			}
			return s.run(command.Context(), command.OutOrStdout(), &from)
		},
	}
	cli.Section(command, "What to wait for", func(f *pflag.FlagSet) {
		f.StringArrayVar(&s.topics, "topic", nil, "topic `FILTER`, once for each; + and # are wildcards")
		f.IntVar(&s.qos, "qos", 0, "highest QoS at which messages are wanted, 0 or 1")
		f.IntVar(&s.count, "count", 0, "end after this many messages; otherwise at a signal")
		f.Var(&s.timeout, "timeout", "fail if --count messages have not come by then")
		f.BoolVar(&s.json, "json", false, "print each message as a JSON line")
	})
	from.register(command)
	return command
}

func (s *subscription) check(command *cobra.Command) error {
	switch {
	case len(s.topics) == 0:
		return cli.Usagef(command, "--topic is missing")
	case s.qos != 0 && s.qos != 1:
		return cli.Usagef(command, "--qos %d: use 0 or 1", s.qos)
	case s.count < 0:
		return cli.Usagef(command, "--count %d: cannot be negative", s.count)
	case s.timeout > 0 && s.count == 0:
		return cli.Usagef(command, "--timeout needs --count")
	}
	return nil
}

// errEnough ends a subscription that has got its messages.
var errEnough = errors.New("enough messages")

func (s *subscription) run(ctx context.Context, out io.Writer, from *connection) error {
	// Why the subscription ends: the signal that ends ctx, enough messages, or a failure.
	ending, end := context.WithCancelCause(ctx)
	defer end(nil)
	var received atomic.Int64
	c, err := from.connect(ctx, func(m client.Message) bool {
		// What is not printed is not acknowledged: the broker keeps it for the next time.
		if ending.Err() != nil {
			return false
		}
		if err := s.print(out, m); err != nil {
			end(err)
			return false
		}
		if received.Add(1) == int64(s.count) {
			end(errEnough)
		}
		return true
	})
	if err != nil {
		return err
	}
	defer c.Disconnect()
	if s.timeout > 0 {
		late := fmt.Errorf("%d messages did not come within %s", s.count, s.timeout)
		timer := time.AfterFunc(time.Duration(s.timeout), func() { end(late) })
		defer timer.Stop()
	}
	if err := s.subscribe(ending, c); err != nil && !errors.Is(context.Cause(ending), errEnough) {
		return err
	}
	select {
	case <-c.Done():
		if !errors.Is(context.Cause(ending), errEnough) { // the broker may close right behind the last message
			return c.Err()
		}
	case <-ending.Done():
	}
	if cause := context.Cause(ending); !errors.Is(cause, errEnough) && ctx.Err() == nil {
		return cause
	}
	if n := received.Load(); n < int64(s.count) && ctx.Err() != nil {
		return fmt.Errorf("ended after %d of %d messages", n, s.count)
	}
	return nil
}

func (s *subscription) subscribe(ctx context.Context, c *client.Client) error {
	for _, topic := range s.topics {
		codes, err := c.Subscribe(ctx, client.Subscription{Filter: topic, QoS: byte(s.qos)})
		if err != nil {
			return err
		}
		if codes[0] == packet.SubackFailure {
			return fmt.Errorf("the broker refused the subscription to %s", topic)
		}
	}
	return nil
}

func (s *subscription) print(out io.Writer, m client.Message) error {
	if !s.json {
		_, err := fmt.Fprintf(out, "%s %s\n", m.Topic, m.Payload)
		return err
	}
	line := receivedMessage{Topic: m.Topic, QoS: m.QoS, Dup: m.Dup, Retain: m.Retain}
	if utf8.Valid(m.Payload) {
		line.Payload = string(m.Payload)
	} else {
		line.Base64 = m.Payload
	}
	return json.NewEncoder(out).Encode(line)
}
