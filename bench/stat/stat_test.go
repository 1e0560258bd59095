package stat

import (
	"math/rand/v2"
	"testing"
)

func TestSummary(t *testing.T) {
	s := Of(5, 1, 3)
	if s != (Summary{3, 3, 1, 5}) || s.Spread() != 2.0/3 {
		t.Errorf("got %+v, spread %v", s, s.Spread())
	}
	if m := Median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("median of four: %v", m)
	}
	if z := Of(); z != (Summary{}) || z.Spread() != 0 {
		t.Errorf("of none: %+v", z)
	}
}

// TestIntervalCovers draws many comparisons with a known ratio and a
// disturbance that hits both sides of a round, and counts how often the
// interval holds the truth.
func TestIntervalCovers(t *testing.T) {
	const truth, trials, rounds = 1.5, 60, 9
	rng := rand.New(rand.NewPCG(3, 4))
	covered, clear := 0, 0
	for range trials {
		var a, b []float64
		for range rounds {
			disturbed := 1 + rng.Float64() // up to twice as slow
			a = append(a, 100*truth*(1+0.05*rng.NormFloat64())/disturbed)
			b = append(b, 100*(1+0.05*rng.NormFloat64())/disturbed)
		}
		r := Compare(a, b)
		if r.Low <= truth && truth <= r.High {
			covered++
		}
		if r.Clear() {
			clear++
		}
		if r.Low > r.Ratio || r.High < r.Ratio {
			t.Fatalf("%v lies outside of its own interval", r)
		}
	}
	if covered < trials*85/100 {
		t.Errorf("the truth lies in %d of %d intervals", covered, trials)
	}
	if clear < trials*90/100 {
		t.Errorf("a ratio of %v is clear in %d of %d", truth, clear, trials)
	}
}

func TestCompareEdges(t *testing.T) {
	if r := Compare(nil, []float64{1}); r != (Ratio{}) || r.Clear() {
		t.Errorf("of none: %+v", r)
	}
	if r := Compare([]float64{1}, []float64{0}); r != (Ratio{}) {
		t.Errorf("by zero: %+v", r)
	}
	if r := Compare([]float64{2, 6}, []float64{2, 3}); r != (Ratio{1.6, 1, 2}) {
		t.Errorf("two rounds: %+v", r)
	}
	same := []float64{3, 4, 5, 6}
	if r := Compare(same, same); r != (Ratio{1, 1, 1}) || r.Clear() {
		t.Errorf("the same: %+v", r)
	}
}
