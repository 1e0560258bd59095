package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// section is the annotation that names the part of the help in which a flag is shown.
const section = "sampan_section"

// Section runs define, which adds flags to a command, and shows these flags under a heading of their own.
func Section(command *cobra.Command, heading string, define func(*pflag.FlagSet)) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SortFlags = false
	define(flags)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[section] = []string{heading}
		command.Flags().AddFlag(f)
	})
}

// usage prints how a command is called: the line, its commands, its flags by section, and examples last,
// where they are nearest to the prompt.
func usage(command *cobra.Command) error {
	out := command.OutOrStderr()
	switch {
	case command.HasAvailableSubCommands():
		fmt.Fprintln(out, "Usage:")
		if takesArguments(command) {
			fmt.Fprintf(out, "  %s\n", command.UseLine())
		}
		fmt.Fprintf(out, "  %s COMMAND [flags]\n\nCommands:\n", command.CommandPath())
		for _, child := range command.Commands() {
			if child.IsAvailableCommand() {
				fmt.Fprintf(out, "  %-*s  %s\n", command.NamePadding(), child.Name(), child.Short)
			}
		}
	default:
		fmt.Fprintf(out, "Usage:\n  %s\n", command.UseLine())
	}
	printFlags(out, command.LocalFlags())
	if command.HasExample() {
		fmt.Fprintf(out, "\nExamples:\n%s\n", indent(command.Example))
	}
	if command.HasAvailableSubCommands() {
		fmt.Fprintf(out, "\nRun '%s COMMAND --help' for more about a command.\n", command.CommandPath())
	}
	return nil
}

// printFlags prints flags under the headings of their sections, in the order in which they were added.
func printFlags(out io.Writer, all *pflag.FlagSet) {
	var headings []string
	sections := map[string][]*pflag.Flag{}
	all.SortFlags = false
	all.VisitAll(func(f *pflag.Flag) {
		heading := "Flags"
		if named := f.Annotations[section]; len(named) > 0 {
			heading = named[0]
		}
		if sections[heading] == nil {
			headings = append(headings, heading)
		}
		sections[heading] = append(sections[heading], f)
	})
	for _, heading := range headings {
		fmt.Fprintf(out, "\n%s:\n", heading)
		for _, f := range sections[heading] {
			printFlag(out, f)
		}
	}
}

// The widths of the help's columns.
const (
	nameWidth = 28
	lineWidth = 108
)

// nothing is how flags write that they have no value; whether that means none, or another default, the text says.
var nothing = []string{"", "false", "[]", "0", "0s"}

func printFlag(out io.Writer, f *pflag.Flag) {
	kind, text := pflag.UnquoteUsage(f)
	name := "  --" + f.Name
	if kind != "" && f.Value.Type() != "bool" {
		name += " " + kind
	}
	if !slices.Contains(nothing, f.DefValue) {
		text += " (default " + f.DefValue + ")"
	}
	lines := wrap(text, lineWidth-nameWidth)
	if len(name) > nameWidth-2 {
		fmt.Fprintln(out, name)
		name = ""
	}
	for _, line := range lines {
		fmt.Fprintf(out, "%-*s%s\n", nameWidth, name, line)
		name = ""
	}
}

// wrap breaks a text into lines of at most width bytes, where its words allow.
func wrap(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		switch last := lines[len(lines)-1]; {
		case last == "":
			lines[len(lines)-1] = word
		case len(last)+1+len(word) > width:
			lines = append(lines, word)
		default:
			lines[len(lines)-1] = last + " " + word
		}
	}
	return lines
}

// takesArguments reports whether a command is one by itself, although others may be below it.
func takesArguments(command *cobra.Command) bool { return strings.Contains(command.Use, " ") }

// helpAbout is the command help: it prints the help of the command that its arguments name.
func helpAbout(command *cobra.Command, args []string) error {
	target, rest, err := command.Root().Find(args)
	if err != nil {
		return Usagef(command.Root(), "%w", err)
	}
	if err := unknown(target, rest); err != nil {
		return err
	}
	target.InitDefaultHelpFlag()
	help(target, nil)
	return nil
}

// unknown is the error of arguments that should name a command below another, and do not.
func unknown(command *cobra.Command, args []string) error {
	if len(args) == 0 || !command.HasAvailableSubCommands() || takesArguments(command) {
		return nil
	}
	return missing(command, args)
}

// help prints what a command is and how it is called.
func help(command *cobra.Command, _ []string) {
	text := command.Long
	if text == "" {
		text = command.Short
	}
	fmt.Fprintf(command.OutOrStdout(), "%s\n\n", strings.TrimSpace(text))
	command.SetOut(command.OutOrStdout())
	command.SetErr(command.OutOrStdout())
	usage(command)
}

func indent(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight("  "+strings.TrimSpace(line), " ")
	}
	return strings.Join(lines, "\n")
}
