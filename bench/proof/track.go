package proof

import "slices"

// Tracker follows the numbers of one stream at one receiver: each must come
// once and in order.
//
// In the common case a message costs one comparison and one increment. What
// is missing is kept as ranges, at most maxGaps of them: a broker that loses
// more often has its oldest losses made final, and if such a message comes
// after all it counts as doubled. The zero value expects number 0. A Tracker
// is for one goroutine at a time.
type Tracker struct {
	next  uint64 // the number expected: the highest seen plus one
	gaps  []gap  // numbers below next that have not come, ascending
	given uint64 // numbers of gaps that were made final
}

// gap is a range of numbers, to not included.
type gap struct{ from, to uint64 }

// maxGaps bounds the memory of a tracker to 16 KiB.
const maxGaps = 1024

// Arrival is what a number that was not the expected one turned out to be.
type Arrival uint8

const (
	Ahead   Arrival = iota // later than expected: those between are missing
	Late                   // one of the missing, so it was overtaken
	Doubled                // came before
)

// Expected reports whether seq is the next number, and if so counts it.
func (t *Tracker) Expected(seq uint64) bool {
	if seq != t.next {
		return false
	}
	t.next++
	return true
}

// Next is the number expected.
func (t *Tracker) Next() uint64 { return t.next }

// Advance counts the next n numbers, which came in order.
func (t *Tracker) Advance(n uint64) { t.next += n }

// Unexpected counts a number for which Expected was false; missing is the
// number of messages that it showed to be missing.
func (t *Tracker) Unexpected(seq uint64) (a Arrival, missing uint64) {
	if seq > t.next {
		g := gap{t.next, seq}
		t.next = seq + 1
		t.gaps = append(t.gaps, g)
		t.giveUp()
		return Ahead, g.to - g.from
	}
	i, _ := slices.BinarySearchFunc(t.gaps, seq, func(g gap, seq uint64) int {
		switch {
		case g.to <= seq:
			return -1
		case g.from > seq:
			return 1
		}
		return 0
	})
	if i == len(t.gaps) || seq < t.gaps[i].from {
		return Doubled, 0
	}
	switch g := &t.gaps[i]; {
	case g.to-g.from == 1:
		t.gaps = slices.Delete(t.gaps, i, i+1)
	case seq == g.from:
		g.from++
	case seq == g.to-1:
		g.to--
	default:
		upper := gap{seq + 1, g.to}
		g.to = seq
		t.gaps = slices.Insert(t.gaps, i+1, upper)
		t.giveUp()
	}
	return Late, 0
}

// giveUp makes the oldest loss final if there is one gap too many.
func (t *Tracker) giveUp() {
	if len(t.gaps) > maxGaps {
		t.given += t.gaps[0].to - t.gaps[0].from
		t.gaps = slices.Delete(t.gaps, 0, 1)
	}
}

// Lost tells how many of the first sent numbers have not come.
func (t *Tracker) Lost(sent uint64) uint64 {
	n := t.given
	for _, g := range t.gaps {
		n += g.to - g.from
	}
	if sent > t.next {
		n += sent - t.next
	}
	return n
}
