package report

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"

	"sampan/bench"
	"sampan/bench/hist"
)

// percentilePlot draws the durations of a kind over their percentiles, each
// step to the right a tenth of those to the left.
func (g *group) percentilePlot(kind string, color func(string) int) (title string, svg template.HTML) {
	c := chart{
		xLabel: "percentile", yLog: true,
		y: func(v float64) string { return value(v, "µs") },
		x: func(v float64) string { return "p" + digits(100*(1-math.Pow(10, -v))) },
	}
	const nines = 5
	for i := range nines {
		text := "0"
		if i > 0 {
			text = "p" + strings.TrimSuffix(fmt.Sprintf("%.*f", max(i-2, 0), 100-math.Pow(10, 2-float64(i))), ".")
		}
		c.xTicks = append(c.xTicks, mark{float64(i), text})
	}
	c.xTicks = append(c.xTicks, mark{math.Log10(2), "p50"})
	for _, r := range g.results {
		all := distributions(r)
		i := slices.IndexFunc(all, func(d distribution) bool { return d.name == kind })
		if i < 0 {
			continue
		}
		d := all[i]
		title = d.name + ": " + d.what
		c.lines = append(c.lines, curve{
			color: color(r.Target), name: r.Target,
			points: percentiles(d.h, nines), dots: marked(d.h),
		})
	}
	c.title = title
	return title, c.svg()
}

// percentiles are points of a distribution, up to where one value in a
// million would be, or the last value.
func percentiles(h *hist.Histogram, nines float64) (points []point) {
	end := min(math.Log10(float64(h.Count())), nines)
	for x := 0.0; x < end; x += 0.02 {
		points = append(points, point{x, micro(h, 1-math.Pow(10, -x))})
	}
	return append(points, point{end, micro(h, 1-math.Pow(10, -end))})
}

// marked are the percentiles that tables name.
func marked(h *hist.Histogram) (points []point) {
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 0.9999} {
		if float64(h.Count())*(1-q) >= 1 {
			points = append(points, point{-math.Log10(1 - q), micro(h, q)})
		}
	}
	return points
}

// micro is a quantile in microseconds, at least what a plot with a
// logarithmic axis can show.
func micro(h *hist.Histogram, q float64) float64 {
	const least = 0.1
	return max(float64(h.Quantile(q))/1e3, least)
}

// timePlot draws a figure of the series over time.
func (g *group) timePlot(title string, log bool, y func(float64) string, of func(*bench.Point) float64, color func(string) int) template.HTML {
	c := chart{
		title: title, xLabel: "seconds", yLog: log, y: y,
		x: func(v float64) string { return digits(v) },
	}
	for _, r := range g.results {
		for i := range r.Rounds {
			series := r.Rounds[i].Series
			l := curve{color: color(r.Target), name: fmt.Sprintf("%s, round %d", r.Target, i+1), faint: len(r.Rounds) > 1}
			for k := range series {
				if v := of(&series[k]); v > 0 || !log {
					l.points = append(l.points, point{series[k].At, v})
				}
			}
			c.lines = append(c.lines, l)
			if c.bands == nil {
				c.bands = unmeasured(series)
			}
		}
	}
	return c.svg()
}

// unmeasured are the parts of a series that are warm-up and cool-down.
func unmeasured(series []bench.Point) (bands []band) {
	from := 0.0
	for i, p := range series {
		idle := p.Phase == "warm-up" || p.Phase == "cool-down" || p.Phase == "settle"
		if !idle {
			from = p.At
			continue
		}
		if i+1 == len(series) || series[i+1].Phase != p.Phase {
			bands = append(bands, band{from, p.At})
		}
	}
	return bands
}

// bars draws a metric of each target: a bar for the median, a dot for each
// round.
func (g *group) bars(m bench.Metric, color func(string) int) template.HTML {
	const rowHeight, nameWidth, valueWidth, barHeight = 34.0, 130.0, 120.0, 16.0
	most := 0.0
	for _, r := range g.results {
		if f, ok := r.Figure(m.Name); ok {
			most = max(most, f.Max)
		}
	}
	if most == 0 {
		return ""
	}
	var b strings.Builder
	height := rowHeight * float64(len(g.results))
	width := chartWidth - nameWidth - valueWidth
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, height, html.EscapeString(metric(m.Name)))
	for i, r := range g.results {
		y := rowHeight*float64(i) + rowHeight/2
		fmt.Fprintf(&b, `<text class="name" text-anchor="end" x="%g" y="%.1f">%s</text>`, nameWidth-10, y+4, html.EscapeString(short20(r.Target)))
		f, ok := r.Figure(m.Name)
		if !ok {
			fmt.Fprintf(&b, `<text class="tick" x="%g" y="%.1f">no figure of this broker</text>`, nameWidth+4, y+4)
			continue
		}
		fmt.Fprintf(&b, `<rect class="bar c%d" x="%g" y="%.1f" width="%.1f" height="%g" rx="2"><title>%s: %s %s</title></rect>`,
			color(r.Target), nameWidth, y-barHeight/2, max(width*f.Median/most, 1), barHeight,
			html.EscapeString(r.Target), value(f.Median, f.Unit), spread(f.Summary))
		for n, v := range roundValues(r, m.Name) {
			fmt.Fprintf(&b, `<circle class="round-dot" cx="%.1f" cy="%.1f" r="2.6"><title>round %d: %s</title></circle>`,
				nameWidth+width*v/most, y, n+1, value(v, m.Unit))
		}
		fmt.Fprintf(&b, `<text class="value" x="%.1f" y="%.1f">%s</text>`, nameWidth+width*f.Max/most+9, y+4, value(f.Median, f.Unit))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// roundValues lists a metric's values, one for each round that has it.
func roundValues(r *bench.Result, name string) (values []float64) {
	if len(r.Rounds) < 2 {
		return nil
	}
	for i := range r.Rounds {
		for _, v := range r.Rounds[i].Metrics(&r.Scenario) {
			if v.Name == name {
				values = append(values, v.Value)
			}
		}
	}
	return values
}

// short20 shortens a name for a narrow place.
func short20(name string) string {
	const most = 20
	if r := []rune(name); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return name
}

// sortPoints puts points in the order of their x.
func sortPoints(points []point) {
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
}
