package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sampan/bench"
)

// WriteTable writes aligned tables for a terminal: one for each scenario, with
// a column for each target.
func (r *Report) WriteTable(w io.Writer) error {
	t := &table{to: w}
	for i, g := range r.groups() {
		if i > 0 {
			t.line("")
		}
		t.group(g)
	}
	for _, h := range r.Searches {
		t.search(h)
	}
	return t.err
}

// group is the results of one scenario.
type group struct {
	name, about string
	results     []*bench.Result
	ratios      []bench.Ratio
}

// groups sorts results by scenario, in the order in which they are.
func (r *Report) groups() (all []*group) {
	byName := map[string]*group{}
	for _, result := range r.Results {
		g := byName[result.Scenario.Name]
		if g == nil {
			g = &group{name: result.Scenario.Name, about: result.Scenario.About}
			byName[g.name] = g
			all = append(all, g)
		}
		g.results = append(g.results, result)
	}
	for _, ratio := range r.Ratios {
		if g := byName[ratio.Scenario]; g != nil {
			g.ratios = append(g.ratios, ratio)
		}
	}
	return all
}

// ratio finds the ratio of a target's metric.
func (g *group) ratio(target, name string) (bench.Ratio, bool) {
	for _, r := range g.ratios {
		if r.Target == target && r.Name == name {
			return r, true
		}
	}
	return bench.Ratio{}, false
}

// metrics lists the metrics that any of the group's results has, in order.
func (g *group) metrics() (all []bench.Metric) {
	seen := map[string]bool{}
	for _, r := range g.results {
		for _, f := range r.Summary {
			if !seen[f.Name] {
				seen[f.Name] = true
				all = append(all, f.Metric)
			}
		}
	}
	return all
}

// table writes lines and keeps the first error.
type table struct {
	to  io.Writer
	err error
}

func (t *table) line(format string, args ...any) {
	if _, err := fmt.Fprintf(t.to, format+"\n", args...); t.err == nil {
		t.err = err
	}
}

// group writes one scenario.
func (t *table) group(g *group) {
	t.line("%s: %s", g.name, g.about)
	m := g.results[0].Machine
	t.line("%d processors, %s, %s %s; %s", m.Processors, cmp.Or(m.Processor, m.Arch), m.OS, m.Kernel, rounds(g))
	t.line("")
	columns := tabwriter.NewWriter(t.to, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(columns, strings.Join(cells, "\t")+"\t") }
	head := []string{""}
	for i, r := range g.results {
		head = append(head, r.Target, "")
		if i > 0 && len(g.ratios) > 0 {
			head = append(head, "ratio", "95 %")
		}
	}
	row(head...)
	for _, m := range g.metrics() {
		cells := []string{metric(m.Name)}
		for i, r := range g.results {
			if f, ok := r.Figure(m.Name); ok {
				cells = append(cells, value(f.Median, f.Unit), spread(f.Summary))
			} else {
				cells = append(cells, "-", "")
			}
			if i > 0 && len(g.ratios) > 0 {
				if ratio, ok := g.ratio(r.Target, m.Name); ok {
					cells = append(cells, "× "+digits(ratio.Ratio.Ratio), digits(ratio.Low)+" to "+digits(ratio.High))
				} else {
					cells = append(cells, "", "")
				}
			}
		}
		row(cells...)
	}
	if err := columns.Flush(); t.err == nil {
		t.err = err
	}
	for _, r := range g.results {
		t.line("")
		for _, s := range remarks(r) {
			t.line("%s: %s", r.Target, s)
		}
	}
}

// rounds says how often was measured.
func rounds(g *group) string {
	n := 0
	for i := range g.results[0].Rounds {
		if g.results[0].Rounds[i].Err == "" {
			n++
		}
	}
	s := &g.results[0].Scenario
	if n <= 1 {
		return fmt.Sprintf("one round of %v after %v of warm-up", s.Duration, s.Warmup)
	}
	return fmt.Sprintf("median of %d rounds of %v after %v of warm-up", n, s.Duration, s.Warmup)
}

// remarks are what a reader has to know besides the figures, the messages'
// accounts first.
func remarks(r *bench.Result) (all []string) {
	all = append(all, account(r))
	for _, f := range r.Faults {
		all = append(all, "FAULT "+f.Error())
	}
	if b := r.Bottleneck(); b != "" {
		all = append(all, "NO BROKER FIGURE"+inSome(r)+": the generator was the bottleneck: "+b)
	}
	for i := range r.Rounds {
		for _, note := range r.Rounds[i].Notes {
			all = append(all, fmt.Sprintf("note, round %d: %s", i+1, note))
		}
	}
	return append(all, crowd(r)...)
}

// inSome says in how many rounds the generator was the bottleneck, unless it
// was in all of them.
func inSome(r *bench.Result) string {
	n := 0
	for i := range r.Rounds {
		if r.Rounds[i].Bottleneck != "" {
			n++
		}
	}
	if n == len(r.Rounds) {
		return ""
	}
	return fmt.Sprintf(" in %d of %d rounds", n, len(r.Rounds))
}

