package hist

import (
	"math"
	"math/bits"
	"time"
)

const (
	// precision is the number of leading bits of a value that are kept after
	// its highest one.
	precision = 10
	// linear is the number of buckets in each octave, and the value below
	// which every value has a bucket of its own.
	linear = 1 << precision
	// octaves is the number of groups: one for values below linear, then one
	// for each power of two up to Max.
	octaves = 33
)

// Max is the largest value told apart, 2^42-1 nanoseconds: 73 minutes.
// Larger values are counted as Max.
const Max = 1<<(precision+octaves-1) - 1

// Histogram counts durations. The zero value is empty and ready to use. It
// takes 8 KiB for every power of two in which a value fell.
type Histogram struct {
	counts   [octaves]*[linear]uint64
	count    uint64
	sum      float64
	min, max int64
}

// New returns an empty histogram.
func New() *Histogram { return new(Histogram) }

// place tells the octave and the bucket of v, which is within 0..Max.
func place(v int64) (octave, bucket int) {
	octave = bits.Len64(uint64(v) >> precision)
	if octave == 0 {
		return 0, int(v)
	}
	// The highest bit is implied by the octave.
	return octave, int(v>>(octave-1)) & (linear - 1)
}

// bounds tells the lowest and the highest value that fall into a bucket.
func bounds(octave, bucket int) (low, high int64) {
	if octave == 0 {
		return int64(bucket), int64(bucket)
	}
	shift := octave - 1
	low = int64(linear+bucket) << shift
	return low, low + 1<<shift - 1
}

// Record counts one duration. A negative one, which a clock can yield at
// zero distance, counts as zero.
func (h *Histogram) Record(d time.Duration) { h.RecordN(d, 1) }

// RecordN counts n equal durations at the cost of one.
func (h *Histogram) RecordN(d time.Duration, n uint64) {
	if n == 0 {
		return
	}
	v := min(max(int64(d), 0), Max)
	octave, bucket := place(v)
	counts := h.counts[octave]
	if counts == nil {
		counts = new([linear]uint64)
		h.counts[octave] = counts
	}
	counts[bucket] += n
	if h.count == 0 || v < h.min {
		h.min = v
	}
	if v > h.max {
		h.max = v
	}
	h.count += n
	h.sum += float64(v) * float64(n)
}

// Merge adds everything that o counted. o is unchanged.
func (h *Histogram) Merge(o *Histogram) {
	if o == nil || o.count == 0 {
		return
	}
	for octave, from := range o.counts {
		if from == nil {
			continue
		}
		to := h.counts[octave]
		if to == nil {
			to = new([linear]uint64)
			h.counts[octave] = to
		}
		for bucket, n := range from {
			to[bucket] += n
		}
	}
	if h.count == 0 || o.min < h.min {
		h.min = o.min
	}
	h.max = max(h.max, o.max)
	h.count += o.count
	h.sum += o.sum
}

// Reset empties the histogram and keeps its memory.
func (h *Histogram) Reset() {
	for _, counts := range h.counts {
		if counts != nil {
			clear(counts[:])
		}
	}
	h.count, h.sum, h.min, h.max = 0, 0, 0, 0
}

// Count tells how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.count }

// Min is the smallest duration recorded, exact; 0 when empty.
func (h *Histogram) Min() time.Duration { return time.Duration(h.min) }

// Max is the largest duration recorded, exact; 0 when empty.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Mean is the arithmetic mean, exact; 0 when empty.
func (h *Histogram) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.count))
}

// StdDev is the standard deviation, computed from the middle of each bucket.
func (h *Histogram) StdDev() time.Duration {
	if h.count == 0 {
		return 0
	}
	mean, squares := h.sum/float64(h.count), 0.0
	for b := range h.All() {
		d := float64(b.Low+b.High)/2 - mean
		squares += d * d * float64(b.Count)
	}
	return time.Duration(math.Sqrt(squares / float64(h.count)))
}

// rank is which of so many values, in their order, the share q does not exceed,
// from 1. It is rounded up after taking off what float64 may have added, or the
// median of two values would be the second.
func rank(q float64, count uint64) uint64 {
	return max(uint64(math.Ceil(q*float64(count)-1e-9)), 1)
}

// Quantile tells the duration that the share q of all durations did not
// exceed: 0.5 is the median. It is the highest value of its bucket, so at
// most one part in 1,024 above the true one and never below it; q of 1 and
// more give the exact maximum. It is 0 when the histogram is empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := rank(q, h.count)
	if rank >= h.count {
		return time.Duration(h.max)
	}
	var seen uint64
	for b := range h.All() {
		if seen += b.Count; seen >= rank {
			return min(b.High, time.Duration(h.max))
		}
	}
	return time.Duration(h.max)
}
