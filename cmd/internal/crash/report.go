package crash

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// finish makes the report.
func (r *run) finish() *Report {
	l := r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	r.report.Counts = l.counts
	r.report.Seconds = time.Since(r.began).Seconds()
	r.report.FaultsByKind = map[Kind]int{}
	for _, k := range kinds {
		r.report.FaultsByKind[k] = l.faults.counts[k]
	}
	r.report.Examples = l.faults.examples
	// The first start had nothing to recover.
	if takes := r.takes[1:]; len(takes) > 0 {
		slices.Sort(takes)
		r.report.RecoveryMs = Quantiles{milliseconds(takes[len(takes)/2]), milliseconds(takes[len(takes)-1])}
	}
	return &r.report
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Heading is the line above the lines of Progress.
const Heading = "elapsed  kills  published  acknowledged  received  redelivered  recovery  faults"

// String is a line under Heading.
func (p Progress) String() string {
	return fmt.Sprintf("%6.1fs  %5d  %9d  %12d  %8d  %11d  %6.0fms  %6d", p.Elapsed.Seconds(), p.Kills, p.Published, p.Acknowledged,
		p.Received, p.Redelivered, milliseconds(p.Recovery), p.Faults)
}

// Print writes the report for a person.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%d times %s at durability %s in %.1fs, seed %d\n\n", r.Kills, r.Way, r.Durability, r.Seconds, r.Seed)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("published", "%d messages by %d publishers, each once", r.Published, r.Publishers)
	line("acknowledged", "%d; the other %d were on their way when the broker ended", r.Acknowledged, r.Published-r.Acknowledged)
	line("received", "%d by %d persistent subscribers, and %d again with DUP", r.Received, r.Subscribers, r.Redelivered)
	line("outlived", "%d of what was received had been acknowledged before the broker ended", r.Outlived)
	line("connections", "%d of subscribers, %d of them cut; %d subscriptions made or ended", r.Connections, r.Cut, r.Subscriptions)
	line("recovery", "median %.0fms, longest %.0fms, until the broker accepts again", r.RecoveryMs.Median, r.RecoveryMs.Longest)
	fmt.Fprintln(w)
	for _, k := range kinds {
		line(string(k), "%d", r.FaultsByKind[k])
	}
	if len(r.Examples) > 0 {
		fmt.Fprintln(w, "\nThe first of them:")
	}
	for _, f := range r.Examples {
		fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(strings.TrimSpace(f.String()), "\n", "\n    "))
	}
	switch {
	case r.OK():
		fmt.Fprintln(w, "\nNothing that was acknowledged is lost, reordered or doubled.")
	case r.faulty():
		fmt.Fprintln(w, "\nThe promise was broken.")
	case r.Interrupted:
		fmt.Fprintf(w, "\nInterrupted after %d of %d: nothing was lost so far, but nothing is proved.\n", r.Kills, r.Planned)
	default:
		fmt.Fprintln(w, "\nNothing that was acknowledged had to outlive the broker, so nothing is proved.")
	}
	if r.Data != "" {
		fmt.Fprintf(w, "The broker's data is in %s\n", r.Data)
	}
}
