package load

import (
	"math"
	"testing"
	"time"
)

// TestTurns: the lanes together keep the rate, however the clients are spread
// over them, and each client has as many turns as any other.
func TestTurns(t *testing.T) {
	const rate = 500.0
	for _, lanes := range [][]int{{1}, {3}, {2, 1}, {1, 1, 1}, {100, 1}} {
		all, sum := 0, 0.0
		for _, some := range lanes {
			all += some
		}
		for _, some := range lanes {
			each := float64(time.Second) / turns(rate, some, all)
			sum += each
			if got := each / float64(some); math.Abs(got-rate/float64(all)) > 1e-6 {
				t.Errorf("%v: a client has %v turns a second, want %v", lanes, got, rate/float64(all))
			}
		}
		if math.Abs(sum-rate) > 1e-6 {
			t.Errorf("%v: %v turns a second, want %v", lanes, sum, rate)
		}
	}
}
