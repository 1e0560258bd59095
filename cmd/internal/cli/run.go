// Package cli is the frame that every command of the binary stands in: exit status, usage errors that say
// what was meant, arguments with names, and results as text or JSON. The parsing, the help and the shell
// completion are cobra's.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit statuses. Anything that is not a usage error and not success is a failure.
const (
	Success = 0
	Failure = 1
	Misuse  = 2
)

// usageError is an error in how a command was called.
type usageError struct {
	command *cobra.Command
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// Usagef returns an error that says how a command was called wrongly: it ends the program with Misuse and
// points to the command's help.
func Usagef(command *cobra.Command, format string, args ...any) error {
	return &usageError{command, fmt.Errorf(format, args...)}
}

// ErrReported is returned by a command that failed and has said already why.
var ErrReported = errors.New("the failure was reported")

// Streams are the standard streams of a program.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run carries out one command line and returns the exit status. Errors are printed to s.Err, a line each.
func Run(ctx context.Context, root *cobra.Command, args []string, s Streams) int {
	out := &written{w: s.Out}
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(out)
	root.SetErr(s.Err)
	Prepare(root)
	// Cobra takes --help for a success, whatever stands before it.
	var misnamed error
	root.SetHelpFunc(func(command *cobra.Command, args []string) {
		if misnamed = unknown(command, command.Flags().Args()); misnamed == nil {
			help(command, args)
		}
	})
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = misnamed
	}
	// What the command says of itself comes first, unless it counts on having printed it, or speaks of the same.
	if lost := out.failure(); lost != nil && (err == nil || errors.Is(err, ErrReported) || errors.Is(err, lost)) {
		err = fmt.Errorf("the result was not written: %w", lost)
	}
	var usage *usageError
	switch {
	case err == nil:
		return Success
	case errors.Is(err, ErrReported):
		return Failure
	case errors.As(err, &usage):
		fmt.Fprintf(s.Err, "%s: %v\nRun '%s --help' for usage.\n", root.Name(), err, usage.command.CommandPath())
		return Misuse
	}
	fmt.Fprintf(s.Err, "%s: %v\n", root.Name(), err)
	return Failure
}

// Prepare gives a command and all below it this package's manners.
func Prepare(root *cobra.Command) {
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(usage)
	root.SetHelpFunc(help)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	prepare(root)
	for _, child := range root.Commands() {
		if child.Name() == "help" {
			child.Run, child.RunE = nil, helpAbout
		}
	}
}

func prepare(command *cobra.Command) {
	command.Flags().SortFlags = false
	if command.HasSubCommands() && !command.Runnable() {
		command.Args = cobra.ArbitraryArgs
		command.RunE = missing
	}
	for _, child := range command.Commands() {
		prepare(child)
	}
}
