package load

import (
	"testing"

	"pgregory.net/rapid"

	"sampan/bench/proof"
)

// TestNumbers compares the set with a map, for numbers that are apart by more
// than a Tracker can follow, and less than the set can.
func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup(2)
		seen := map[uint64]bool{}
		at := rapid.Uint64Range(0, 1000).Draw(t, "at")
		for range rapid.IntRange(1, 3000).Draw(t, "messages") {
			n := at + rapid.Uint64Range(0, 5000).Draw(t, "ahead")
			if rapid.Bool().Draw(t, "in order") {
				n = at
				at++
			}
			if got := g.first(proof.Stamp{Stream: 1, Seq: n}); got == seen[n] {
				t.Fatalf("%d: first %v, seen before %v", n, got, seen[n])
			}
			seen[n] = true
		}
	})
}

// TestNumbersHeldBack: a receiver holds every other message back while others
// go on, many more than a Tracker has gaps.
func TestNumbersHeldBack(t *testing.T) {
	g := newGroup(1)
	const most = 200_000
	for _, from := range []uint64{0, 1} {
		for n := from; n < most; n += 2 {
			if !g.first(proof.Stamp{Seq: n}) {
				t.Fatalf("%d counts as doubled", n)
			}
		}
	}
	for n := range uint64(most) {
		if g.first(proof.Stamp{Seq: n}) {
			t.Fatalf("%d counts as the first again", n)
		}
	}
	if n := g.lost(0, most+3); n != 3 {
		t.Errorf("%d of 3 are lost", n)
	}
	if n := len(g.seen[0].bits); n > 1 {
		t.Errorf("%d words are kept of what has come", n)
	}
}

// TestNumbersAreBounded: what is further apart is given up, and the memory
// does not grow with a number.
func TestNumbersAreBounded(t *testing.T) {
	var s numbers
	for _, n := range []uint64{3, 64*maxSpread - 1, 1 << 40, 1<<40 - 1, 1<<63 + 5} {
		if !s.add(n) || s.add(n) {
			t.Errorf("%d is not told from a second one", n)
		}
		if len(s.bits) > maxSpread {
			t.Fatalf("%d words after %d", len(s.bits), n)
		}
	}
	if s.add(4) {
		t.Error("a number far behind counts as new")
	}
}
