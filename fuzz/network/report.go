package network

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d scripts in %.0f s, %d kinds of answers, profile %s, seed %d\n", r.Scripts, r.Seconds, r.Effects, r.Profile, r.Seed)
	section := func(title string, found []*Finding) {
		fmt.Fprintf(&b, "\n%s: %d\n", title, len(found))
		for i, f := range found {
			fmt.Fprintf(&b, "\n%d. [%s] %s (%d scripts%s)\n", i+1, f.Rule, f.Text, f.Count, map[bool]string{false: ", not repeatable"}[f.Repeats])
			if f.Got != "" {
				fmt.Fprintf(&b, "   got  %s\n        %s\n", f.Got, f.Bytes)
			}
			if f.Want != "" {
				fmt.Fprintf(&b, "   want %s\n", f.Want)
			}
			for line := range strings.Lines(f.Script) {
				fmt.Fprintf(&b, "   | %s", line)
			}
			for _, line := range f.Transcript {
				fmt.Fprintf(&b, "     %s\n", line)
			}
		}
	}
	section("deviations", r.Deviations)
	if len(r.Differences) > 0 {
		section("differences between the two brokers", r.Differences)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
