package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/server"
	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
)

func storeCommand() *cobra.Command {
	return group("store", "look into the durable log of sessions and messages", `The durable log: sessions, subscriptions and QoS 1 messages in a data directory that
no broker runs on. Only salvage writes, and that to a new directory. Verify also reads the two
logs beside it, those of devices. What the broker promises about the logs, and what it does when
a disk fails, is in docs/durability.md.`,
		storeInspectCommand(), storeVerifyCommand(), storeSalvageCommand())
}

// storeFolder is where the log is: the flags that all of these commands have.
type storeFolder struct {
	data    string
	command *cobra.Command
	output  cli.Output
}

func (s *storeFolder) register(command *cobra.Command) {
	s.command = command
	cli.Section(command, "Where the log is", func(f *pflag.FlagSet) {
		f.StringVar(&s.data, "data", "./sampan-data", "`DIR` of the broker's data; $SAMPAN_DATA sets it too")
	})
	s.output.Register(command)
}

// sessions is the folder of the log.
func (s *storeFolder) sessions() (string, error) {
	if err := cli.FromEnvironment(s.command.Flags(), "data"); err != nil {
		return "", err
	}
	if s.data == "" {
		return "", cli.Usagef(s.command, "%s", noData)
	}
	return server.Sessions(s.data), nil
}

// explain says what an error of the log means to an operator.
func (s *storeFolder) explain(err error) error {
	switch {
	case errors.Is(err, wal.ErrLocked):
		return fmt.Errorf("a broker runs on %s; stop it first: %w", s.data, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s cannot be read by this user; it belongs to the one that the broker runs as: %w", s.data, underlying(err))
	case errors.Is(err, fs.ErrNotExist):
		return s.missing()
	}
	return err
}

// missing is the error of a data directory without a log.
func (s *storeFolder) missing() error {
	return fmt.Errorf("there are no sessions in %s: no broker has run on it, or with --durability memory", s.data)
}

// underlying is the operating system's error in one of the log, which would go on to say what a broker cannot do.
func underlying(err error) error {
	var failure *wal.Failure
	if errors.As(err, &failure) {
		return failure.Err
	}
	return err
}

// storePlace is a place in the log that is not good, as JSON.
type storePlace struct {
	File   string `json:"file,omitempty"`
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes,omitempty"`
	Reason string `json:"reason"`
}

func placeOf(p logstore.Place) storePlace { return storePlace{p.File, p.Offset, p.Length, p.Reason} }

func placesOf(places []logstore.Place) []storePlace {
	all := make([]storePlace, len(places)) // not nil: an empty list in JSON
	for i, p := range places {
		all[i] = placeOf(p)
	}
	return all
}

// tornPlace is the torn tail, or nil.
func tornPlace(p *logstore.Place) *storePlace {
	if p == nil {
		return nil
	}
	torn := placeOf(*p)
	return &torn
}

// until says when a session ends.
func until(t session.Time) string {
	if t == 0 {
		return ""
	}
	return time.UnixMilli(int64(t)).UTC().Format(time.RFC3339)
}
