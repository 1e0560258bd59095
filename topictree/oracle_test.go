package topictree

import (
	"maps"
	"slices"
	"strings"
)

// matches is section 4.7 of the standard in as few words as possible: the
// oracle that every other test asks.
func matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && strings.IndexAny(filter, "+#") == 0 {
		return false // MQTT-4.7.2-1
	}
	levels := strings.Split(topic, "/")
	for i, f := range strings.Split(filter, "/") {
		if f == "#" {
			return true // the parent level as well, for we came this far
		}
		if i == len(levels) || f != "+" && f != levels[i] {
			return false
		}
	}
	return strings.Count(filter, "/") == strings.Count(topic, "/")
}

// A model is the obvious tree: for each filter who subscribed with which QoS.
type model map[string]map[int]byte

func (m model) subscribe(filter string, s int, qos byte) (replaced bool) {
	if m[filter] == nil {
		m[filter] = map[int]byte{}
	}
	_, replaced = m[filter][s]
	m[filter][s] = qos
	return replaced
}

func (m model) unsubscribe(filter string, s int) (removed bool) {
	_, removed = m[filter][s]
	delete(m[filter], s)
	if len(m[filter]) == 0 {
		delete(m, filter)
	}
	return removed
}

// match returns the highest QoS of each subscriber that topic reaches.
func (m model) match(topic string) map[int]byte {
	result := map[int]byte{}
	for filter, subscribers := range m {
		if !matches(filter, topic) {
			continue
		}
		for s, qos := range subscribers {
			result[s] = max(result[s], qos)
		}
	}
	return result
}

func (m model) stats() (subscriptions, filters int) {
	for _, subscribers := range m {
		subscriptions += len(subscribers)
	}
	return subscriptions, len(m)
}

// A failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// result returns what m holds, and fails if a subscriber is there twice or Len
// is wrong.
func result[S comparable](t failer, m *Matches[S]) map[S]byte {
	t.Helper()
	got := map[S]byte{}
	for _, chunk := range m.Chunks() {
		for _, e := range chunk {
			if _, twice := got[e.Subscriber]; twice {
				t.Fatalf("topic %q reaches subscriber %v twice", m.topic, e.Subscriber)
			}
			got[e.Subscriber] = e.QoS
		}
	}
	if m.Len() != len(got) {
		t.Fatalf("topic %q: Len is %d, the chunks hold %d", m.topic, m.Len(), len(got))
	}
	return got
}

// check fails unless tree and model agree on topic.
func check(t failer, tree *Tree[int], m model, topic string, into *Matches[int]) {
	t.Helper()
	tree.Match([]byte(topic), into)
	got, want := result(t, into), m.match(topic)
	if !maps.Equal(got, want) {
		t.Fatalf("topic %q reaches %v, want %v\nfilters: %q", topic, got, want, slices.Sorted(maps.Keys(m)))
	}
}
