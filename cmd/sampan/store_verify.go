package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"sampan/cmd/internal/cli"
	"sampan/session/logstore"
)

// verification is the result of `sampan store verify`.
type verification struct {
	OK       bool           `json:"ok"`
	Records  int64          `json:"records"`
	Bytes    int64          `json:"bytes"`
	Sessions int            `json:"sessions"`
	Messages int            `json:"messages"`
	Seconds  float64        `json:"seconds"`
	Torn     *storePlace    `json:"torn,omitempty"` // no fault
	Damage   []storePlace   `json:"damage"`
	Missing  []missingPlace `json:"missing"`
	Logs     []verifiedLog  `json:"logs"` // beside that of the sessions, which is all of the above but for OK

	none bool // there are no sessions
}

// missingPlace is a message that is queued and not there.
type missingPlace struct {
	Message uint64 `json:"message"`
	File    string `json:"file,omitempty"`
	Offset  uint32 `json:"offset"`
}

func storeVerifyCommand() *cobra.Command {
	var folder storeFolder
	command := &cobra.Command{
		Use:   "verify",
		Short: "read all logs of a data directory and compare them with their checksums",
		Long: `Read every record of the log of sessions, compare it with its checksum, and look for every
message that is queued; read the logs of products and devices (devices/) and of what is known
of devices (ledger/) in the same way. The exit status is 0 only if nothing is wrong. A torn
tail is not wrong: it is what was being written when the power went, nothing of it was
acknowledged, and the broker cuts it off when it starts.`,
		Example: `sampan store verify
sampan store verify --data /var/lib/sampan --json`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			dir, err := folder.sessions()
			if err != nil {
				return err
			}
			result, err := verifyAll(dir, folder.data)
			if err != nil {
				return folder.explain(err)
			}
			if err := folder.output.Print(command, result, result.print); err != nil {
				return err
			}
			if !result.OK {
				return cli.ErrReported
			}
			return nil
		},
	}
	folder.register(command)
	return command
}

// verifyAll reads all logs of a data directory, of which dir is that of the sessions. A broker may have had one
// without the others; if there is none, the error is that of the sessions.
func verifyAll(dir, data string) (*verification, error) {
	logs, err := verifyLogs(data)
	if err != nil {
		return nil, err
	}
	v, err := logstore.Verify(dir, logstore.Options{})
	none := errors.Is(err, fs.ErrNotExist) && len(logs) > 0
	if none {
		v, err = &logstore.Verification{}, nil
	}
	if err != nil {
		return nil, err
	}
	result := newVerification(v)
	result.none = none
	for _, l := range logs {
		result.Logs = append(result.Logs, l)
		result.OK = result.OK && len(l.Damage) == 0
	}
	return result, nil
}

func newVerification(v *logstore.Verification) *verification {
	result := &verification{OK: v.OK(), Records: v.Records, Bytes: v.Bytes, Sessions: v.Sessions, Messages: v.Messages,
		Seconds: v.Duration.Seconds(), Torn: tornPlace(v.Torn), Damage: placesOf(v.Damage), Missing: []missingPlace{}, Logs: []verifiedLog{}}
	for _, m := range v.Missing {
		result.Missing = append(result.Missing, missingPlace{uint64(m.Ref), m.File, m.At.Offset()})
	}
	return result
}

func (v *verification) print(w io.Writer) {
	if v.none {
		fmt.Fprintln(w, "there are no sessions")
	} else {
		fmt.Fprintf(w, "%d records, %d bytes, read in %.2fs: %d sessions, %d messages\n", v.Records, v.Bytes, v.Seconds, v.Sessions, v.Messages)
	}
	printPlaces(w, v.Torn, v.Damage)
	for _, m := range v.Missing {
		fmt.Fprintf(w, "missing: message %d, which should be in %s at offset %d\n", m.Message, orDash(m.File), m.Offset)
	}
	for i := range v.Logs {
		v.Logs[i].print(w)
	}
	if v.OK {
		fmt.Fprintln(w, "nothing is wrong")
		return
	}
	if len(v.Damage) > 0 || len(v.Missing) > 0 {
		fmt.Fprintln(w, "the log is damaged; 'sampan store salvage' copies what can be read")
	}
	for _, l := range v.Logs {
		if len(l.Damage) > 0 {
			fmt.Fprintf(w, "%s is damaged: %s; 'sampan store salvage' does not copy it: put the folder back from a backup\n", l.Name, l.what)
		}
	}
}
