package main

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
)

//go:embed page.md
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// view is what the page shows.
type view struct {
	Machine, Dates, Versions string
	One, Two, Latency        string // tables
	Flat, Memory, Calls      string
	Notes                    []string
}

// render makes the page of the figures.
func (f *figures) render() (string, error) {
	p := printer{figures: f}
	v := view{
		Machine: f.machine(), Dates: f.dates(), Versions: f.versions(),
		One: p.costs(1), Two: p.costs(2), Latency: p.latencies(), Flat: p.flat(), Memory: p.memory(), Calls: p.calls(),
	}
	for i, note := range p.notes {
		v.Notes = append(v.Notes, fmt.Sprintf("%d. %s", i+1, note))
	}
	var text strings.Builder
	err := page.Execute(&text, &v)
	return text.String(), err
}

func (f *figures) machine() string {
	m := f.Machine
	name := m.Processor
	if name == "" {
		name = m.Arch
	}
	return fmt.Sprintf("%s, %d processors, %s %s, %s", name, m.Processors, m.OS, m.Kernel, m.Go)
}

// dates says when and how the entries were measured.
func (f *figures) dates() string {
	if len(f.Entries) == 0 {
		return "never"
	}
	first, last := f.Entries[0].Measured, f.Entries[0].Measured
	for _, e := range f.Entries {
		if e.Measured.Before(first) {
			first = e.Measured
		}
		if e.Measured.After(last) {
			last = e.Measured
		}
	}
	const day = "2 January 2006"
	if from, to := first.Format(day), last.Format(day); from != to {
		return from + " to " + to
	}
	return last.Format(day)
}

// versions lists the brokers with the versions of their entries, the latest first.
func (f *figures) versions() string {
	latest := slices.Clone(f.Entries)
	slices.SortStableFunc(latest, func(a, b entry) int { return b.Measured.Compare(a.Measured) })
	var all []string
	for _, name := range append([]string{sampan}, peers...) {
		var some []string
		is := func(e entry) bool { return e.Program == name }
		for _, e := range latest {
			if is(e) && e.Version != "" && !slices.Contains(some, e.Version) {
				some = append(some, e.Version)
			}
		}
		if slices.ContainsFunc(latest, is) {
			all = append(all, strings.TrimSpace(name+" "+strings.Join(some, " and ")))
		}
	}
	return strings.Join(all, ", ")
}

// printer makes tables and gathers notes.
type printer struct {
	*figures
	notes []string
}

// brokers lists those with an entry in a table.
func (p *printer) brokers(on table, cores int) (names []string) {
	for _, name := range peers {
		if slices.ContainsFunc(p.Entries, func(e entry) bool {
			c := cellOf(e.Cell)
			return c != nil && (c.table == on || on == latency && c.timed()) && e.Cores == cores && e.Program == name
		}) {
			names = append(names, name)
		}
	}
	return names
}

func cellOf(name string) *cell {
	if i := slices.IndexFunc(cells, func(c cell) bool { return c.name == name }); i >= 0 {
		return &cells[i]
	}
	return nil
}

// tableText is a Markdown table, empty as long as it has no row.
type tableText struct{ head, rows strings.Builder }

