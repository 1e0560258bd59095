package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"sampan/bench"
	"sampan/bench/stat"
)

// schema is the version of the file of figures.
const schema = 2

// figures are what docs/benchmarks.json holds: the page is made of them alone.
type figures struct {
	Schema  int           `json:"schema"`
	Machine bench.Machine `json:"machine"`
	Entries []entry       `json:"-"` // written by hand, a line each
}

// entry is what one program gave under one load.
type entry struct {
	Cell     string    `json:"cell"`
	Cores    int       `json:"cores"`
	Program  string    `json:"program"`
	Version  string    `json:"version,omitempty"` // of the program
	Measured time.Time `json:"measured"`
	// Shared says that broker and generator had to share processors.
	Shared bool `json:"shared,omitempty"`
	// Realtime says that generator and brokers had real-time priority.
	Realtime bool `json:"realtime,omitempty"`
	// Warmup and Duration are those of each round, in seconds.
	Warmup   float64 `json:"warmup_s"`
	Duration float64 `json:"duration_s"`
	// Values are those of the rounds, by metric. A round may be without one.
	Values map[string][]float64 `json:"values"`
	// Trouble is what the program did wrong, in words.
	Trouble string `json:"trouble,omitempty"`
	// Bottleneck is why rates and latencies are missing: the generator could do no more.
	Bottleneck string `json:"bottleneck,omitempty"`
	// Crowded is the largest share of the time in which others had the processors, if it matters.
	Crowded float64 `json:"crowded,omitempty"`
}

// kept are the metrics that are written down.
var kept = []string{
	perCPU, connectCPU, callCPU, perIdle, "deliveries_per_second", "connects_per_second", "calls_per_second",
	"latency_p50", "latency_p99", "latency_p99.9", "broker_cpu",
}

// crowdedFrom is the share of waiting from which a reader should know of it.
const crowdedFrom = 0.1

// entryOf takes out of a result what the page needs.
func entryOf(c *cell, cores int, program string, shared bool, r *bench.Result) entry {
	e := entry{
		Cell: c.name, Cores: cores, Program: program, Measured: r.Began.UTC().Truncate(time.Second), Shared: shared,
		Realtime: r.Machine.Realtime,
		Warmup:   r.Scenario.Warmup.Seconds(), Duration: r.Scenario.Duration.Seconds(),
		Values: map[string][]float64{}, Bottleneck: r.Bottleneck(),
	}
	for i := range r.Rounds {
		m := &r.Rounds[i]
		for _, v := range m.Metrics(&r.Scenario) {
			if slices.Contains(kept, v.Name) {
				e.Values[v.Name] = append(e.Values[v.Name], significant(v.Value))
			}
		}
		if m.Err != "" {
			e.Trouble = oneLine(m.Err)
		}
		broker, generator := m.Crowded()
		if most := max(broker, generator); most >= crowdedFrom {
			e.Crowded = max(e.Crowded, significant(most))
		}
	}
	if e.Trouble != "" {
		clear(e.Values)
	}
	return e
}

// failed is the entry of a program that gave nothing.
func failed(c *cell, cores int, program, trouble string) entry {
	return entry{Cell: c.name, Cores: cores, Program: program, Measured: time.Now().UTC(), Trouble: oneLine(trouble)}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// significant rounds to four digits: a round is not worth more.
func significant(v float64) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	return short
}

// of is the median and the spread of a metric over the rounds that have it.
func (e *entry) of(metric string) stat.Summary { return stat.Of(e.Values[metric]...) }

// find returns the entry of a cell, nil if there is none.
func (f *figures) find(cell string, cores int, program string) *entry {
	i := slices.IndexFunc(f.Entries, func(e entry) bool {
		return e.Cell == cell && e.Cores == cores && e.Program == program
	})
	if i < 0 {
		return nil
	}
	return &f.Entries[i]
}

// put takes new entries in the place of older ones of the same cell and cores.
func (f *figures) put(fresh []entry) {
	f.Entries = slices.DeleteFunc(f.Entries, func(old entry) bool {
		return slices.ContainsFunc(fresh, func(e entry) bool { return e.Cell == old.Cell && e.Cores == old.Cores })
	})
	f.Entries = append(f.Entries, fresh...)
	place := func(e entry) int { return slices.IndexFunc(cells, func(c cell) bool { return c.name == e.Cell }) }
	slices.SortStableFunc(f.Entries, func(a, b entry) int {
		if a.Cores != b.Cores {
			return a.Cores - b.Cores
		}
		return place(a) - place(b)
	})
}

// readFigures reads the file; one that is not there is empty.
func readFigures(name string) (*figures, error) {
	f := &figures{Schema: schema}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	whole := struct {
		*figures
		Entries []entry `json:"entries"`
	}{figures: f}
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if f.Schema != schema {
		return nil, fmt.Errorf("%s has schema %d, this program writes %d; remove it to begin anew", name, f.Schema, schema)
	}
	f.Entries = whole.Entries
	return f, nil
}

// write writes the file, an entry on each line so that a person can compare two versions.
func (f *figures) write(name string) error {
	head, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	var text bytes.Buffer
	text.Write(bytes.TrimSuffix(head, []byte("\n}")))
	text.WriteString(",\n  \"entries\": [")
	for i, e := range f.Entries {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString("\n    ")
		text.Write(line)
	}
	text.WriteString("\n  ]\n}\n")
	return replace(name, text.Bytes())
}

// replace writes a file in one step, so that an interrupted run leaves a whole one.
func replace(name string, text []byte) error {
	next := name + ".new"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return err
	}
	return os.Rename(next, name)
}
