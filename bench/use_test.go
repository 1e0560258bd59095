package bench

import (
	"testing"
	"time"

	"sampan/bench/proc"
)

// The busiest thread is the one of the phase, not that with the longest past.
func TestBusiestThreadIsThatOfThePhase(t *testing.T) {
	const s = time.Second
	at := func(threads ...time.Duration) proc.Usage {
		u := proc.Usage{Ran: map[int]time.Duration{}}
		for i, ran := range threads {
			if ran > 0 {
				u.Ran[i+1] = ran
			}
		}
		return u
	}
	for name, c := range map[string]struct {
		from, to proc.Usage
		want     float64
	}{
		"it was the busiest before": {at(100*s, 1*s), at(109*s, 2*s), 0.9},
		"another was before":        {at(100*s, 1*s), at(101*s, 10*s), 0.9},
		"it has begun in the phase": {at(100 * s), at(101*s, 5*s), 0.5},
		"the one before has ended":  {at(100*s, 1*s), at(0, 3*s), 0.2},
		"the figures are not known": {at(), at(), 0},
		"a thread has another's id": {at(100 * s), at(2 * s), 0.2},
	} {
		if got := use(c.from, c.to, 10).Thread; got != c.want {
			t.Errorf("%s: share %v, want %v", name, got, c.want)
		}
	}
}
