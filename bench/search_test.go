package bench

import (
	"testing"
	"time"

	"sampan/bench/fault"
)

// A rate at which this machine has no ports left is not one that the broker
// cannot take.
func TestLimitOfThisMachine(t *testing.T) {
	faults := []*fault.Fault{
		{Kind: fault.Lost, Count: 1, First: "some"},
		{Kind: fault.Exhausted, Count: 1, First: "connect: cannot assign requested address"},
	}
	for n, want := range map[int]string{1: "loss", 2: limitGenerator} {
		r := &Result{Rounds: []Measurement{{Faults: faults[:n]}}}
		if got := r.limit(time.Hour, fault.Join(faults[:n])); got != want {
			t.Errorf("%v: limit %q, want %q", fault.Join(faults[:n]), got, want)
		}
	}
}
