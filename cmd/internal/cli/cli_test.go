package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/value"
)

// program is a command tree that does nothing but tell what it was asked.
func program() *cobra.Command {
	root := &cobra.Command{Use: "prog", Short: "test"}
	var output Output
	var expiry value.Duration
	var count int
	show := &cobra.Command{
		Use: "show PK DN", Short: "show", Args: Args("PK", "DN"),
		RunE: func(c *cobra.Command, args []string) error {
			return output.Print(c, map[string]string{"pk": args[0], "dn": args[1], "tag": "<&>"}, func(w io.Writer) {
				Table(w, []string{"PRODUCT", "DEVICE"}, [][]string{{args[0], args[1]}, {"x", ""}})
			})
		},
	}
	output.Register(show)
	show.Flags().Var(&expiry, "expiry", "")
	show.Flags().IntVar(&count, "count", 0, "")
	fail := &cobra.Command{Use: "fail", Short: "fail", Args: Args(), RunE: func(*cobra.Command, []string) error {
		return errors.New("the disk is full")
	}}
	reported := &cobra.Command{Use: "reported", Short: "fail", Args: Args(), RunE: func(*cobra.Command, []string) error {
		return fmt.Errorf("here: %w", ErrReported)
	}}
	group := &cobra.Command{Use: "device", Short: "group"}
	group.AddCommand(show, &cobra.Command{Use: "list", Short: "list", Args: Args(), RunE: func(*cobra.Command, []string) error { return nil }})
	measure := &cobra.Command{Use: "measure SCENARIO", Short: "measure", Args: Args("SCENARIO"), RunE: func(*cobra.Command, []string) error { return nil }}
	measure.Flags().Int("rounds", 0, "")
	measure.AddCommand(&cobra.Command{Use: "list", Short: "list", Args: Args(), RunE: func(*cobra.Command, []string) error { return nil }})
	root.AddCommand(group, fail, reported, measure)
	return root
}

func TestRun(t *testing.T) {
	cases := []struct {
		line   string
		status int
		out    string // the whole of standard output, or a part of it after "..."
		err    string // the same of standard error
	}{
		{"device show pk dn", Success, "PRODUCT  DEVICE\npk       dn\nx        -\n", ""},
		{"device show --json pk dn", Success, "{\n  \"dn\": \"dn\",\n  \"pk\": \"pk\",\n  \"tag\": \"<&>\"\n}\n", ""},
		{"device show pk dn --json", Success, "...\"pk\": \"pk\"", ""},
		{"", Success, "...Usage:", ""},
		{"--help", Success, "...Usage:", ""},
		{"help", Success, "...Usage:", ""},
		{"help device show", Success, "...Usage:\n  prog device show PK DN [flags]", ""},
		{"help device", Success, "...Usage:\n  prog device COMMAND [flags]\n\nCommands:\n", ""},
		{"help devcie", Misuse, "", "...unknown command \"devcie\"; did you mean 'prog device'?"},
		{"help device lsit", Misuse, "", "...unknown command \"lsit\"; did you mean 'prog device list'?"},
		{"devcie --help", Misuse, "", "...unknown command \"devcie\"; did you mean 'prog device'?"},
		{"device lsit --help", Misuse, "", "...unknown command \"lsit\"; did you mean 'prog device list'?"},
		{"completion bash", Success, "...bash completion", ""},
		{"completion tcsh", Misuse, "", "...unknown command \"tcsh\"; known are bash, fish, powershell, zsh"},
		{"measure --help", Success, "...Usage:\n  prog measure SCENARIO [flags]\n  prog measure COMMAND [flags]\n", ""},
		{"measure fanout --help", Success, "...Usage:\n  prog measure SCENARIO [flags]\n", ""},
		{"help measure fanout", Success, "...Usage:\n  prog measure SCENARIO [flags]\n", ""},
		{"device show --help", Success, "...Usage:\n  prog device show PK DN [flags]", ""},
		{"fail", Failure, "", "prog: the disk is full\n"},
		{"reported", Failure, "", ""},
		{"device", Misuse, "", "prog: prog device needs a command: list, show\nRun 'prog device --help' for usage.\n"},
		{"devcie list", Misuse, "", "prog: unknown command \"devcie\"; did you mean 'prog device'?\nRun 'prog --help' for usage.\n"},
		{"device lsit", Misuse, "", "prog: unknown command \"lsit\"; did you mean 'prog device list'?\nRun 'prog device --help' for usage.\n"},
		{"device frobnicate", Misuse, "", "...unknown command \"frobnicate\"; known are list, show"},
		{"device show pk", Misuse, "", "prog: prog device show needs PK DN: DN is missing\nRun 'prog device show --help' for usage.\n"},
		{"device show pk dn more", Misuse, "", "...prog device show takes PK DN; \"more\" is one too many"},
		{"fail now", Misuse, "", "...prog fail takes no argument, but \"now\" was given"},
		{"device show pk dn --jsno", Misuse, "", "...unknown flag --jsno; did you mean --json?"},
		{"device show pk dn --frobnicate", Misuse, "", "...unknown flag --frobnicate\n"},
		{"device show pk dn -json", Misuse, "", "...unknown flag -json; did you mean --json?"},
		{"device show pk dn -x", Misuse, "", "...unknown flag -x\n"},
		{"device show pk dn --expiry 30", Misuse, "", "...--expiry 30: has no unit: write 30s for seconds"},
		{"device show pk dn --count many", Misuse, "", "...--count many: must be an integer"},
		{"device show pk dn --expiry", Misuse, "", "...--expiry needs a value (duration)"},
	}
	for _, c := range cases {
		t.Run(c.line, func(t *testing.T) {
			var out, err bytes.Buffer
			status := Run(context.Background(), program(), strings.Fields(c.line), Streams{In: strings.NewReader(""), Out: &out, Err: &err})
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			compare(t, "standard output", out.String(), c.out)
			compare(t, "standard error", err.String(), c.err)
		})
	}
}

