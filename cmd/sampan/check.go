package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/config"
	"sampan/cmd/internal/server"
)

// checked is what `sampan check` found in a file.
type checked struct {
	File     string           `json:"file"`
	OK       bool             `json:"ok"`
	Settings []checkedSetting `json:"settings"`
	Problems []checkedProblem `json:"problems"`
}

type checkedSetting struct {
	Line   int      `json:"line"`
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

type checkedProblem struct {
	Line    int    `json:"line,omitempty"` // 0: about the file as a whole
	Column  int    `json:"column,omitempty"`
	Problem string `json:"problem"`
}

func checkCommand() *cobra.Command {
	var output cli.Output
	command := &cobra.Command{
		Use:   "check FILE",
		Short: "test a configuration file",
		Long: `Test a configuration file for 'sampan serve' and print what it sets, line by line,
and everything that is wrong with it, certificates included. Nothing is started or changed.`,
		Example: "sampan check sampan.yaml",
		Args:    cli.Args("FILE"),
		RunE: func(command *cobra.Command, args []string) error {
			settings, set, problems, err := server.Read(pflag.NewFlagSet("", pflag.ContinueOnError), args[0])
			if err != nil {
				return err
			}
			result := newChecked(args[0], settings, set, problems)
			if err := output.Print(command, result, result.print); err != nil {
				return err
			}
			if !result.OK {
				return cli.ErrReported
			}
			return nil
		},
	}
	output.Register(command)
	return command
}

func newChecked(file string, settings *server.Settings, set []config.Setting, problems []*config.Problem) *checked {
	c := &checked{File: file, Settings: []checkedSetting{}, Problems: []checkedProblem{}}
	for _, s := range set {
		c.Settings = append(c.Settings, checkedSetting{s.Line, s.Key, s.Values})
	}
	for _, p := range problems {
		c.Problems = append(c.Problems, checkedProblem{p.Line, p.Column, p.Error()})
	}
	if err := errors.Join(settings.Check(), settings.CheckFiles()); err != nil && len(problems) == 0 {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			c.Problems = append(c.Problems, checkedProblem{Problem: line})
		}
	}
	c.OK = len(c.Problems) == 0
	return c
}

// print shows settings and problems in the order of their lines.
func (c *checked) print(w io.Writer) {
	settings := c.Settings
	for _, p := range c.Problems {
		for len(settings) > 0 && p.Line > 0 && settings[0].Line <= p.Line {
			c.printSetting(w, settings[0])
			settings = settings[1:]
		}
		if p.Line == 0 {
			continue
		}
		fmt.Fprintf(w, "%s:%d: PROBLEM: %s\n", c.File, p.Line, p.Problem)
	}
	for _, s := range settings {
		c.printSetting(w, s)
	}
	for _, p := range c.Problems {
		if p.Line == 0 {
			fmt.Fprintf(w, "%s: PROBLEM: %s\n", c.File, p.Problem)
		}
	}
	switch len(c.Problems) {
	case 0:
		fmt.Fprintf(w, "%s is good: %d settings\n", c.File, len(c.Settings))
	case 1:
		fmt.Fprintf(w, "%s has 1 problem\n", c.File)
	default:
		fmt.Fprintf(w, "%s has %d problems\n", c.File, len(c.Problems))
	}
}

func (c *checked) printSetting(w io.Writer, s checkedSetting) {
	fmt.Fprintf(w, "%s:%d: %s = %s\n", c.File, s.Line, s.Key, strings.Join(s.Values, ", "))
}
