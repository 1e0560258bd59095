package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
	"sampan/session/logstore"
)

// inspection is the result of `sampan store inspect`.
type inspection struct {
	Segments     []inspectedSegment `json:"segments"`
	Records      map[string]int64   `json:"records"`
	Bytes        int64              `json:"bytes"`
	Checkpoint   string             `json:"checkpoint,omitempty"` // position in the log
	SessionCount int                `json:"sessionCount"`
	Messages     int                `json:"messages"`
	Queued       int                `json:"queued"`
	Sessions     []inspectedSession `json:"sessions"`
	Torn         *storePlace        `json:"torn,omitempty"`
	Damage       []storePlace       `json:"damage"`
}

type inspectedSegment struct {
	File    string `json:"file"`
	Bytes   int64  `json:"bytes"`
	Records int64  `json:"records"`
	Live    int64  `json:"live"` // bytes of messages that a session waits for
}

type inspectedSession struct {
	ID            uint64                  `json:"id"`
	Identity      string                  `json:"identity"`
	Connected     bool                    `json:"connected"`       // when the broker stopped
	Until         string                  `json:"until,omitempty"` // never, if it is not connected
	Subscriptions []inspectedSubscription `json:"subscriptions"`
	Queued        int                     `json:"queued"`
	QueuedBytes   int64                   `json:"queuedBytes"`
	Sent          int                     `json:"sent"` // of the queued ones
}

type inspectedSubscription struct {
	Filter string `json:"filter"`
	QoS    byte   `json:"qos"`
}

func storeInspectCommand() *cobra.Command {
	var folder storeFolder
	var most int
	command := &cobra.Command{
		Use:   "inspect",
		Short: "show what is in the log: segments, sessions, what waits",
		Long: `Show the files of the log, what their records are, and the sessions by the size of what
waits for them. It works on a damaged log too, and says where the damage is.`,
		Example: `sampan store inspect
sampan store inspect --data /var/lib/sampan --sessions 5
sampan store inspect --json`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			if most < 0 {
				return cli.Usagef(command, "--sessions %d: cannot be negative; 0 lists all", most)
			}
			dir, err := folder.sessions()
			if err != nil {
				return err
			}
			found, err := logstore.Inspect(dir, logstore.Options{})
			if err != nil {
				return folder.explain(err)
			}
			result := newInspection(found, most)
			return folder.output.Print(command, result, result.print)
		},
	}
	cli.Section(command, "What to show", func(f *pflag.FlagSet) {
		f.IntVar(&most, "sessions", 20, "how many sessions to list, those with most waiting first; 0 lists all")
	})
	folder.register(command)
	return command
}

func newInspection(found *logstore.Inspection, most int) *inspection {
	result := &inspection{Segments: []inspectedSegment{}, Records: found.Records, Bytes: found.Bytes, SessionCount: len(found.Sessions),
		Messages: found.Messages, Queued: found.Queued, Sessions: []inspectedSession{}, Torn: tornPlace(found.Torn), Damage: placesOf(found.Damage)}
	if found.Checkpoint != 0 {
		result.Checkpoint = found.Checkpoint.String()
	}
	for _, s := range found.Segments {
		result.Segments = append(result.Segments, inspectedSegment{filepath.Base(s.File), s.Bytes, s.Records, s.Live})
	}
	for i, s := range found.Sessions {
		if most > 0 && i == most {
			break
		}
		subscriptions := make([]inspectedSubscription, len(s.Subscriptions))
		for i, sub := range s.Subscriptions {
			subscriptions[i] = inspectedSubscription{sub.Filter, sub.QoS}
		}
		result.Sessions = append(result.Sessions, inspectedSession{uint64(s.ID), s.Identity, s.Connected, until(s.Until), subscriptions, s.Queued, s.QueuedBytes, s.Sent})
	}
	return result
}

// expires says when the session ends if its client stays away.
func (s *inspectedSession) expires() string {
	switch {
	case s.Connected:
		return "in use"
	case s.Until == "":
		return "never"
	}
	return s.Until
}

func (r *inspection) print(w io.Writer) {
	rows := make([][]string, 0, len(r.Segments))
	for _, s := range r.Segments {
		rows = append(rows, []string{s.File, strconv.FormatInt(s.Bytes, 10), strconv.FormatInt(s.Records, 10), strconv.FormatInt(s.Live, 10)})
	}
	cli.Table(w, []string{"SEGMENT", "BYTES", "RECORDS", "WAITED FOR"}, rows)
	fmt.Fprintln(w)
	rows = rows[:0]
	for _, s := range r.Sessions {
		rows = append(rows, []string{strconv.FormatUint(s.ID, 10), s.Identity, strconv.Itoa(len(s.Subscriptions)), strconv.Itoa(s.Queued),
			strconv.FormatInt(s.QueuedBytes, 10), strconv.Itoa(s.Sent), s.expires()})
	}
	cli.Table(w, []string{"SESSION", "IDENTITY", "SUBSCRIPTIONS", "QUEUED", "BYTES", "SENT", "EXPIRES"}, rows)
	if hidden := r.SessionCount - len(r.Sessions); hidden > 0 {
		fmt.Fprintf(w, "and %d more\n", hidden)
	}
	fmt.Fprintf(w, "\n%d sessions; %d messages in %d places of their queues; last checkpoint at %s\n", r.SessionCount, r.Messages, r.Queued, orDash(r.Checkpoint))
	printPlaces(w, r.Torn, r.Damage)
}

// printPlaces says what is not good in a log.
func printPlaces(w io.Writer, torn *storePlace, damage []storePlace) {
	if torn != nil {
		fmt.Fprintf(w, "torn tail, which the next start cuts off: %s\n", torn)
	}
	for i := range damage {
		fmt.Fprintf(w, "damaged: %s\n", &damage[i])
	}
}

func (p *storePlace) String() string {
	if p.File == "" {
		return p.Reason
	}
	return fmt.Sprintf("%s, %d bytes at offset %d: %s", p.File, p.Bytes, p.Offset, p.Reason)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
