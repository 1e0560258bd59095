package hist_test

import (
	"fmt"
	"time"

	"sampan/bench/hist"
)

func Example() {
	h := hist.New()
	for i := range 1000 {
		h.Record(time.Duration(i+1) * time.Microsecond)
	}
	fmt.Println("median at most", h.Quantile(0.5).Round(time.Microsecond))
	fmt.Println("slowest", h.Max())
	// Output:
	// median at most 500µs
	// slowest 1ms
}
