package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"sampan/bench"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// WriteHTML writes one page that needs nothing else: no script, no font, no
// other file. It has plots of everything that was measured, and says in words
// what was wrong.
func (r *Report) WriteHTML(w io.Writer) error { return page.Execute(w, r.page()) }

// colors is how many targets have a colour of their own.
const colors = 6

// pageData is what the page shows.
type pageData struct {
	Title    string
	Machine  string
	Began    string
	Targets  []legend
	Overview []overviewRow
	Sections []section
	Searches []searchSection
}

// legend is a target and its colour.
type legend struct {
	Name  string
	Color int
}

// overviewRow is a scenario in the table at the top.
type overviewRow struct {
	ID, Name, About, Metric string
	Cells                   []overviewCell
}

type overviewCell struct {
	Color int
	Value string
	Note  string // ratio, or why there is no value
	Share float64
	Bad   bool
}

// section is a scenario.
type section struct {
	ID, Name, About, How string
	Bars                 []plot
	Plots                []plot
	Head                 []string
	Rows                 [][]string
	Remarks              []remark
}

type plot struct {
	Title string
	SVG   template.HTML
}

type remark struct {
	Target string
	Color  int
	Lines  []remarkLine
}

type remarkLine struct {
	Text string
	Bad  bool
}

type searchSection struct {
	Title, Outcome string
	SVG            template.HTML
	Head           []string // of the steps
	Rows           [][]string
}

// page gathers what the page shows.
func (r *Report) page() *pageData {
	groups := r.groups()
	index := map[string]int{}
	color := func(target string) int {
		if _, known := index[target]; !known {
			index[target] = len(index) % colors
		}
		return index[target]
	}
	p := &pageData{Title: "Broker benchmark"}
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
		for _, result := range g.results {
			if _, known := index[result.Target]; !known {
				p.Targets = append(p.Targets, legend{result.Target, color(result.Target)})
			}
		}
	}
	for _, h := range r.Searches {
		if _, known := index[h.Target]; !known {
			p.Targets = append(p.Targets, legend{h.Target, color(h.Target)})
		}
	}
	const few = 3
	switch {
	case len(names) > 0 && len(names) <= few:
		p.Title = strings.Join(names, ", ")
	case len(r.Searches) > 0 && len(names) == 0:
		p.Title = "Highest rate within a bound on latency"
	}
	if len(r.Results) > 0 {
		first := r.Results[0]
		m := first.Machine
		p.Machine = strings.Join(nonEmpty(m.Processor, fmt.Sprintf("%d processors", m.Processors), m.OS+" "+m.Kernel, m.Go+" generator"), " · ")
		p.Began = first.Began.Format("2 January 2006, 15:04 MST")
	}
	for _, g := range groups {
		if len(groups) > 1 || len(g.results) > 1 {
			p.Overview = append(p.Overview, g.overview(p.Targets))
		}
		p.Sections = append(p.Sections, g.section(color))
	}
	for _, h := range r.Searches {
		p.Searches = append(p.Searches, searched(h, color(h.Target)))
	}
	return p
}

// times writes a ratio with its interval.
func times(r bench.Ratio) string {
	return fmt.Sprintf("× %s (%s to %s)", digits(r.Ratio.Ratio), digits(r.Low), digits(r.High))
}

