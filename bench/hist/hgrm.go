package hist

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"time"
)

// ticksPerHalf is how many lines of the percentile distribution lie between
// a percentile and the one half as far from 100.
const ticksPerHalf = 5

// WriteHgrm writes the percentile distribution in the text form of
// HdrHistogram (".hgrm"), values in the given unit: [time.Microsecond] is
// usual. The lines are densest at the tail: five for every halving of the
// distance to 100 percent.
func (h *Histogram) WriteHgrm(w io.Writer, unit time.Duration) error {
	out := bufio.NewWriter(w)
	scale := float64(unit)
	fmt.Fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")
	for p := range h.percentiles() {
		fmt.Fprintf(out, "%12.3f %2.12f %10d", float64(p.value)/scale, p.quantile, p.total)
		if p.quantile < 1 {
			fmt.Fprintf(out, " %14.2f", 1/(1-p.quantile))
		}
		out.WriteByte('\n')
	}
	fmt.Fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", float64(h.Mean())/scale, float64(h.StdDev())/scale)
	fmt.Fprintf(out, "#[Max     = %12.3f, Total count    = %12d]\n", float64(h.max)/scale, h.count)
	fmt.Fprintf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", octaves, 2*linear)
	return out.Flush()
}

// percentile is one line of the distribution.
type percentile struct {
	value    time.Duration
	quantile float64
	total    uint64 // durations at or below value
}

// percentiles yields the lines of the distribution, the last one at 1.
func (h *Histogram) percentiles() func(yield func(percentile) bool) {
	return func(yield func(percentile) bool) {
		if h.count == 0 {
			return
		}
		var (
			next float64 // the quantile of the next line
			seen uint64
		)
		for b := range h.All() {
			seen += b.Count
			share := float64(seen) / float64(h.count)
			for next <= share && next < 1 {
				value := min(b.High, time.Duration(h.max))
				if !yield(percentile{value, next, seen}) {
					return
				}
				if seen == h.count {
					break
				}
				half := math.Floor(math.Log2(1/(1-next))) + 1
				next += 1 / (ticksPerHalf * math.Exp2(half))
			}
		}
		yield(percentile{time.Duration(h.max), 1, h.count})
	}
}