// newTable begins a table with its first column to the left, the others to the right.
func newTable(names ...string) *tableText {
	t := new(tableText)
	t.head.WriteString(line(names) + "|---" + strings.Repeat("|---:", len(names)-1) + "|\n")
	return t
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

func (t *tableText) row(cells ...string) { t.rows.WriteString(line(cells)) }

func (t *tableText) String() string {
	if t.rows.Len() == 0 {
		return ""
	}
	return t.head.String() + t.rows.String()
}

// costs is the table of deliveries for each second of processor time.
func (p *printer) costs(cores int) string {
	brokers := p.brokers(costs, cores)
	names := []string{"load", "Sampan"}
	if cores == 1 {
		names = append(names, "goal")
	} else {
		names = append(names, "a second", "one core")
	}
	names = append(names, brokers...)
	if cores == 1 {
		names = append(names, "shared, epoll", "shared, net.Conn", "copied, net.Conn")
	}
	t := newTable(names...)
	for i := range cells {
		c := &cells[i]
		own := p.find(c.name, cores, sampan)
		if c.table != costs || own == nil {
			continue
		}
		line := []string{c.title, p.own(own, c.metric)}
		if cores == 1 {
			line = append(line, short(c.goal))
		} else {
			rate := strings.Replace(c.metric, "_per_cpu_second", "_per_second", 1)
			line = append(line, figure(own, rate), figure(p.find(c.name, 1, sampan), rate))
		}
		for _, name := range brokers {
			line = append(line, p.peer(own, p.find(c.name, cores, name), c.metric))
		}
		if cores == 1 {
			for _, name := range []string{sharedEpoll, sharedNetconn, copiedNetconn} {
				line = append(line, p.ceiling(own, p.find(c.name, cores, name), c.metric))
			}
		}
		t.row(line...)
	}
	return t.String()
}

// own is Sampan's figure.
func (p *printer) own(e *entry, metric string) string {
	s := e.of(metric)
	if s.N == 0 {
		return p.missing(e)
	}
	return "**" + short(s.Median) + "**" + spread(e, metric) + p.mark(e)
}

// peer is another broker's figure, and how many times as much Sampan has.
func (p *printer) peer(own, e *entry, metric string) string {
	switch {
	case e == nil:
		return "–"
	case e.of(metric).N == 0:
		return p.missing(e)
	}
	text := short(e.of(metric).Median) + spread(e, metric) + p.mark(e)
	if s := own.of(metric); s.N > 0 {
		text += ", **× " + digits(s.Median/e.of(metric).Median) + "**"
	}
	return text
}

// ceiling is a ceiling program's figure, and which part of it Sampan has.
func (p *printer) ceiling(own, e *entry, metric string) string {
	if e == nil {
		return "–"
	}
	if e.of(metric).N == 0 {
		return p.missing(e)
	}
	text := short(e.of(metric).Median) + p.mark(e)
	if s := own.of(metric); s.N > 0 {
		text += fmt.Sprintf(", %.0f %%", 100*s.Median/e.of(metric).Median)
	}
	return text
}

// missing stands where there is no figure.
func (p *printer) missing(e *entry) string { return "–" + p.mark(e) }

// mark refers to the notes on an entry.
func (p *printer) mark(e *entry) (marks string) {
	add := func(format string, args ...any) {
		note := fmt.Sprintf(format, args...)
		i := slices.Index(p.notes, note)
		if i < 0 {
			i = len(p.notes)
			p.notes = append(p.notes, note)
		}
		marks += fmt.Sprintf(" <sup>%d</sup>", i+1)
	}
	if e.Trouble != "" {
		add("%s, %s: %s", e.Program, cellTitle(e.Cell), e.Trouble)
	}
	switch c := cellOf(e.Cell); {
	case e.Bottleneck == "":
	case c != nil && c.timed():
		add("%s, %s: the generator was the bottleneck in at least one round, which has no figure: %s.", e.Program, c.title, e.Bottleneck)
	default:
		add("The generator was the bottleneck in at least one round: the broker could deliver more in a second than it did, which is left out. What a message costs it is known all the same.")
	}
	return marks
}

func cellTitle(name string) string {
	if c := cellOf(name); c != nil {
		return c.title
	}
	return name
}

// figure is a median without more.
func figure(e *entry, metric string) string {
	if e == nil || e.of(metric).N == 0 {
		return "–"
	}
	return short(e.of(metric).Median)
}

// latencies is the table of loads at a rate.
func (p *printer) latencies() string {
	t := newTable("load, broker", "p50", "p99", "p99.9", "p99.9 / p99")
	for i := range cells {
		c := &cells[i]
		if !c.timed() {
			continue
		}
		for _, cores := range c.cores {
			own := p.find(c.name, cores, sampan)
			if own == nil {
				continue
			}
			title := c.title + ", " + coresText(cores)
			if own.Realtime {
				title += ", real-time priority"
			}
			t.row("**"+title+"**", "", "", "", "")
			for _, name := range slices.Concat([]string{sampan}, p.brokers(latency, cores), c.ceilings) {
				e := p.find(c.name, cores, name)
				if e == nil {
					continue
				}
				line := []string{name + p.mark(e)}
				for _, metric := range []string{"latency_p50", "latency_p99", "latency_p99.9"} {
					cell := "–"
					if s := e.of(metric); s.N > 0 {
						cell = micros(s.Median) + spread(e, metric)
					}
					line = append(line, cell)
				}
				tail := "–"
				if s := e.of("latency_p99"); s.N > 0 && s.Median > 0 {
					tail = digits(e.of("latency_p99.9").Median / s.Median)
				}
				t.row(append(line, tail)...)
			}
		}
	}
	return t.String()
}

func coresText(cores int) string {
	if cores == 1 {
		return "one core"
	}
	return "two cores"
}

// flat compares loads with the same load alone.
func (p *printer) flat() string {
	const alone = "fanout-100"
	brokers := p.brokers(flat, 1)
	t := newTable(append([]string{"load", "Sampan"}, brokers...)...)
	for i := range cells {
		c := &cells[i]
		if c.table != flat || p.find(c.name, 1, sampan) == nil {
			continue
		}
		line := []string{c.title}
		for _, name := range append([]string{sampan}, brokers...) {
			e, base := p.find(c.name, 1, name), p.find(alone, 1, name)
			cell := "–"
			if e != nil {
				cell = figure(e, c.metric) + p.mark(e)
				if base != nil && base.of(c.metric).N > 0 && e.of(c.metric).N > 0 {
					cell += fmt.Sprintf(", %.0f %%", 100*e.of(c.metric).Median/base.of(c.metric).Median)
				}
			}
			line = append(line, cell)
		}
		t.row(line...)
	}
	return t.String()
}

// memory is resident memory for each idle connection.
func (p *printer) memory() string {
	const load = "idle-10000"
	t := newTable("broker", "KB for each connection")
	for _, name := range append([]string{sampan}, peers...) {
		if e := p.find(load, 1, name); e != nil {
			t.row(name, figure(e, perIdle)+spread(e, perIdle)+p.mark(e))
		}
	}
	return t.String()
}

// calls is the table of RRPC.
func (p *printer) calls() string {
	t := newTable("devices", "calls a second", "for each CPU second", "p50", "p99")
	for i := range cells {
		c := &cells[i]
		e := p.find(c.name, 1, sampan)
		if c.table != calls || e == nil {
			continue
		}
		line := []string{c.title + p.mark(e), figure(e, "calls_per_second"), figure(e, callCPU)}
		for _, metric := range []string{"latency_p50", "latency_p99"} {
			cell := "–"
			if s := e.of(metric); s.N > 0 {
				cell = micros(s.Median)
			}
			line = append(line, cell)
		}
		t.row(line...)
	}
	return t.String()
}

// spread is the half of the range over the rounds, as a part of the median.
func spread(e *entry, metric string) string {
	s := e.of(metric)
	if s.N < 2 {
		return ""
	}
	return fmt.Sprintf(" ±%.0f %%", 100*s.Spread())
}

// micros writes microseconds with the unit that reads best.
func micros(v float64) string {
	d := time.Duration(v * float64(time.Microsecond))
	switch {
	case d >= time.Second:
		return digits(d.Seconds()) + " s"
	case d >= time.Millisecond:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return digits(v) + " µs"
}

// short writes a number with three digits and a letter for thousands or millions.
func short(v float64) string {
	switch {
	case v >= 999_500:
		return digits(v/1e6) + " M"
	case v >= 9_995:
		return digits(v/1e3) + " k"
	}
	return digits(v)
}

// digits writes three digits, or all before the point if there are more.
func digits(v float64) string {
	if v == math.Trunc(v) || v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	decimals := 2
	if v >= 10 {
		decimals = 1
	}
	if v < 0.1 {
		decimals = 3
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
