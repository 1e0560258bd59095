package hist

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A Coarse tells what a Histogram of the same durations tells, a little above
// and never below, merged from parts or not.
func TestCoarseAgainstHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var whole Coarse
		var parts [2]Coarse
		exact := New()
		values := rapid.SliceOf(rapid.OneOf(rapid.Int64(), rapid.Int64Range(0, 5_000), rapid.Int64Range(0, Max))).Draw(t, "durations")
		for i, v := range values {
			n := uint64(1 + i%3)
			whole.RecordN(time.Duration(v), n)
			parts[i%2].RecordN(time.Duration(v), n)
			exact.RecordN(time.Duration(v), n)
		}
		parts[0].Merge(&parts[1])
		if parts[0] != whole {
			t.Error("merged from parts it is another")
		}
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1, 2} {
			got, want := whole.Quantile(q), exact.Quantile(q)
			low := want - want>>precision // where the exact one's bucket may begin
			if got < low || got > want+max(want/wide, wide) {
				t.Errorf("quantile %v is %d, of the histogram %d", q, got, want)
			}
		}
		whole.Reset()
		if whole != (Coarse{}) {
			t.Error("not empty after Reset")
		}
	})
}
