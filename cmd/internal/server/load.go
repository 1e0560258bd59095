package server

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/config"
)

// Load makes settings of what the command line set, then the environment, then a configuration file if path
// names one. All that is wrong with the file is in the error, a line each.
func Load(commandLine *pflag.FlagSet, path string) (*Settings, error) {
	s, _, problems, err := Read(commandLine, path)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = fmt.Errorf("%s:%d: %w", path, p.Line, p)
	}
	return s, errors.Join(errs...)
}

// Read is Load for those who want to show the file's settings and problems themselves; the error is only
// about reading it.
func Read(commandLine *pflag.FlagSet, path string) (*Settings, []config.Setting, []*config.Problem, error) {
	s := new(Settings)
	command := new(cobra.Command)
	s.Register(command)
	flags := command.Flags()
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		if given := commandLine.Lookup(f.Name); given != nil && given.Changed && err == nil {
			err = assign(f, given)
		}
	})
	if err == nil {
		err = cli.FromEnvironment(flags)
	}
	if err != nil || path == "" {
		return s, nil, nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("the configuration file: %w", err)
	}
	defer file.Close()
	flags.String(ConfigFlag, "", "")
	set, problems := config.Load(flags, file, ConfigFlag)
	return s, set, problems, nil
}

// assign gives a flag the value of another of its kind.
func assign(to, from *pflag.Flag) error {
	to.Changed = true
	if list, isList := from.Value.(pflag.SliceValue); isList {
		return to.Value.(pflag.SliceValue).Replace(list.GetSlice())
	}
	return to.Value.Set(from.Value.String())
}

// live are the settings that Reload takes over; every other one needs a new start.
var live = []string{"log-format", "log-level"}

// changes names the settings that differ and that Reload cannot take over.
func (s *Settings) changes(next *Settings) []string {
	var names []string
	s.flags.VisitAll(func(f *pflag.Flag) {
		if f.Value.String() != next.flags.Lookup(f.Name).Value.String() && !slices.Contains(live, f.Name) {
			names = append(names, f.Name)
		}
	})
	return names
}