func nonEmpty(parts ...string) (kept []string) {
	for _, s := range parts {
		if strings.TrimSpace(s) != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// headline is the metric that a scenario is about: the first one that all
// results have, or any.
func (g *group) headline() (bench.Metric, bool) {
	all := g.metrics()
	for _, m := range all {
		complete := true
		for _, r := range g.results {
			_, ok := r.Figure(m.Name)
			complete = complete && ok
		}
		if complete {
			return m, true
		}
	}
	if len(all) > 0 {
		return all[0], true
	}
	return bench.Metric{}, false
}

// overview makes the scenario's row in the table at the top.
func (g *group) overview(targets []legend) overviewRow {
	row := overviewRow{ID: fileName(g.name), Name: g.name, About: g.about}
	m, _ := g.headline()
	row.Metric = metric(m.Name)
	most := 0.0
	for _, r := range g.results {
		if f, ok := r.Figure(m.Name); ok {
			most = max(most, f.Median)
		}
	}
	for _, t := range targets {
		cell := overviewCell{Color: t.Color}
		for _, r := range g.results {
			if r.Target != t.Name {
				continue
			}
			f, ok := r.Figure(m.Name)
			switch {
			case ok:
				cell.Value, cell.Share = value(f.Median, f.Unit), 100*f.Median/most
				if ratio, ok := g.ratio(t.Name, m.Name); ok {
					cell.Note = times(ratio)
				}
			case len(r.Faults) > 0:
				cell.Note, cell.Bad = string(r.Faults[0].Kind), true
			default:
				cell.Note, cell.Bad = "generator was the bottleneck", true
			}
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

// section makes a scenario's part of the page.
func (g *group) section(color func(string) int) section {
	s := section{ID: fileName(g.name), Name: g.name, About: g.about, How: rounds(g)}
	for _, m := range g.metrics() {
		if !strings.HasSuffix(m.Name, "_per_cpu_second") && !strings.HasSuffix(m.Name, "_per_second") && m.Name != "kb_per_connection" {
			continue
		}
		if svg := g.bars(m, color); svg != "" {
			s.Bars = append(s.Bars, plot{metric(m.Name), svg})
		}
	}
	for _, kind := range kinds {
		if title, svg := g.percentilePlot(kind.name, color); svg != "" {
			s.Plots = append(s.Plots, plot{title, svg})
		}
	}
	plain := func(v float64) string { return short(v) }
	over := func(title string, log bool, y func(float64) string, of func(*bench.Point) float64) {
		if svg := g.timePlot(title, log, y, of, color); svg != "" {
			s.Plots = append(s.Plots, plot{title, svg})
		}
	}
	over("messages delivered a second", false, plain, func(p *bench.Point) float64 { return p.Delivered })
	over("p99 of each interval", true, func(v float64) string { return value(v, "µs") }, func(p *bench.Point) float64 { return p.P99 })
	over("connections made a second", false, plain, func(p *bench.Point) float64 { return p.Connects })
	over("processors that the broker uses", false, plain, func(p *bench.Point) float64 { return p.CPU })
	over("resident memory of the broker, MB", false, plain, func(p *bench.Point) float64 { return float64(p.RSS) / (1 << 20) })
	s.Head, s.Rows = g.rows()
	for _, r := range g.results {
		m := remark{Target: r.Target, Color: color(r.Target)}
		for _, text := range remarks(r) {
			m.Lines = append(m.Lines, remarkLine{text, strings.HasPrefix(text, "FAULT") || strings.HasPrefix(text, "NO BROKER")})
		}
		s.Remarks = append(s.Remarks, m)
	}
	return s
}

// rows makes the table of all metrics.
func (g *group) rows() (head []string, rows [][]string) {
	head = []string{"metric"}
	for i, r := range g.results {
		head = append(head, r.Target)
		if i > 0 && len(g.ratios) > 0 {
			head = append(head, "ratio")
		}
	}
	for _, m := range g.metrics() {
		row := []string{metric(m.Name)}
		for i, r := range g.results {
			text := "–"
			if f, ok := r.Figure(m.Name); ok {
				text = strings.TrimSpace(value(f.Median, f.Unit) + "  " + spread(f.Summary))
			}
			row = append(row, text)
			if i > 0 && len(g.ratios) > 0 {
				text = "–"
				if ratio, ok := g.ratio(r.Target, m.Name); ok {
					text = times(ratio)
				}
				row = append(row, text)
			}
		}
		rows = append(rows, row)
	}
	return head, rows
}

// searched makes a search's part of the page: latency over rate.
func searched(h *bench.Highest, color int) searchSection {
	what := "messages"
	if bounded(h) != "latency" {
		what = "connections"
	}
	c := chart{
		title: "latency over rate", xLabel: what + " a second", xLog: true, yLog: true,
		y: func(v float64) string { return value(v, "µs") },
		x: short,
	}
	for _, q := range []string{"_p50", "_p99"} {
		name := bounded(h) + q
		l := curve{color: color, name: metric(name), faint: q == "_p50"}
		for _, s := range h.Steps {
			if f, ok := s.Result.Figure(name); ok {
				l.points = append(l.points, point{s.Rate, f.Median})
			}
		}
		sortPoints(l.points)
		l.dots = l.points
		c.lines = append(c.lines, l)
	}
	return searchSection{
		Title:   sought(h),
		Outcome: outcome(h), SVG: c.svg(), Head: append([]string{"rate"}, stepHead...), Rows: stepRows(h),
	}
}
