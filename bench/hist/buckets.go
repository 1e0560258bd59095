package hist

import (
	"iter"
	"time"
)

// Bucket is a range of durations, both ends included, and how many fell
// into it.
type Bucket struct {
	Low, High time.Duration
	Count     uint64
}

// All yields the buckets that are not empty, from low to high.
func (h *Histogram) All() iter.Seq[Bucket] {
	return func(yield func(Bucket) bool) {
		for octave, counts := range h.counts {
			if counts == nil {
				continue
			}
			for bucket, n := range counts {
				if n == 0 {
					continue
				}
				low, high := bounds(octave, bucket)
				if !yield(Bucket{time.Duration(low), time.Duration(high), n}) {
					return
				}
			}
		}
	}
}
