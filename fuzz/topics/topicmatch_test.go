package topics

import (
	"maps"
	"strings"
	"testing"

	"sampan/internal/ceiling"
	"sampan/packet"
	"sampan/topictree"
)

// FuzzTopicMatch plays a history on a topic tree and on a map, and compares
// every match. A history is lines of a letter, a subscriber's character and a
// filter or topic:
//
//	sAa/+/c   A subscribes a/+/c with QoS 0 (S: with QoS 1)
//	uAa/+/c   A unsubscribes it
//	r A       A leaves
//	m a/b/c   match a/b/c
//
// What is no valid filter or topic is left out. Results of earlier matches are
// kept: as long as they are Current they have to be what the map says now.
func FuzzTopicMatch(f *testing.F) {
	f.Fuzz(func(t *testing.T, history string) {
		defer ceiling.Bytes(2 * ceiling.Lots).Hold(t)()
		// One shard, so that everything meets; the number of levels that
		// choose it comes from the length of the history.
		tree := topictree.New[byte](topictree.Options{Shards: 1, PrefixLevels: 1 + len(history)%4})
		subscriptions := map[string]map[byte]byte{}
		kept := map[string]*topictree.Matches[byte]{}
		lines := 0
		for line := range strings.SplitSeq(history, "\n") {
			if lines++; lines > 200 {
				break
			}
			if len(line) < 3 {
				continue
			}
			s, text := line[1], line[2:]
			switch line[0] {
			case 's', 'S':
				if packet.ValidTopicFilter([]byte(text), nil) != nil {
					continue
				}
				qos := byte(0)
				if line[0] == 'S' {
					qos = 1
				}
				if subscriptions[text] == nil {
					subscriptions[text] = map[byte]byte{}
				}
				_, want := subscriptions[text][s]
				subscriptions[text][s] = qos
				if got := tree.Subscribe(text, s, qos); got != want {
					t.Fatalf("%q replaces a subscription: %v, want %v", line, got, want)
				}
			case 'u':
				_, want := subscriptions[text][s]
				delete(subscriptions[text], s)
				if got := tree.Unsubscribe(text, s); got != want {
					t.Fatalf("%q removes a subscription: %v, want %v", line, got, want)
				}
			case 'r':
				s, want := text[0], 0
				for _, subscribers := range subscriptions {
					if _, ok := subscribers[s]; ok {
						delete(subscribers, s)
						want++
					}
				}
				if got := tree.RemoveAll(s, maps.Keys(subscriptions)); got != want {
					t.Fatalf("%q removes %d subscriptions, want %d", line, got, want)
				}
			case 'm':
				if packet.ValidTopicName([]byte(text), nil) != nil || kept[text] == nil && len(kept) == 16 {
					continue
				}
				if kept[text] == nil {
					kept[text] = new(topictree.Matches[byte])
				}
				tree.Match([]byte(text), kept[text])
				if !tree.Current(kept[text], []byte(text)) {
					t.Fatalf("%q is outdated at once", line)
				}
			}
			for topic, m := range kept {
				if tree.Current(m, []byte(topic)) {
					compare(t, m, subscriptions, topic)
				}
			}
		}
	})
}

// compare fails unless m holds what subscriptions say about topic, each
// subscriber once, with its highest QoS.
func compare(t *testing.T, m *topictree.Matches[byte], subscriptions map[string]map[byte]byte, topic string) {
	want := map[byte]byte{}
	for filter, subscribers := range subscriptions {
		if !filterMatches(filter, topic) {
			continue
		}
		for s, qos := range subscribers {
			want[s] = max(want[s], qos)
		}
	}
	got := map[byte]byte{}
	for _, chunk := range m.Chunks() {
		for _, e := range chunk {
			if _, twice := got[e.Subscriber]; twice {
				t.Fatalf("%q reaches %q twice", topic, e.Subscriber)
			}
			got[e.Subscriber] = e.QoS
		}
	}
	if !maps.Equal(got, want) || m.Len() != len(want) {
		t.Fatalf("%q reaches %v (Len %d), want %v\nsubscriptions: %q", topic, got, m.Len(), want, subscriptions)
	}
}

// filterMatches is section 4.7 once more, byte by byte, so as not to share a
// mistake with the tests of the tree.
func filterMatches(filter, topic string) bool {
	if topic[0] == '$' && filter[0] != '$' {
		return false // MQTT-4.7.2-1; a literal filter would not match anyhow
	}
	for filter != "" {
		switch {
		case filter == "#", topic == "" && filter == "/#":
			return true
		case filter[0] == '+':
			filter = filter[1:]
			for topic != "" && topic[0] != '/' {
				topic = topic[1:]
			}
		case topic == "" || filter[0] != topic[0]:
			return false
		default:
			filter, topic = filter[1:], topic[1:]
		}
	}
	return topic == ""
}
