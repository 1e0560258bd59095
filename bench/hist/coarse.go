package hist

import "time"

const (
	// coarser is how many bits of a bucket's number a Coarse leaves out.
	coarser = 5
	// wide is the number of buckets in each octave of a Coarse.
	wide = linear >> coarser
)

// Coarse counts durations for a look at a load that goes on: it is small
// enough, 8 KiB, that reading it holds nothing up, and right to one part in
// 32. The zero value is empty and ready to use.
type Coarse struct {
	counts [octaves][wide]uint64
	count  uint64
	max    int64
}

// RecordN counts n equal durations. A negative one counts as zero, one above
// Max as Max.
func (c *Coarse) RecordN(d time.Duration, n uint64) {
	v := min(max(int64(d), 0), Max)
	octave, bucket := place(v)
	c.counts[octave][bucket>>coarser] += n
	c.count += n
	c.max = max(c.max, v)
}

// Merge adds everything that o counted. o is unchanged.
func (c *Coarse) Merge(o *Coarse) {
	for octave := range o.counts {
		for bucket, n := range o.counts[octave] {
			c.counts[octave][bucket] += n
		}
	}
	c.count += o.count
	c.max = max(c.max, o.max)
}

// Reset empties it.
func (c *Coarse) Reset() { *c = Coarse{} }

// Quantile tells the duration that the share q of all durations did not
// exceed, as [Histogram.Quantile] does: at most one part in 32 above the true
// one and never below it; below a microsecond 32 nanoseconds above at most.
func (c *Coarse) Quantile(q float64) time.Duration {
	rank := rank(q, c.count)
	var seen uint64
	for octave := range c.counts {
		for bucket, n := range c.counts[octave] {
			if seen += n; seen >= rank {
				_, high := bounds(octave, bucket<<coarser|(1<<coarser-1))
				return time.Duration(min(high, c.max))
			}
		}
	}
	return time.Duration(c.max)
}
