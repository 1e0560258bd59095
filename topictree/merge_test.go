package topictree

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestMergeAgreesWithOracle lets crowds subscribe to overlapping filters, so
// that long lists meet long and short ones, and QoS differ.
func TestMergeAgreesWithOracle(t *testing.T) {
	overlapping := []string{"a/b/c", "a/b/+", "a/+/c", "+/b/c", "a/b/c/#", "a/#", "#", "+/+/+"}
	rapid.Check(t, func(t *rapid.T) {
		tree, m := New[int](Options{}), model{}
		for _, filter := range overlapping {
			first := rapid.IntRange(0, 300).Draw(t, "first")
			count := rapid.SampledFrom([]int{0, 1, 3, 20, 70, 300}).Draw(t, "count")
			step := rapid.IntRange(1, 3).Draw(t, "step")
			salt := rapid.IntRange(0, 5).Draw(t, "salt")
			for i := range count {
				s, qos := first+i*step, byte((i+salt)%3)
				tree.Subscribe(filter, s, qos)
				m.subscribe(filter, s, qos)
			}
		}
		var found Matches[int]
		for range 2 { // the second time in memory that was used
			check(t, tree, m, "a/b/c", &found)
			check(t, tree, m, "a/x", &found)
		}
	})
}

// TestMergeCopiesOnlyTheShorterLists: one more subscriber by wildcard must not
// cost a copy of a long list, nor a higher QoS more than a copy of its chunk.
func TestMergeCopiesOnlyTheShorterLists(t *testing.T) {
	tree := New[*device](Options{})
	all := crowd(10_000)
	for _, d := range all {
		tree.Subscribe("bench/all", d, 0)
	}
	tree.Subscribe("bench/+", new(device), 0)
	tree.Subscribe("bench/+", all[1], 0)
	tree.Subscribe("bench/+", all[2], 1)
	var m Matches[*device]
	tree.Match([]byte("bench/all"), &m)
	if got := result(t, &m); len(got) != 10_001 || got[all[1]] != 0 || got[all[2]] != 1 {
		t.Errorf("%d subscribers with QoS %d and %d, want 10,001 with 0 and 1", len(got), got[all[1]], got[all[2]])
	}
	if len(m.merge.extra) != 1 || len(m.merge.copies) == 0 || len(m.merge.copies) > 4*maxChunk {
		t.Errorf("%d entries added and %d copied, want one and a chunk", len(m.merge.extra), len(m.merge.copies))
	}
}

// TestMatchesAreImmutable keeps results while everything changes, and expects
// them as they were.
func TestMatchesAreImmutable(t *testing.T) {
	for _, n := range []int{1, 2, 5, maxChunk, maxChunk + 1, 1_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			tree := New[int](Options{})
			var history []*Matches[int]
			var want []map[int]byte
			keep := func() {
				m := new(Matches[int])
				tree.Match([]byte("bench/all"), m)
				history = append(history, m)
				want = append(want, result(t, m))
			}
			for i := range n {
				tree.Subscribe("bench/all", i, 0)
				keep()
			}
			for i := range n {
				tree.Subscribe("bench/all", i, 1)
			}
			keep()
			for i := range n {
				tree.Unsubscribe("bench/all", i)
				tree.Subscribe("bench/all", n+i, 1)
				tree.Unsubscribe("bench/all", n+i)
				keep()
			}
			for i, m := range history {
				got := result(t, m)
				if len(got) != len(want[i]) {
					t.Fatalf("result %d had %d subscribers and has %d now", i, len(want[i]), len(got))
				}
				for s, qos := range want[i] {
					if q, ok := got[s]; !ok || q != qos {
						t.Fatalf("result %d had subscriber %d with QoS %d and has %v, %d now", i, s, qos, ok, q)
					}
				}
			}
		})
	}
}

// TestChunksHaveNoRoom: whoever appends to a chunk must not write where the
// tree does.
func TestChunksHaveNoRoom(t *testing.T) {
	tree := New[int](Options{})
	for i := range 500 {
		tree.Subscribe("bench/all", i, 0)
		tree.Subscribe("bench/+", i*2, 1)
		var m Matches[int]
		for _, topic := range []string{"bench/all", "bench/other"} {
			tree.Match([]byte(topic), &m)
			for _, chunk := range m.Chunks() {
				if cap(chunk) != len(chunk) {
					t.Fatalf("a chunk of %d entries has room for %d", len(chunk), cap(chunk))
				}
			}
		}
	}
}
