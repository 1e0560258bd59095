package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// The size of a chart in the units of its drawing, and the room around the
// plot for axes.
const (
	chartWidth, chartHeight         = 560.0, 250.0
	leftRoom, rightRoom             = 58.0, 14.0
	topRoom, bottomRoom             = 10.0, 34.0
	plotWidth, plotHeight   float64 = chartWidth - leftRoom - rightRoom, chartHeight - topRoom - bottomRoom
)

// chart is a plot of lines over a common x axis.
type chart struct {
	title  string
	xLabel string
	lines  []curve
	bands  []band
	xTicks []mark // nil: round numbers
	xLog   bool
	yLog   bool
	y      func(float64) string // writes a value of the y axis
	x      func(float64) string // and of the x axis
}

// curve is a line of a chart.
type curve struct {
	color  int // of the target
	name   string
	points []point
	faint  bool    // one of several rounds
	dots   []point // points that show their value when pointed at
}

type point struct{ x, y float64 }

// mark is a tick of an axis.
type mark struct {
	at   float64
	text string
}

// band is a part of the x axis that is not measured.
type band struct{ from, to float64 }

// axis maps values to a length.
type axis struct {
	low, high float64
	log       bool
}

// share is where on the axis a value lies, 0 to 1.
func (a axis) share(v float64) float64 {
	if a.high == a.low {
		return 0
	}
	if a.log {
		return math.Log(v/a.low) / math.Log(a.high/a.low)
	}
	return (v - a.low) / (a.high - a.low)
}

// svg draws the chart; empty if there is nothing to draw.
func (c *chart) svg() template.HTML {
	x, y, ok := c.axes()
	if !ok {
		return ""
	}
	var b strings.Builder
	px := func(v float64) float64 { return leftRoom + plotWidth*min(max(x.share(v), 0), 1) }
	py := func(v float64) float64 { return topRoom + plotHeight*(1-min(max(y.share(v), 0), 1)) }
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, chartHeight, html.EscapeString(c.title))
	for _, band := range c.bands {
		fmt.Fprintf(&b, `<rect class="band" x="%.1f" y="%g" width="%.1f" height="%g"><title>not measured</title></rect>`,
			px(band.from), topRoom, px(band.to)-px(band.from), plotHeight)
	}
	for _, m := range y.ticks(c.y, 5) {
		fmt.Fprintf(&b, `<line class="rule" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="tick" text-anchor="end" x="%g" y="%.1f">%s</text>`,
			leftRoom, chartWidth-rightRoom, py(m.at), py(m.at), leftRoom-7, py(m.at)+3.5, html.EscapeString(m.text))
	}
	ticks := c.xTicks
	if ticks == nil {
		ticks = x.ticks(c.x, 7)
	}
	for _, m := range ticks {
		if s := x.share(m.at); s < -1e-9 || s > 1+1e-9 {
			continue
		}
		fmt.Fprintf(&b, `<line class="rule faint" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/><text class="tick" text-anchor="middle" x="%.1f" y="%g">%s</text>`,
			px(m.at), px(m.at), topRoom, topRoom+plotHeight, px(m.at), topRoom+plotHeight+15, html.EscapeString(m.text))
	}
	fmt.Fprintf(&b, `<text class="label" text-anchor="middle" x="%g" y="%g">%s</text>`, leftRoom+plotWidth/2, chartHeight-3, html.EscapeString(c.xLabel))
	for _, l := range c.lines {
		class := fmt.Sprintf("line c%d", l.color)
		if l.faint {
			class += " round"
		}
		fmt.Fprintf(&b, `<polyline class="%s" points="`, class)
		for _, p := range l.points {
			if y.log && p.y <= 0 {
				continue
			}
			fmt.Fprintf(&b, "%.1f,%.1f ", px(p.x), py(p.y))
		}
		fmt.Fprintf(&b, `"><title>%s</title></polyline>`, html.EscapeString(l.name))
		for _, p := range l.dots {
			fmt.Fprintf(&b, `<circle class="dot c%d" cx="%.1f" cy="%.1f" r="3"><title>%s, %s: %s</title></circle>`,
				l.color, px(p.x), py(p.y), html.EscapeString(l.name), c.x(p.x), c.y(p.y))
		}
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// axes finds what the axes have to span.
func (c *chart) axes() (x, y axis, ok bool) {
	x = axis{math.Inf(1), math.Inf(-1), c.xLog}
	y = axis{math.Inf(1), math.Inf(-1), c.yLog}
	for _, l := range c.lines {
		for _, p := range l.points {
			x.low, x.high = min(x.low, p.x), max(x.high, p.x)
			if !c.yLog || p.y > 0 {
				y.low, y.high = min(y.low, p.y), max(y.high, p.y)
			}
		}
	}
	if x.low >= x.high || y.low > y.high || y.high <= 0 {
		return x, y, false
	}
	if c.yLog {
		y.low, y.high = decade(y.low, math.Floor), decade(y.high, math.Ceil)
		if y.low == y.high {
			y.high *= 10
		}
	} else {
		y.low = 0
		step := round125(y.high / 4)
		y.high = step * math.Ceil(y.high/step*1.02)
	}
	return x, y, true
}

// decade rounds to a half decade: 1, 3, 10, 30 and so on.
func decade(v float64, round func(float64) float64) float64 {
	n := round(2 * math.Log10(v))
	d := math.Pow(10, math.Floor(n/2))
	if math.Mod(n, 2) != 0 {
		d *= 3
	}
	return d
}

// round125 rounds up to 1, 2 or 5 times a power of ten.
func round125(v float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*base*1.0001 {
			return f * base
		}
	}
	return 10 * base
}

// ticks are round values on an axis, about n of them.
func (a axis) ticks(text func(float64) string, n int) (all []mark) {
	if a.log {
		for d := math.Pow(10, math.Floor(math.Log10(a.low))); d <= a.high*1.0001; d *= 10 {
			for _, f := range []float64{1, 3} {
				if v := d * f; v >= a.low*0.9999 && v <= a.high*1.0001 {
					all = append(all, mark{v, text(v)})
				}
			}
		}
		return all
	}
	step := round125((a.high - a.low) / float64(n))
	for v := math.Ceil(a.low/step) * step; v <= a.high*1.0001; v += step {
		all = append(all, mark{v, text(v)})
	}
	return all
}
