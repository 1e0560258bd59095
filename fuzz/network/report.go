package network

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Facts are lines that say where a finding showed and by what.
func (f *Finding) Facts() (lines []string) {
	if f.Connection != "" {
		lines = append(lines, "on connection "+f.Connection)
	}
	if f.Step > 0 {
		lines = append(lines, fmt.Sprintf("at step %d, %s", f.Step, f.Action))
	}
	switch {
	case f.Got != "":
		lines = append(lines, "got  "+f.Got, "     "+f.Bytes)
	case f.Bytes != "":
		lines = append(lines, "sent "+f.Bytes)
	}
	if f.Want != "" {
		lines = append(lines, "want "+f.Want)
	}
	return lines
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d scripts in %.0f s, %d kinds of answers, profile %s, seed %d\n", r.Scripts, r.Seconds, r.Effects, r.Profile, r.Seed)
	section := func(title string, found []*Finding) {
		fmt.Fprintf(&b, "\n%s: %d\n", title, len(found))
		for i, f := range found {
			fmt.Fprintf(&b, "\n%d. [%s] %s (%d scripts%s)\n", i+1, f.Rule, f.Text, f.Count, map[bool]string{false: ", does not repeat"}[f.Repeats])
			for _, line := range f.Facts() {
				fmt.Fprintf(&b, "   %s\n", line)
			}
			for line := range strings.Lines(f.Script) {
				fmt.Fprintf(&b, "   | %s", line)
			}
			for _, line := range f.Transcript {
				fmt.Fprintf(&b, "     %s\n", line)
			}
			for _, earlier := range f.Earlier {
				fmt.Fprintf(&b, "   or one before it:\n")
				for line := range strings.Lines(earlier) {
					fmt.Fprintf(&b, "   | %s", line)
				}
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
