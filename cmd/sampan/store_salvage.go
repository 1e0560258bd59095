package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/cmd/internal/server"
	"sampan/session/logstore"
	"sampan/session/wal"
)

// salvaged is the result of `sampan store salvage`.
type salvaged struct {
	From          string       `json:"from"`
	To            string       `json:"to"`
	Sessions      int          `json:"sessions"`
	Subscriptions int          `json:"subscriptions"`
	Messages      int          `json:"messages"`
	Queued        int          `json:"queued"`
	Lost          int          `json:"lost"`
	Torn          *storePlace  `json:"torn,omitempty"`
	Damage        []storePlace `json:"damage"`
}

func storeSalvageCommand() *cobra.Command {
	var folder storeFolder
	var to string
	command := &cobra.Command{
		Use:   "salvage",
		Short: "copy what can be read of a damaged log into a new one",
		Long: `Make a new log of everything in a damaged one that can be read. The damaged one is not changed.
Sessions keep their names, messages their order and packet identifiers. What was noted in a
damaged place is as if it had not happened: messages may come again that were acknowledged,
and a session whose beginning is lost is not there. The products and devices in the data
directory (devices/) and what is known of them (ledger/) are logs of their own, which are not
copied: if they are in order, move them to the new directory; if not, they need a backup.`,
		Example: `sampan store salvage --to /var/lib/sampan-salvaged
# what it made takes the place of what was damaged
mv /var/lib/sampan/sessions /var/lib/sampan/sessions.damaged
mv /var/lib/sampan-salvaged/sessions /var/lib/sampan/sessions`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			if to == "" {
				return cli.Usagef(command, "--to is missing: the new log needs a directory")
			}
			dir, err := folder.sessions()
			if err != nil {
				return err
			}
			// The new directory is made first, so what is missing from then on is not the damaged log.
			if _, err := os.Stat(dir); err != nil {
				return folder.explain(err)
			}
			out := server.Sessions(to)
			s, err := logstore.Salvage(dir, out, logstore.Options{})
			if file := fileOf(err); file == out || strings.HasPrefix(file, out+string(filepath.Separator)) {
				return fmt.Errorf("the new log cannot be made in %s; name another directory with --to: %w", to, underlying(err))
			}
			if err != nil {
				return folder.explain(err)
			}
			result := &salvaged{dir, out, s.Sessions, s.Subscriptions, s.Messages, s.Queued, s.Lost, tornPlace(s.Torn), placesOf(s.Damage)}
			return folder.output.Print(command, result, result.print)
		},
	}
	cli.Section(command, "Where to", func(f *pflag.FlagSet) {
		f.StringVar(&to, "to", "", "data `DIR` for the new log, in which there must be none")
	})
	folder.register(command)
	return command
}

// fileOf is the file with which an error has to do, if it says so.
func fileOf(err error) string {
	var failure *wal.Failure
	var path *fs.PathError
	switch {
	case errors.As(err, &failure):
		return failure.File
	case errors.As(err, &path):
		return path.Path
	}
	return ""
}

func (s *salvaged) print(w io.Writer) {
	fmt.Fprintf(w, "salvaged %d sessions with %d subscriptions, and %d messages in %d places of their queues, to %s\n",
		s.Sessions, s.Subscriptions, s.Messages, s.Queued, s.To)
	if s.Lost > 0 {
		fmt.Fprintf(w, "lost: %d places in queues, whose messages cannot be read\n", s.Lost)
	}
	printPlaces(w, s.Torn, s.Damage)
}
