package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sampan/bench"
)

// Report is what there is to show.
type Report struct {
	Schema  int             `json:"schema"`
	Results []*bench.Result `json:"results,omitempty"`
	// Ratios compare targets, if there was a comparison.
	Ratios []bench.Ratio `json:"ratios,omitempty"`
	// Searches are results of bench.Search.
	Searches []*bench.Highest `json:"searches,omitempty"`
}

// Of makes the report of comparisons.
func Of(comparisons ...*bench.Comparison) *Report {
	r := new(Report)
	for _, c := range comparisons {
		r.Results = append(r.Results, c.Results...)
		r.Ratios = append(r.Ratios, c.Ratios...)
	}
	return r
}

// WriteJSON writes everything there is, with [bench.Schema].
func (r *Report) WriteJSON(w io.Writer) error {
	r.Schema = bench.Schema
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(from io.Reader) (*Report, error) {
	r := new(Report)
	if err := json.NewDecoder(from).Decode(r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if r.Schema != bench.Schema {
		return nil, fmt.Errorf("report: schema %d, this program reads %d", r.Schema, bench.Schema)
	}
	return r, nil
}

// WriteHgrm writes the latency distribution of every result, all rounds
// together, to a file of its own in a folder, and returns their names. The
// values are microseconds.
func (r *Report) WriteHgrm(folder string) (names []string, err error) {
	for _, result := range r.Results {
		for _, d := range distributions(result) {
			name := filepath.Join(folder, fileName(result.Scenario.Name, result.Target, d.name)+".hgrm")
			if err := writeFile(name, func(w io.Writer) error { return d.h.WriteHgrm(w, time.Microsecond) }); err != nil {
				return names, err
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// writeFile creates a file and reports every error.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = write(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// fileName makes a name of parts that may have any characters.
func fileName(parts ...string) string {
	safe := func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-':
			return c
		}
		return '_'
	}
	for i, p := range parts {
		parts[i] = strings.Map(safe, filepath.Base(p))
	}
	return strings.Join(parts, "-")
}
