package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/control"
	"sampan/cmd/internal/value"
)

// rrpcResult is what `sampan rrpc --json` prints.
type rrpcResult struct {
	Code      string `json:"rrpcCode"`
	MessageID string `json:"messageId,omitempty"`
	Payload   string `json:"payload,omitempty"` // as text, if it is
	Base64    []byte `json:"base64,omitempty"`  // otherwise
	Detail    string `json:"detail,omitempty"`
}

// How long the platform lets a caller wait.
const (
	shortestCall = time.Second
	longestCall  = 8 * time.Second
)

func rrpcCommand() *cobra.Command {
	var r registry
	var call control.Call
	timeout := value.Duration(5 * time.Second)
	command := &cobra.Command{
		Use:   "rrpc PK DN PAYLOAD",
		Short: "call a device and print its answer",
		Long: `Send a request to a device that is connected and wait for its answer. The exit status
is 0 only if the device has answered.`,
		Example: `sampan rrpc a1B2c3D4e5 dev1 '{"method":"reboot"}'
# over a topic of the device's own
sampan rrpc a1B2c3D4e5 dev1 hello --topic /a1B2c3D4e5/dev1/user/get --timeout 2s`,
		Args: cli.Args("PK", "DN", "PAYLOAD"),
		RunE: func(command *cobra.Command, args []string) error {
			if t := time.Duration(timeout); t < shortestCall || t > longestCall {
				return cli.Usagef(command, "--timeout %s: the platform waits %s to %s", timeout, shortestCall, longestCall)
			}
			own := "/" + args[0] + "/" + args[1] + "/"
			if command.Flags().Changed("topic") && (!strings.HasPrefix(strings.TrimPrefix(call.Topic, "/sys"), own) || strings.ContainsAny(call.Topic, "+#")) {
				return cli.Usagef(command, "--topic %s: it is one of the device's own, without wildcards, such as %suser/get", call.Topic, own)
			}
			call.ProductKey, call.DeviceName, call.Payload = args[0], args[1], []byte(args[2])
			call.Timeout = time.Duration(timeout)
			return r.use(command.Context(), func(c control.Caller) error {
				answer, err := control.RRPC(command.Context(), c, call)
				if err != nil {
					return err
				}
				return printAnswer(command, &r, answer)
			})
		},
	}
	cli.Section(command, "The call", func(f *pflag.FlagSet) {
		f.Var(&timeout, "timeout", "how long to wait for the answer, 1s to 8s")
		f.StringVar(&call.Topic, "topic", "", "topic of a custom-topic RRPC; the system's topics otherwise")
	})
	r.register(command)
	return command
}

func printAnswer(command *cobra.Command, r *registry, a control.Answer) error {
	result := rrpcResult{Code: a.Code, MessageID: a.MessageID, Detail: a.Detail}
	if utf8.Valid(a.Payload) {
		result.Payload = string(a.Payload)
	} else {
		result.Base64 = a.Payload
	}
	answered := a.Detail == ""
	if answered || r.output.JSON {
		err := r.output.Print(command, result, func(w io.Writer) { fmt.Fprintf(w, "%s\n", a.Payload) })
		if err != nil || answered {
			return err
		}
		return cli.ErrReported
	}
	return fmt.Errorf("no answer (%s): %s", a.Code, a.Detail)
}
