package hist

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestBucketsTile shows that the buckets cover 0..Max without gap or overlap
// and that each is narrow enough for the promised precision.
func TestBucketsTile(t *testing.T) {
	next := int64(0)
	for octave := range octaves {
		for bucket := range linear {
			low, high := bounds(octave, bucket)
			if low != next {
				t.Fatalf("octave %d bucket %d begins at %d, want %d", octave, bucket, low, next)
			}
			if width := high - low; width*linear > low && low > 0 {
				t.Fatalf("bucket %d..%d is wider than 1/%d", low, high, linear)
			}
			for _, v := range []int64{low, high} {
				if o, b := place(v); o != octave || b != bucket {
					t.Fatalf("%d placed at %d/%d, want %d/%d", v, o, b, octave, bucket)
				}
			}
			next = high + 1
		}
	}
	if next != Max+1 {
		t.Fatalf("buckets end at %d, want %d", next-1, int64(Max))
	}
}

// TestQuantileAgainstSorted compares every quantile with the sorted values.
func TestQuantileAgainstSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, Max), 1, 200).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		h := New()
		for _, v := range values {
			h.Record(time.Duration(v))
		}
		slices.Sort(values)
		rank := max(int(math.Ceil(q*float64(len(values))-1e-9)), 1)
		want := values[rank-1]
		got := int64(h.Quantile(q))
		if got < want || got-want > want/linear {
			t.Fatalf("quantile %v of %v = %d, want %d up to %d", q, values, got, want, want+want/linear)
		}
	})
}

// TestMergeEqualsOne shows that merged parts are the whole.
func TestMergeEqualsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 0, 100).Draw(t, "values")
		parts := []*Histogram{New(), New(), New()}
		whole, merged := New(), New()
		for i, v := range values {
			whole.Record(time.Duration(v))
			parts[i%3].Record(time.Duration(v))
		}
		for _, p := range parts {
			merged.Merge(p)
		}
		if !slices.Equal(slices.Collect(whole.All()), slices.Collect(merged.All())) {
			t.Fatal("buckets differ")
		}
		if whole.Count() != merged.Count() || whole.Min() != merged.Min() || whole.Max() != merged.Max() {
			t.Fatalf("merged %d %v %v, whole %d %v %v", merged.Count(), merged.Min(), merged.Max(), whole.Count(), whole.Min(), whole.Max())
		}
	})
}

func TestEdges(t *testing.T) {
	h := New()
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.StdDev() != 0 {
		t.Error("an empty histogram has figures")
	}
	h.Record(-5)
	h.Record(math.MaxInt64)
	if h.Min() != 0 || h.Max() != Max {
		t.Errorf("min %d max %d, want 0 and %d", h.Min(), h.Max(), int64(Max))
	}
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("median of two = %v, want the lower", got)
	}
	h.RecordN(7, 0)
	if h.Count() != 2 {
		t.Errorf("count %d after recording nothing, want 2", h.Count())
	}
	h.Reset()
	if h.Count() != 0 || h.Max() != 0 || len(slices.Collect(h.All())) != 0 {
		t.Error("not empty after Reset")
	}
}

func TestMeanAndDeviation(t *testing.T) {
	h := New()
	for _, v := range []time.Duration{2, 4, 4, 4, 5, 5, 7, 9} {
		h.Record(v)
	}
	if h.Mean() != 5 || h.StdDev() != 2 {
		t.Errorf("mean %d deviation %d, want 5 and 2", h.Mean(), h.StdDev())
	}
}

func TestJSONRoundTrip(t *testing.T) {
	h := New()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		h.Record(time.Duration(rng.ExpFloat64() * 1e6))
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back Histogram
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(slices.Collect(h.All()), slices.Collect(back.All())) {
		t.Error("buckets differ after a round trip")
	}
	again, err := json.Marshal(&back)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(text) {
		t.Errorf("second writing differs:\n%s\n%s", again, text)
	}
}

func TestJSONRefusesNonsense(t *testing.T) {
	for _, text := range []string{
		`{"count":2,"buckets":[[1,1]]}`,
		`{"count":1,"buckets":[[-1,1]]}`,
		`{"count":0,"buckets":[[1,0]]}`,
		`{"count":"many"}`,
	} {
		var h Histogram
		if err := json.Unmarshal([]byte(text), &h); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

// TestHgrm checks the properties that a plotting tool relies on: values and
// percentiles rise, the last line is the maximum at 1, the footer counts.
func TestHgrm(t *testing.T) {
	h := New()
	for i := range 10000 {
		h.Record(time.Duration(i) * time.Microsecond)
	}
	var text strings.Builder
	if err := h.WriteHgrm(&text, time.Microsecond); err != nil {
		t.Fatal(err)
	}
	var lastValue, lastQuantile float64
	lines := 0
	for p := range h.percentiles() {
		if float64(p.value) < lastValue || p.quantile < lastQuantile {
			t.Fatalf("line %d falls: %v at %v", lines, p.value, p.quantile)
		}
		lastValue, lastQuantile = float64(p.value), p.quantile
		lines++
	}
	if lastQuantile != 1 || time.Duration(lastValue) != h.Max() {
		t.Errorf("ends with %v at %v, want %v at 1", time.Duration(lastValue), lastQuantile, h.Max())
	}
	if !strings.Contains(text.String(), "Total count    =        10000]") {
		t.Errorf("footer lacks the count:\n%s", text.String())
	}
	if lines < 50 || lines > 100 {
		t.Errorf("%d lines, want a distribution that a person can scroll", lines)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	h := New()
	h.Record(time.Millisecond)
	if n := testing.AllocsPerRun(100, func() { h.Record(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	h := New()
	d := time.Duration(100_000)
	for b.Loop() {
		h.Record(d)
		d = d*5/4&0xffffff | 1
	}
}
