package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/suggest"
)

// missing is what a command does that only holds others: without one of them it cannot do anything.
func missing(command *cobra.Command, args []string) error {
	var names []string
	for _, child := range command.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	if len(args) == 0 {
		if !command.HasParent() {
			return command.Help()
		}
		return Usagef(command, "%s needs a command: %s", command.CommandPath(), strings.Join(names, ", "))
	}
	if meant := suggest.Closest(args[0], names); meant != "" {
		return Usagef(command, "unknown command %q; did you mean '%s %s'?", args[0], command.CommandPath(), meant)
	}
	return Usagef(command, "unknown command %q; known are %s", args[0], strings.Join(names, ", "))
}

// flagError turns pflag's error into words that help.
func flagError(command *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if unknown.GetSpecifiedShortnames() != "" {
			if long := unknown.GetSpecifiedShortnames(); command.Flags().Lookup(long) != nil {
				return Usagef(command, "unknown flag -%s; did you mean --%s?", long, long)
			}
			return Usagef(command, "unknown flag -%s", unknown.GetSpecifiedShortnames())
		}
		var names []string
		command.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if meant := suggest.Closest(unknown.GetSpecifiedName(), names); meant != "" {
			return Usagef(command, "unknown flag --%s; did you mean --%s?", unknown.GetSpecifiedName(), meant)
		}
		return Usagef(command, "unknown flag --%s", unknown.GetSpecifiedName())
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return Usagef(command, "--%s %s: %w", invalid.GetFlag().Name, invalid.GetValue(), invalid.Unwrap())
	}
	var required *pflag.ValueRequiredError
	if errors.As(err, &required) {
		return Usagef(command, "--%s needs a value (%s)", required.GetFlag().Name, required.GetFlag().Value.Type())
	}
	return Usagef(command, "%w", err)
}

// Args returns the check that a command has exactly the named arguments.
func Args(names ...string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		switch {
		case len(args) > len(names) && len(names) == 0:
			return Usagef(command, "%s takes no argument, but %q was given", command.CommandPath(), args[0])
		case len(args) > len(names):
			return Usagef(command, "%s takes %s; %q is one too many", command.CommandPath(), strings.Join(names, " "), args[len(names)])
		case len(args) < len(names):
			return Usagef(command, "%s needs %s: %s is missing", command.CommandPath(), strings.Join(names, " "), names[len(args)])
		}
		return nil
	}
}
