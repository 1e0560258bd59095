package topictree

import (
	"iter"
	"strings"
	"sync"
	"sync/atomic"
)

// Options tune a Tree. The zero value is right for most uses.
type Options struct {
	// Shards is the number of independently locked parts, rounded up to a
	// power of two. Zero means 64.
	Shards int
	// PrefixLevels is the number of leading topic levels that choose the
	// shard. Zero means 3.
	PrefixLevels int
}

// An Entry is one subscriber of a filter with its granted QoS.
type Entry[S comparable] struct {
	Subscriber S
	QoS        byte
}

// A Tree holds subscriptions. All methods may be called concurrently.
type Tree[S comparable] struct {
	mu      sync.RWMutex
	gen     atomic.Uint64
	filters map[string]map[S]byte
}

// New returns an empty tree.
func New[S comparable](o Options) *Tree[S] {
	return &Tree[S]{filters: make(map[string]map[S]byte)}
}

// Subscribe adds s to filter, or changes its QoS, and reports whether s had
// subscribed to this very filter before. The filter must be valid.
func (t *Tree[S]) Subscribe(filter string, s S, qos byte) (replaced bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	subs := t.filters[filter]
	if subs == nil {
		subs = make(map[S]byte)
		t.filters[filter] = subs
	}
	_, replaced = subs[s]
	subs[s] = qos
	t.gen.Add(1)
	return replaced
}

// Unsubscribe removes s from filter and reports whether it was there.
func (t *Tree[S]) Unsubscribe(filter string, s S) (removed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	subs := t.filters[filter]
	if _, removed = subs[s]; !removed {
		return false
	}
	delete(subs, s)
	if len(subs) == 0 {
		delete(t.filters, filter)
	}
	t.gen.Add(1)
	return true
}

// RemoveAll removes s from each of the filters and returns from how many.
func (t *Tree[S]) RemoveAll(s S, filters iter.Seq[string]) (removed int) {
	for f := range filters {
		if t.Unsubscribe(f, s) {
			removed++
		}
	}
	return removed
}

// Match fills m with the subscribers that topic reaches, each once with the
// highest QoS among its matching filters. Whatever m held before is gone.
func (t *Tree[S]) Match(topic []byte, m *Matches[S]) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	m.Reset()
	m.tree, m.gen, m.topic = t, t.gen.Load(), append(m.topic, topic...)
	best := make(map[S]byte)
	levels := strings.Split(string(topic), "/")
	for filter, subs := range t.filters {
		if strings.HasPrefix(string(topic), "$") && (filter[0] == '+' || filter[0] == '#') {
			continue
		}
		if !matchLevels(strings.Split(filter, "/"), levels) {
			continue
		}
		for s, q := range subs {
			if have, ok := best[s]; !ok || have < q {
				best[s] = q
			}
		}
	}
	var chunk []Entry[S]
	for s, q := range best {
		chunk = append(chunk, Entry[S]{s, q})
	}
	if chunk != nil {
		m.chunks = append(m.chunks, chunk)
	}
}

func matchLevels(filter, topic []string) bool {
	for i, f := range filter {
		if f == "#" {
			return true
		}
		if i >= len(topic) || f != "+" && f != topic[i] {
			return false
		}
	}
	return len(filter) == len(topic)
}

// Current reports whether m was filled by this tree for topic and nothing that
// could change the result has happened since.
func (t *Tree[S]) Current(m *Matches[S], topic []byte) bool {
	return m.tree == t && m.gen == t.gen.Load() && string(m.topic) == string(topic)
}

// Matches is the result of a Match. The zero value is ready. It belongs to its
// caller, who keeps it for the next Match: its memory is used again.
type Matches[S comparable] struct {
	tree   *Tree[S]
	gen    uint64
	topic  []byte
	chunks [][]Entry[S]
}

// Len returns the number of subscribers.
func (m *Matches[S]) Len() (n int) {
	for _, c := range m.chunks {
		n += len(c)
	}
	return n
}

// Chunks returns the subscribers, each exactly once. The chunks must not be
// written to; they stay as they are until the next Match or Reset of m.
func (m *Matches[S]) Chunks() [][]Entry[S] { return m.chunks }

// Reset lets go of every subscriber that m refers to. Afterwards m is Current
// for no topic.
func (m *Matches[S]) Reset() {
	clear(m.chunks)
	m.tree, m.topic, m.chunks = nil, m.topic[:0], m.chunks[:0]
}

// Stats describe a tree at one moment.
type Stats struct {
	Subscriptions int // pairs of filter and subscriber
	Filters       int // different filters
}

// Stats counts what the tree holds.
func (t *Tree[S]) Stats() (st Stats) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, subs := range t.filters {
		st.Filters++
		st.Subscriptions += len(subs)
	}
	return st
}
