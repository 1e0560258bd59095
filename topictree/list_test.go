package topictree

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// entriesOf returns the entries of a list and checks how they are laid out.
func entriesOf(t *testing.T, seed maphash.Seed, l *list[int]) map[int]byte {
	t.Helper()
	var m Matches[int]
	m.add(l)
	got := result(t, &m)
	head := l.head.Load()
	if head == nil || head.spread == nil {
		if len(got) > maxChunk {
			t.Fatalf("one chunk of %d entries, want at most %d", len(got), maxChunk)
		}
		return got
	}
	chunks := head.spread.chunks
	if n := len(chunks); len(got) != head.spread.count || len(got) > maxChunk*n || len(got) < minChunk*(n-1) {
		t.Fatalf("%d entries, counted as %d, are spread over %d chunks", len(got), head.spread.count, n)
	}
	for i := range chunks {
		for _, e := range chunks[i].Load().entries {
			if want := chunkOf(maphash.Comparable(seed, e.Subscriber), len(chunks)); i != want {
				t.Fatalf("subscriber %d is in chunk %d of %d, want %d", e.Subscriber, i, len(chunks), want)
			}
		}
	}
	return got
}

// TestListAgreesWithMap fills and empties a list in various orders and looks at
// every size on the way.
func TestListAgreesWithMap(t *testing.T) {
	const n = 1_000
	seed := maphash.MakeSeed()
	first := make([]int, n)
	for i := range first {
		first[i] = i
	}
	last := slices.Clone(first)
	slices.Reverse(last)
	for name, order := range map[string][]int{
		"first come, first go": first,
		"last come, first go":  last,
		"any order":            rand.Perm(n),
	} {
		t.Run(name, func(t *testing.T) {
			var l list[int]
			want := map[int]byte{}
			for i := range n {
				qos := byte(i % 2)
				if got := l.add(seed, Entry[int]{i, qos}); got != added {
					t.Fatalf("add(%d) = %v, want added", i, got)
				}
				want[i] = qos
				if got := entriesOf(t, seed, &l); len(got) != len(want) {
					t.Fatalf("%d entries, want %d", len(got), len(want))
				}
			}
			for i := range n {
				if got := l.add(seed, Entry[int]{i, byte(i % 2)}); got != unchanged {
					t.Fatalf("add(%d) again = %v, want unchanged", i, got)
				}
				if got := l.add(seed, Entry[int]{i, 2}); got != updated {
					t.Fatalf("add(%d) with another QoS = %v, want updated", i, got)
				}
				want[i] = 2
			}
			if got := entriesOf(t, seed, &l); !maps.Equal(got, want) {
				t.Fatalf("the list holds %v, want %v", got, want)
			}
			for i, s := range order {
				if l.remove(seed, n+s) || !l.remove(seed, s) || l.remove(seed, s) {
					t.Fatalf("removing %d does not say true once", s)
				}
				delete(want, s)
				got := entriesOf(t, seed, &l)
				if len(got) != len(want) || i%100 == 0 && !maps.Equal(got, want) {
					t.Fatalf("after %d removals the list holds %v, want %v", i+1, got, want)
				}
			}
			if !l.empty() {
				t.Error("the emptied list is not empty")
			}
		})
	}
}

// TestChunkOf checks the law of linear hashing for every number of chunks: one
// chunk more takes entries only from its origin.
func TestChunkOf(t *testing.T) {
	for n := 2; n < 70; n++ {
		for range 1_000 {
			hash := rand.Uint64()
			before, after := chunkOf(hash, n), chunkOf(hash, n+1)
			if before < 0 || before >= n || after != before && (after != n || before != origin(n)) {
				t.Fatalf("hash %#x moves from %d of %d to %d", hash, before, n, after)
			}
		}
	}
}

// allocated returns the bytes that f allocates, whether or not they are freed.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestOneTopicIsLinear holds the bytes written for each of n subscribers of one
// topic to bounds that do not grow with n. Copying the list for each would take
// 800,000 on average for the largest n.
func TestOneTopicIsLinear(t *testing.T) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		tree := New[*device](Options{})
		all := crowd(n)
		come := allocated(func() {
			for _, d := range all {
				tree.Subscribe("bench/all", d, 1)
			}
		}) / uint64(n)
		var m Matches[*device]
		tree.Match([]byte("bench/all"), &m)
		if m.Len() != n {
			t.Fatalf("%d subscribers found, want %d", m.Len(), n)
		}
		leave := allocated(func() {
			for _, d := range all {
				tree.Unsubscribe("bench/all", d)
			}
		}) / uint64(n)
		t.Logf("%d subscribers: %d bytes written for each that comes, %d for each that goes", n, come, leave)
		if come > 500 || leave > 3_000 {
			t.Errorf("%d subscribers: %d bytes written for each that comes, %d for each that goes", n, come, leave)
		}
	}
}

// TestAfterChurn: after thousands came and went, those who stayed are laid out
// as if the others had never been.
func TestAfterChurn(t *testing.T) {
	tree := New[*device](Options{})
	stay, gone := crowd(10), crowd(3_300)
	for i, d := range gone {
		tree.Subscribe("bench/all", d, 0)
		tree.Subscribe(fmt.Sprintf("bench/%d/+", i), d, 0)
		if i%330 == 0 {
			tree.Subscribe("bench/all", stay[i/330], 0)
		}
	}
	for i, d := range gone {
		tree.Unsubscribe("bench/all", d)
		tree.Unsubscribe(fmt.Sprintf("bench/%d/+", i), d)
	}
	var m Matches[*device]
	tree.Match([]byte("bench/all"), &m)
	if m.Len() != len(stay) || len(m.Chunks()) != 1 {
		t.Errorf("%d subscribers in %d chunks, want %d in 1", m.Len(), len(m.Chunks()), len(stay))
	}
	if st := tree.Stats(); st.Nodes != 1 || st.Slots != minSlots {
		t.Errorf("%+v is left of the churn, want one node", st)
	}
}