func TestHelpShowsFlagsBySectionAndExamplesLast(t *testing.T) {
	root := &cobra.Command{Use: "prog", Short: "test"}
	serve := &cobra.Command{Use: "serve", Short: "serves", Long: "Serve serves.", Example: "prog serve --data DIR\n  # quiet\nprog serve --quiet", RunE: func(*cobra.Command, []string) error { return nil }}
	serve.Flags().Bool("quiet", false, "say less")
	Section(serve, "Storage", func(flags *pflag.FlagSet) {
		flags.String("data", "", "`DIR` that holds everything, which is a directory that this program alone writes to, and nobody else")
	})
	root.AddCommand(serve)
	var out bytes.Buffer
	if status := Run(context.Background(), root, []string{"serve", "--help"}, Streams{Out: &out, Err: &out}); status != Success {
		t.Fatalf("exit status %d", status)
	}
	const want = `Serve serves.

Usage:
  prog serve [flags]

Flags:
  --quiet                   say less
  --help                    help for serve

Storage:
  --data DIR                DIR that holds everything, which is a directory that this program alone writes
                            to, and nobody else

Examples:
  prog serve --data DIR
  # quiet
  prog serve --quiet
`
	if out.String() != want {
		t.Errorf("help is\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if status := Run(context.Background(), root, []string{"--help"}, Streams{Out: &out, Err: &out}); status != Success {
		t.Fatalf("exit status %d", status)
	}
	if !strings.Contains(out.String(), "Usage:\n  prog COMMAND [flags]\n\nCommands:\n") || !strings.Contains(out.String(), "  serve        serves\n") {
		t.Errorf("help is\n%s", out.String())
	}
}

func compare(t *testing.T, stream, got, want string) {
	t.Helper()
	if part, isPart := strings.CutPrefix(want, "..."); isPart {
		if !strings.Contains(got, part) {
			t.Errorf("%s is %q, want %q in it", stream, got, part)
		}
	} else if got != want {
		t.Errorf("%s is %q, want %q", stream, got, want)
	}
}

func TestTheEnvironmentSetsWhatTheCommandLineDoesNot(t *testing.T) {
	var data, url string
	var crl []string
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.StringVar(&data, "data", "default", "")
	flags.StringVar(&url, "the-url", "default", "")
	flags.StringArrayVar(&crl, "crl", nil, "")
	var size value.Size
	flags.Var(&size, "size", "")
	t.Setenv("SAMPAN_DATA", "environment")
	t.Setenv("SAMPAN_THE_URL", "environment")
	t.Setenv("SAMPAN_CRL", " a.pem  b.pem ")
	if err := flags.Parse([]string{"--data", "command line"}); err != nil {
		t.Fatal(err)
	}
	if err := FromEnvironment(flags, "data", "crl"); err != nil {
		t.Fatal(err)
	}
	if data != "command line" || url != "default" || len(crl) != 2 || crl[1] != "b.pem" {
		t.Errorf("data %q, url %q, crl %q", data, url, crl)
	}
	if err := FromEnvironment(flags); err != nil || url != "environment" {
		t.Errorf("url %q, %v", url, err)
	}
	t.Setenv("SAMPAN_SIZE", "much")
	if err := FromEnvironment(flags); err == nil || !strings.Contains(err.Error(), "SAMPAN_SIZE: not a size") {
		t.Errorf("a bad value: %v", err)
	}
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

// A result that was not written is a failure, whatever the command printed it with.
func TestOutputThatCannotBeWritten(t *testing.T) {
	for _, line := range []string{"device show pk dn", "device show pk dn --json", "--help", "device show --help", "told"} {
		root := program()
		root.AddCommand(&cobra.Command{Use: "told", Short: "says why it fails", Args: Args(), RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprintln(c.OutOrStdout(), "line 3 is wrong")
			return ErrReported
		}})
		var err bytes.Buffer
		status := Run(context.Background(), root, strings.Fields(line), Streams{Out: full{}, Err: &err})
		if status != Failure || err.String() != "prog: the result was not written: no space left on device\n" {
			t.Errorf("%s: exit status %d, standard error %q", line, status, err.String())
		}
	}
}