// crowdedFrom is the share of waiting from which a reader should know of it.
const crowdedFrom = 0.1

// crowd says that the machine had other work.
func crowd(r *bench.Result) []string {
	var broker, generator float64
	for i := range r.Rounds {
		b, g := r.Rounds[i].Crowded()
		broker, generator = max(broker, b), max(generator, g)
	}
	if max(broker, generator) < crowdedFrom {
		return nil
	}
	return []string{fmt.Sprintf("crowded machine: others had the processors for up to %.0f %% of the time in which the broker wanted one, and %.0f %% for the generator; compare ratios only",
		100*broker, 100*generator)}
}

// account tells what became of the messages of all rounds.
func account(r *bench.Result) string {
	var sent, delivered, acked, lost, doubled, redelivered, reordered, corrupted, connects uint64
	for i := range r.Rounds {
		m := &r.Rounds[i]
		c := &m.Counters
		sent, delivered, acked, lost = sent+c.Sent, delivered+c.Delivered, acked+c.Acked, lost+m.Lost
		doubled, redelivered, reordered = doubled+c.Doubled, redelivered+c.Redelivered, reordered+c.Reordered
		corrupted, connects = corrupted+c.Corrupted+c.Misrouted+c.Foreign, connects+c.Connects
	}
	text := fmt.Sprintf("%s connections", count(connects))
	if sent > 0 {
		text += fmt.Sprintf(", %s sent", count(sent))
		if acked > 0 {
			text += fmt.Sprintf(", %s acknowledged", count(acked))
		}
		text += fmt.Sprintf(", %s delivered, %s lost, %s doubled, %s reordered, %s wrong",
			count(delivered), count(lost), count(doubled), count(reordered), count(corrupted))
	}
	if redelivered > 0 {
		text += fmt.Sprintf(", %s delivered again after a reconnect, as QoS 1 allows", count(redelivered))
	}
	return text
}

// stepHead names what stepRows has besides the rate.
var stepHead = []string{"p50", "p99", "p99.9", ""}

// stepRows are a search's steps: rate, latencies, and why a rate is not good.
func stepRows(h *bench.Highest) (rows [][]string) {
	for _, s := range h.Steps {
		cells := []string{short(s.Rate) + "/s"}
		for _, q := range []string{"_p50", "_p99", "_p99.9"} {
			if f, ok := s.Result.Figure(bounded(h) + q); ok {
				cells = append(cells, value(f.Median, f.Unit))
			} else {
				cells = append(cells, "-")
			}
		}
		rows = append(rows, append(cells, cmp.Or(s.Limit, "good")))
	}
	return rows
}

// bounded names the figures that a search has bounded.
func bounded(h *bench.Highest) string { return cmp.Or(h.Bounded, "latency") }

// sought is what a search looks for.
func sought(h *bench.Highest) string {
	of := ""
	if b := bounded(h); b != "latency" {
		of = b + " "
	}
	return fmt.Sprintf("%s: highest rate with %sp99 within %s", h.Target, of, value(h.P99, "µs"))
}

// outcome says in a sentence what a search found.
func outcome(h *bench.Highest) string {
	switch {
	case h.Limit == "interrupted" && h.Rate == 0:
		return "interrupted before any rate was found good"
	case h.Limit == "interrupted":
		return fmt.Sprintf("at least %s/s; the search was interrupted", short(h.Rate))
	case h.Rate == 0 && h.Limit == "generator":
		return "no rate could be judged: the generator was the bottleneck at each; the machine has other work"
	case h.Rate == 0:
		return "no rate is good: " + h.Limit
	case h.Limit == "generator" || h.Limit == "most":
		return fmt.Sprintf("at least %s/s; what ended the search was not the broker (%s)", short(h.Rate), h.Limit)
	}
	return fmt.Sprintf("%s/s; the next rate fails by %s", short(h.Rate), h.Limit)
}

// lowestBad is the lowest rate that was not good; nil if all were.
func lowestBad(h *bench.Highest) (lowest *bench.Step) {
	for i := range h.Steps {
		if s := &h.Steps[i]; !s.Good && (lowest == nil || s.Rate < lowest.Rate) {
			lowest = s
		}
	}
	return lowest
}

// search writes a search's steps.
func (t *table) search(h *bench.Highest) {
	t.line("%s", sought(h))
	t.line("")
	columns := tabwriter.NewWriter(t.to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, "rate\t"+strings.Join(stepHead, "\t")+"\t")
	for _, cells := range stepRows(h) {
		fmt.Fprintln(columns, strings.Join(cells, "\t")+"\t")
	}
	if err := columns.Flush(); t.err == nil {
		t.err = err
	}
	t.line("")
	t.line("%s", outcome(h))
	if s := lowestBad(h); s != nil {
		for _, f := range s.Result.Faults {
			t.line("at %s/s: FAULT %v", short(s.Rate), f)
		}
	}
}
