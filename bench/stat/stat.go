// Package stat says what a few repeated measurements are worth: their median
// and spread, and how sure a ratio of two is.
package stat

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Summary is what repeated measurements of one figure gave.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Of summarises values; the zero Summary stands for none.
func Of(values ...float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	return Summary{len(values), Median(values), slices.Min(values), slices.Max(values)}
}

// Spread is half the distance from the smallest to the largest, as a share of
// the median: 0.05 is read as plus or minus 5 percent.
func (s Summary) Spread() float64 {
	if s.Median == 0 {
		return 0
	}
	return (s.Max - s.Min) / 2 / math.Abs(s.Median)
}

// Median is the middle value, or the mean of the two in the middle; 0 of
// none.
func Median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// Ratio is how many times as large a figure is for one broker as for another,
// with the interval in which it lies with 95 percent confidence.
type Ratio struct {
	Ratio float64 `json:"ratio"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Clear reports whether the interval leaves no doubt which one is larger.
func (r Ratio) Clear() bool { return r.Low > 1 || r.High > 0 && r.High < 1 }

// resamples is how many times the bootstrap draws.
const resamples = 10_000

// Compare is the ratio of the medians of a to b. The interval is a bootstrap:
// rounds are drawn with replacement, and as a[i] and b[i] were measured one
// right after the other, they are drawn together, so that what disturbed the
// machine in a round does not count as a difference. With fewer than three
// rounds the interval only says what was seen. Values are positive; without
// any the result is zero.
func Compare(a, b []float64) Ratio {
	n := min(len(a), len(b))
	if n == 0 || Median(b[:n]) == 0 {
		return Ratio{}
	}
	a, b = a[:n], b[:n]
	r := Ratio{Ratio: Median(a) / Median(b)}
	if n < 3 {
		r.Low, r.High = math.Inf(1), 0
		for i := range n {
			r.Low, r.High = min(r.Low, a[i]/b[i]), max(r.High, a[i]/b[i])
		}
		return r
	}
	// The same input gives the same interval.
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	ratios := make([]float64, 0, resamples)
	drawnA, drawnB := make([]float64, n), make([]float64, n)
	for range resamples {
		for i := range n {
			k := rng.IntN(n)
			drawnA[i], drawnB[i] = a[k], b[k]
		}
		if m := Median(drawnB); m > 0 {
			ratios = append(ratios, Median(drawnA)/m)
		}
	}
	slices.Sort(ratios)
	r.Low = ratios[len(ratios)*25/1000]
	r.High = ratios[len(ratios)*975/1000]
	return r
}
