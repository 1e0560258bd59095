package topictree

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Few levels and short paths, so that filters and topics meet often; one shard
// as well as many, every depth of prefix, and paths beyond maxDepth.
var (
	literal  = rapid.SampledFrom([]string{"a", "b", "", "$a", "c", "a"})
	wildcard = rapid.SampledFrom([]string{"+", "+", "a", "b", "", "$a"})
	options  = rapid.Custom(func(t *rapid.T) Options {
		return Options{
			Shards:       rapid.IntRange(0, 5).Draw(t, "shards"),
			PrefixLevels: rapid.IntRange(0, 5).Draw(t, "prefix levels"),
		}
	})
	topicName = rapid.Custom(func(t *rapid.T) string {
		levels := rapid.SliceOfN(literal, 1, 5).Draw(t, "levels")
		return deep(t) + strings.Join(levels, "/")
	})
	topicFilter = rapid.Custom(func(t *rapid.T) string {
		levels := rapid.SliceOfN(wildcard, 0, 5).Draw(t, "levels")
		if len(levels) == 0 || rapid.IntRange(0, 2).Draw(t, "multi") == 0 {
			levels = append(levels, "#")
		}
		return deep(t) + strings.Join(levels, "/")
	})
)

// deep returns, rarely, a beginning that reaches the depth where the table of
// prefixes ends.
func deep(t *rapid.T) string {
	if rapid.IntRange(0, 7).Draw(t, "deep") > 0 {
		return ""
	}
	return strings.Repeat("d/", rapid.IntRange(maxDepth-4, maxDepth+1).Draw(t, "depth"))
}

// TestTreeAgreesWithOracle plays random histories against the model. Results
// are kept and asked again whether they are Current: if so, a fresh match must
// be the same.
func TestTreeAgreesWithOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, m := New[int](options.Draw(t, "options")), model{}
		kept := map[string]*Matches[int]{}
		var scratch Matches[int]
		subscriber := rapid.IntRange(1, 4)
		t.Repeat(map[string]func(*rapid.T){
			"subscribe": func(t *rapid.T) {
				f, s := topicFilter.Draw(t, "filter"), subscriber.Draw(t, "subscriber")
				qos := rapid.ByteRange(0, 2).Draw(t, "qos")
				if got, want := tree.Subscribe(f, s, qos), m.subscribe(f, s, qos); got != want {
					t.Fatalf("Subscribe(%q, %d) = %v, want %v", f, s, got, want)
				}
			},
			"unsubscribe": func(t *rapid.T) {
				f := topicFilter.Draw(t, "filter")
				if known := slices.Sorted(maps.Keys(m)); len(known) > 0 && rapid.Bool().Draw(t, "known") {
					f = rapid.SampledFrom(known).Draw(t, "known filter")
				}
				s := subscriber.Draw(t, "subscriber")
				if got, want := tree.Unsubscribe(f, s), m.unsubscribe(f, s); got != want {
					t.Fatalf("Unsubscribe(%q, %d) = %v, want %v", f, s, got, want)
				}
			},
			"remove": func(t *rapid.T) {
				s := subscriber.Draw(t, "subscriber")
				filters, want := slices.Sorted(maps.Keys(m)), 0
				for _, f := range filters {
					if m.unsubscribe(f, s) {
						want++
					}
				}
				if got := tree.RemoveAll(s, slices.Values(filters)); got != want {
					t.Fatalf("RemoveAll(%d) = %d, want %d", s, got, want)
				}
			},
			"match": func(t *rapid.T) {
				topic := topicName.Draw(t, "topic")
				if kept[topic] == nil || rapid.Bool().Draw(t, "new") {
					kept[topic] = new(Matches[int])
				}
				check(t, tree, m, topic, kept[topic])
				if !tree.Current(kept[topic], []byte(topic)) {
					t.Fatalf("a match of %q is outdated at once", topic)
				}
			},
			"match again": func(t *rapid.T) {
				check(t, tree, m, topicName.Draw(t, "topic"), &scratch)
			},
			"": func(t *rapid.T) {
				for topic, matches := range kept {
					if tree.Current(matches, []byte(topic)) && !maps.Equal(result(t, matches), m.match(topic)) {
						t.Fatalf("%q: %v is Current, but now it is %v", topic, result(t, matches), m.match(topic))
					}
				}
				subscriptions, filters := m.stats()
				if st := tree.Stats(); st.Subscriptions != subscriptions || st.Filters != filters {
					t.Fatalf("Stats are %+v, want %d subscriptions, %d filters", st, subscriptions, filters)
				}
			},
		})
	})
}

// TestSmallTrees compares thousands of small trees, the same in every run: all
// filters of up to three levels of a small alphabet, some of them gone again,
// and all topics of up to four.
func TestSmallTrees(t *testing.T) {
	rng := rand.New(rand.NewPCG(47, 47))
	word := func(levels int, alphabet ...string) string {
		all := make([]string, 1+rng.IntN(levels))
		for i := range all {
			all[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return strings.Join(all, "/")
	}
	for range 3_000 {
		tree, m := New[int](Options{Shards: 1 + rng.IntN(4), PrefixLevels: 1 + rng.IntN(4)}), model{}
		var filters []string
		for s := range 1 + rng.IntN(8) {
			filter := word(3, "a", "b", "", "+", "+")
			if rng.IntN(3) == 0 {
				filter += "/#"
			}
			filters = append(filters, filter)
			tree.Subscribe(filter, s%4, byte(s%3))
			m.subscribe(filter, s%4, byte(s%3))
		}
		for s, filter := range filters {
			if rng.IntN(3) == 0 && tree.Unsubscribe(filter, s%4) != m.unsubscribe(filter, s%4) {
				t.Fatalf("subscriber %d of %q was there, or was not, against the model", s%4, filter)
			}
		}
		var found Matches[int]
		for range 10 {
			check(t, tree, m, word(4, "a", "b", "", "$a"), &found)
		}
	}
}
