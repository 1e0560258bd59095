package hist

import (
	"encoding/json"
	"fmt"
	"time"
)

// jsonForm is the stored form: the figures that a reader of the file wants
// (nanoseconds), and the buckets from which everything can be computed again.
type jsonForm struct {
	Count  uint64     `json:"count"`
	Min    int64      `json:"min_ns"`
	Mean   float64    `json:"mean_ns"`
	P50    int64      `json:"p50_ns"`
	P90    int64      `json:"p90_ns"`
	P99    int64      `json:"p99_ns"`
	P999   int64      `json:"p99_9_ns"`
	P9999  int64      `json:"p99_99_ns"`
	Max    int64      `json:"max_ns"`
	Bucket [][2]int64 `json:"buckets"` // lowest value, count
}

// MarshalJSON writes the usual quantiles and the buckets.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	f := jsonForm{
		Count: h.count, Min: h.min, Max: h.max,
		P50: int64(h.Quantile(0.5)), P90: int64(h.Quantile(0.9)), P99: int64(h.Quantile(0.99)),
		P999: int64(h.Quantile(0.999)), P9999: int64(h.Quantile(0.9999)),
		Bucket: [][2]int64{},
	}
	if h.count > 0 {
		f.Mean = h.sum / float64(h.count)
	}
	for b := range h.All() {
		f.Bucket = append(f.Bucket, [2]int64{int64(b.Low), int64(b.Count)})
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON wrote; the quantiles come from the
// buckets again.
func (h *Histogram) UnmarshalJSON(text []byte) error {
	var f jsonForm
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	*h = Histogram{}
	for _, b := range f.Bucket {
		if b[0] < 0 || b[0] > Max || b[1] <= 0 {
			return fmt.Errorf("hist: bucket %v out of range", b)
		}
		h.RecordN(time.Duration(b[0]), uint64(b[1]))
	}
	if h.count != f.Count {
		return fmt.Errorf("hist: %d durations in the buckets, %d announced", h.count, f.Count)
	}
	h.sum, h.min, h.max = f.Mean*float64(f.Count), f.Min, f.Max
	return nil
}
