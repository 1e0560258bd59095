package proof

import (
	"testing"

	"pgregory.net/rapid"
)

// TestTrackerAgainstSet compares the tracker with a plain set of numbers.
func TestTrackerAgainstSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOf(rapid.Uint64Range(0, 40)).Draw(t, "numbers")
		var tr Tracker
		seen := map[uint64]bool{}
		highest := int64(-1)
		for _, seq := range numbers {
			want := "expected"
			switch {
			case seen[seq]:
				want = "doubled"
			case int64(seq) < highest:
				want = "late"
			case int64(seq) > highest+1:
				want = "ahead"
			}
			got := "expected"
			var missing uint64
			if !tr.Expected(seq) {
				var a Arrival
				a, missing = tr.Unexpected(seq)
				got = map[Arrival]string{Ahead: "ahead", Late: "late", Doubled: "doubled"}[a]
			}
			if got != want {
				t.Fatalf("%d of %v: %s, want %s", seq, numbers, got, want)
			}
			if want == "ahead" && missing != uint64(int64(seq)-highest-1) {
				t.Fatalf("%d of %v: %d missing", seq, numbers, missing)
			}
			seen[seq] = true
			highest = max(highest, int64(seq))
		}
		if got, want := tr.Lost(41), uint64(41-len(seen)); got != want {
			t.Fatalf("%v: %d lost of 41, want %d; gaps %v", numbers, got, want, tr.gaps)
		}
	})
}

// TestTrackerMemoryIsBounded loses every other message.
func TestTrackerMemoryIsBounded(t *testing.T) {
	var tr Tracker
	for seq := uint64(1); seq < 10*maxGaps; seq += 2 {
		tr.Unexpected(seq)
	}
	if len(tr.gaps) > maxGaps {
		t.Errorf("%d gaps kept, want at most %d", len(tr.gaps), maxGaps)
	}
	if got := tr.Lost(10 * maxGaps); got != 5*maxGaps {
		t.Errorf("%d lost, want %d", got, 5*maxGaps)
	}
	if a, _ := tr.Unexpected(0); a != Doubled {
		t.Errorf("a message of a final gap is %v, want doubled", a)
	}
}

// TestTrackerMemoryIsBoundedWhenLateOnesCome fills a long gap from its middle,
// which makes two of one again and again.
func TestTrackerMemoryIsBoundedWhenLateOnesCome(t *testing.T) {
	var tr Tracker
	const end = 10 * maxGaps
	tr.Unexpected(end)
	late := uint64(0)
	for seq := uint64(1); seq < end; seq += 2 {
		if a, _ := tr.Unexpected(seq); a == Late {
			late++
		}
		if len(tr.gaps) > maxGaps {
			t.Fatalf("%d gaps kept, want at most %d", len(tr.gaps), maxGaps)
		}
	}
	if got := tr.Lost(end + 1); got != end-late {
		t.Errorf("%d lost, want %d", got, end-late)
	}
	for seq := uint64(end + 2); seq < 2*end; seq += 2 {
		tr.Unexpected(seq)
	}
	if len(tr.gaps) > maxGaps {
		t.Errorf("%d gaps kept, want at most %d", len(tr.gaps), maxGaps)
	}
}
