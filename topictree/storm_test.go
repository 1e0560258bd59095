package topictree

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestStorm lets writers come and go on the filters of a few topics, in large
// numbers so that lists and tables grow and shrink, while others match. Two
// kinds of subscribers stay: every match must find each of them, once. It is
// made for the race detector.
func TestStorm(t *testing.T) {
	const (
		writers = 3
		readers = 3
		stay    = 100
		come    = 300 // of each writer, so that lists spread and join again
		rounds  = 15
	)
	filters := []string{
		"storm/a/b/c", "storm/a/b/+", "storm/+/b/c", "storm/a/#", "storm/#", "#", "+/a/b/c", "storm/a/b/c/#", "storm/x",
	}
	topics := map[string]int{"storm/a/b/c": stay, "storm/x": stay, "storm/a": 0, "other": 0}

	tree := New[int](Options{Shards: 1})
	for s := range stay {
		tree.Subscribe("storm/a/b/c", s, 1)
		tree.Subscribe("storm/x", s, 1)
	}
	var write, read sync.WaitGroup
	var done atomic.Bool
	for w := range writers {
		write.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			mine := func(i int) int { return stay + i*writers + w }
			var m Matches[int]
			for round := range rounds {
				for i := range come {
					filter := filters[rng.IntN(len(filters))]
					topic := []byte(fmt.Sprintf("storm/%d/%d/%d", w, round, i))
					tree.Subscribe(filter, mine(i), byte(i%2))
					tree.Subscribe(string(topic), mine(i), 1)

					tree.Match(topic, &m)
					if !has(&m, mine(i)) {
						t.Errorf("%s has its subscriber, but Match does not find it", topic)
					}
					tree.Unsubscribe(string(topic), mine(i))
					if tree.Current(&m, topic) {
						t.Errorf("%s has lost its subscriber, but the match counts as current", topic)
					}
				}
				for i := range come {
					for _, filter := range filters {
						tree.Unsubscribe(filter, mine(i))
					}
				}
			}
		})
	}
	for range readers {
		read.Go(func() {
			var m Matches[int]
			for !done.Load() {
				for topic, want := range topics {
					tree.Match([]byte(topic), &m)
					found := 0
					for s, qos := range result(t, &m) {
						if s < stay {
							found++
							if qos != 1 {
								t.Errorf("%s: subscriber %d has QoS %d, want 1", topic, s, qos)
							}
						}
					}
					if found != want {
						t.Errorf("%s: %d of those who stay are found, want %d", topic, found, want)
						return
					}
				}
			}
		})
	}
	write.Wait()
	done.Store(true)
	read.Wait()
	if st := tree.Stats(); st.Subscriptions != 2*stay || st.Filters != 2 || st.Nodes != 2 {
		t.Errorf("%+v is left, want the %d subscriptions that stay", st, 2*stay)
	}
}

// TestChangeBesideMatch makes one change while another goroutine matches, again
// and again. Of the last matches before, beside and after the change, those
// that count as current afterwards have to have seen it.
func TestChangeBesideMatch(t *testing.T) {
	const (
		rounds = 3_000
		beside = 8 // so many matches are kept, and one after the change
	)
	topic, filters := []byte("storm/a/b/c"), []string{"storm/a/b/c", "storm/+/b/c"}
	tree := New[int](Options{})
	oneCore := runtime.GOMAXPROCS(0) == 1
	var last [beside + 1]Matches[int]
	var begun, changed, ended, checked atomic.Int64 // the newest round of which this holds
	await := func(n *atomic.Int64, round int64) {
		for n.Load() < round {
			runtime.Gosched()
		}
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for round := int64(1); round <= rounds; round++ {
			await(&checked, round-1)
			for i := 0; changed.Load() < round; i++ {
				tree.Match(topic, &last[i%beside])
				begun.Store(round)
				if oneCore {
					runtime.Gosched()
				}
			}
			tree.Match(topic, &last[beside])
			ended.Store(round)
		}
	})
	for round := int64(1); round <= rounds; round++ {
		await(&begun, round)
		filter, want := filters[(round-1)/2%2], int(round%2)
		if want == 1 {
			tree.Subscribe(filter, 1, 1)
		} else {
			tree.Unsubscribe(filter, 1)
		}
		changed.Store(round)
		await(&ended, round)
		for i := range last {
			if tree.Current(&last[i], topic) && last[i].Len() != want {
				t.Errorf("round %d: a match counts as current with %d subscribers, want %d", round, last[i].Len(), want)
			}
		}
		if !tree.Current(&last[beside], topic) {
			t.Errorf("round %d: a match after the change is not current", round)
		}
		checked.Store(round)
	}
	reader.Wait()
}

func has(m *Matches[int], s int) bool {
	for _, chunk := range m.Chunks() {
		if indexOf(chunk, s) >= 0 {
			return true
		}
	}
	return false
}
