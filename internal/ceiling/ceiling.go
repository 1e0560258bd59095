// Package ceiling bounds what one execution of a fuzz target may allocate, so that tens of megabytes for a length
// that is only claimed, or a table that grows with the square of its input, fail the target that shows it. Less is
// below what the allocator counts late (see Lots); where each byte matters a test asks Spent.
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
	"runtime"
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

// Spent is how much the process allocates on the heap while f runs, freed or not, to the byte. It stops the process
// twice to see what the allocator has not counted yet, which is too slow for a fuzz target. What the collector
// allocates counts, too: turn it off.
func Spent(f func()) Bytes {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return Bytes(after.TotalAlloc - before.TotalAlloc)
}
