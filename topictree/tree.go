package topictree

import (
	"hash/maphash"
	"iter"
	"math/bits"
)

const (
	defaultShards       = 64
	defaultPrefixLevels = 3
)

// Options tune a Tree. The zero value is right for most uses.
type Options struct {
	// Shards is the number of independently locked parts, rounded up to a
	// power of two. Zero means 64. An empty shard takes 456 bytes.
	Shards int
	// PrefixLevels is the number of leading topic levels that choose the
	// shard, at most 16. Zero means 3: enough to tell devices apart by
	// /product/device. Filters with a wildcard among these levels share one
	// shard of their own, which every match looks at.
	PrefixLevels int
}

// An Entry is one subscriber of a filter with its granted QoS.
type Entry[S comparable] struct {
	Subscriber S
	QoS        byte
}

// A Tree holds subscriptions and finds those that a topic name matches
// (MQTT 3.1.1, section 4.7). All methods may be called concurrently. A
// subscriber must equal itself (no NaN), as the key of a map.
type Tree[S comparable] struct {
	seed         maphash.Seed
	shift        uint // a hash shifted right by it is the number of the shard
	prefixLevels int
	shards       []shard[S]
	wild         shard[S] // filters with a wildcard within the first prefixLevels
}

// New returns an empty tree.
func New[S comparable](o Options) *Tree[S] {
	if o.Shards <= 0 {
		o.Shards = defaultShards
	}
	if o.PrefixLevels <= 0 {
		o.PrefixLevels = defaultPrefixLevels
	}
	logShards := uint(bits.Len(uint(o.Shards - 1)))
	t := &Tree[S]{
		seed:         maphash.MakeSeed(),
		shift:        64 - logShards,
		prefixLevels: min(o.PrefixLevels, maxDepth),
		shards:       make([]shard[S], 1<<logShards),
	}
	for i := range t.shards {
		t.shards[i].seed = t.seed
	}
	t.wild.seed = t.seed
	return t
}

// Subscribe adds s to filter, or changes its QoS, and reports whether s was
// subscribed to this very filter before. The filter must be valid (see
// packet.ValidTopicFilter). The tree keeps the string, as a map keeps its key:
// do not pass a piece of something large. Every Match that begins after
// Subscribe has returned finds s.
func (t *Tree[S]) Subscribe(filter string, s S, qos byte) (replaced bool) {
	sh, p := t.place(filter)
	return sh.subscribe(p, Entry[S]{s, qos})
}

// Unsubscribe removes s from filter and reports whether it was there: from no
// other, even if the filter is not valid. No Match that begins after
// Unsubscribe has returned finds s by this filter.
func (t *Tree[S]) Unsubscribe(filter string, s S) (removed bool) {
	sh, p := t.place(filter)
	return sh.unsubscribe(p, s)
}

// RemoveAll unsubscribes s from each of the filters, all those of a client
// that leaves, and returns from how many it was removed.
func (t *Tree[S]) RemoveAll(s S, filters iter.Seq[string]) (removed int) {
	for filter := range filters {
		if t.Unsubscribe(filter, s) {
			removed++
		}
	}
	return removed
}

// place returns the shard that holds filter, and the filter taken apart.
func (t *Tree[S]) place(filter string) (*shard[S], path) {
	p := parse(filter)
	p.hash = maphash.String(t.seed, p.prefix)
	if p.depth < t.prefixLevels && p.more {
		return &t.wild, p
	}
	shardHash := p.hash
	if p.depth > t.prefixLevels {
		shardHash = maphash.String(t.seed, leading(p.prefix, t.prefixLevels))
	}
	return t.shard(shardHash), p
}

// shard returns the shard for topics whose leading levels have this hash.
func (t *Tree[S]) shard(hash uint64) *shard[S] {
	return &t.shards[hash>>t.shift]
}
