package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"sampan/bench"
)

// Progress shows a run that is under way: on a terminal one line that is
// rewritten, elsewhere a line every few seconds. Its Tick is what
// bench.Config.Progress wants. It is safe for several goroutines.
type Progress struct {
	mu    sync.Mutex
	to    io.Writer // guarded by mu, as all below
	width func() int
	shown int       // characters of the line on the terminal
	last  time.Time // of the last plain line
	phase string
	now   func() time.Time
}

// plainEvery is the time between two plain lines of the same phase.
const plainEvery = 5 * time.Second

// NewProgress writes to w. It rewrites one line if w is a terminal.
func NewProgress(w io.Writer) *Progress {
	return &Progress{to: w, width: terminalWidth(w), now: time.Now}
}

// Tick shows how it goes.
func (p *Progress) Tick(t bench.Tick) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := line(t)
	if width := p.width(); width > 0 {
		text = cut(text, width-1)
		n := utf8.RuneCountInString(text)
		fmt.Fprintf(p.to, "\r%s%s", text, strings.Repeat(" ", max(p.shown-n, 0)))
		p.shown = n
		return
	}
	key := fmt.Sprint(t.Target, t.Scenario, t.Round, t.Phase)
	if now := p.now(); key != p.phase || now.Sub(p.last) >= plainEvery {
		p.phase, p.last = key, now
		fmt.Fprintln(p.to, text)
	}
}

// Close clears the line, so that what follows begins on an empty one.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown > 0 {
		fmt.Fprintf(p.to, "\r%s\r", strings.Repeat(" ", p.shown))
		p.shown = 0
	}
}

// line says a tick in words.
func line(t bench.Tick) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", t.Scenario, t.Target)
	if t.Rounds > 1 {
		fmt.Fprintf(&b, " %d/%d", t.Round, t.Rounds)
	}
	fmt.Fprintf(&b, "  %s %s", t.Phase, seconds(t.Elapsed))
	if t.Total > 0 {
		fmt.Fprintf(&b, "/%s", seconds(t.Total))
	}
	fmt.Fprintf(&b, "  conns %s", count(uint64(max(t.Online, 0))))
	if t.Connects > 0 {
		fmt.Fprintf(&b, " (+%s/s)", short(t.Connects))
	}
	if t.Sent > 0 || t.Received > 0 {
		fmt.Fprintf(&b, "  in %s/s  out %s/s", short(t.Sent), short(t.Received))
	}
	if t.P99 > 0 {
		fmt.Fprintf(&b, "  p99 %s", value(float64(t.P99)/float64(time.Microsecond), "µs"))
	}
	fmt.Fprintf(&b, "  lost %s", count(uint64(max(t.Missing, 0))))
	if t.Faults > 0 {
		fmt.Fprintf(&b, "  faults %d", t.Faults)
	}
	return b.String()
}

// seconds writes a duration in whole seconds.
func seconds(d time.Duration) string { return d.Round(time.Second).String() }

// cut shortens a text to a number of characters.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:max(most, 0)])
}
