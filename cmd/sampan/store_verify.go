package main

import (
	"fmt"
	"io"

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
		Short: "read the whole log and compare it with its checksums",
		Long: `Read every record of the log, compare it with its checksum, and look for every message that
is queued. The exit status is 0 only if nothing is wrong. A torn tail is not wrong: it is
what was being written when the power went, nothing of it was acknowledged, and the broker
cuts it off when it starts.`,
		Example: `sampan store verify
sampan store verify --data /var/lib/sampan --json`,
		Args: cli.Args(),
		RunE: func(command *cobra.Command, _ []string) error {
			dir, err := folder.sessions()
			if err != nil {
				return err
			}
			v, err := logstore.Verify(dir, logstore.Options{})
			if err != nil {
				return folder.explain(err)
			}
			result := newVerification(v)
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

func newVerification(v *logstore.Verification) *verification {
	result := &verification{OK: v.OK(), Records: v.Records, Bytes: v.Bytes, Sessions: v.Sessions, Messages: v.Messages,
		Seconds: v.Duration.Seconds(), Torn: tornPlace(v.Torn), Damage: placesOf(v.Damage), Missing: []missingPlace{}}
	for _, m := range v.Missing {
		result.Missing = append(result.Missing, missingPlace{uint64(m.Ref), m.File, m.At.Offset()})
	}
	return result
}

func (v *verification) print(w io.Writer) {
	fmt.Fprintf(w, "%d records, %d bytes, read in %.2fs: %d sessions, %d messages\n", v.Records, v.Bytes, v.Seconds, v.Sessions, v.Messages)
	printPlaces(w, v.Torn, v.Damage)
	for _, m := range v.Missing {
		fmt.Fprintf(w, "missing: message %d, which should be in %s at offset %d\n", m.Message, orDash(m.File), m.Offset)
	}
	if v.OK {
		fmt.Fprintln(w, "nothing is wrong")
	} else {
		fmt.Fprintln(w, "the log is damaged; 'sampan store salvage' copies what can be read")
	}
}
