// Package ceiling bounds what one execution of a fuzz target may allocate, so that a length that is only
// claimed, or a table that grows with the square of its input, fails the target that shows it.
//
//	f.Fuzz(func(t *testing.T, data []byte) {
//		defer ceiling.Bytes(ceiling.Lots + 32*len(data)).Hold(t)()
//		...
//	})
//
// What is counted is what the whole process allocates on the heap, freed or not. Other goroutines that allocate
// count, too: fuzz targets run by themselves.
package ceiling

import (
	"runtime/metrics"
	"sync"
)

// Bytes is how much one execution may allocate.
type Bytes int

// Lots is what a ceiling leaves to executions before: the allocator counts large allocations at once, but small
// ones in lots, a span of 8 to 32 KiB for each of some seventy sizes and each processor, and all of these at the
// latest when the collector begins.
const Lots = 16 << 20

// Test is what a ceiling needs of a *testing.T, or of what another fuzzer puts in its place.
type Test interface {
	Errorf(format string, args ...any)
}

// samples are used again and again: reading the counter allocates nothing.
var samples = sync.Pool{New: func() any { return &[]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}} }}

// Allocated is how much the process has allocated on the heap since it began.
func Allocated() uint64 {
	sample := samples.Get().(*[]metrics.Sample)
	metrics.Read(*sample)
	n := (*sample)[0].Value.Uint64()
	samples.Put(sample)
	return n
}

// Hold begins an execution. The function that it returns ends it, and fails the test if it was too much; it
// may be deferred, since it neither hides a panic nor ends the goroutine.
func (most Bytes) Hold(t Test) func() {
	before := Allocated()
	return func() {
		if spent := Allocated() - before; spent > uint64(most) {
			t.Errorf("%d bytes were allocated, at most %d are allowed", spent, most)
		}
	}
}
