package topictree

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

const (
	// maxChunk is how many entries the chunks of a list hold on average
	// before there is one more. Larger chunks cost more to search and to copy,
	// smaller ones more of the list's own memory.
	maxChunk = 64
	// minChunk is the average below which there is one chunk less.
	minChunk = maxChunk / 2
)

// A spread is a list of more than one chunk. Entries never move between its
// chunks: to split or join chunks is to make another spread.
type spread[S comparable] struct {
	chunks []atomic.Pointer[chunk[S]] // none of them nil
	count  int                        // entries in all; guarded by the shard's lock
}

// split returns the head of a list that is spread over two chunks.
func split[S comparable](seed maphash.Seed, c *chunk[S]) *chunk[S] {
	one := &spread[S]{chunks: make([]atomic.Pointer[chunk[S]], 1), count: len(c.entries)}
	one.chunks[0].Store(c)
	return one.grown(seed)
}

// at returns the place of the chunk that s belongs to.
func (sp *spread[S]) at(seed maphash.Seed, s S) *atomic.Pointer[chunk[S]] {
	return &sp.chunks[chunkOf(maphash.Comparable(seed, s), len(sp.chunks))]
}

// chunkOf returns which of n > 1 chunks a subscriber with this hash belongs to:
// the one that the low bits of the hash name or, when there are not yet so
// many chunks, the one it will be split from.
func chunkOf(hash uint64, n int) int {
	mask := 1<<bits.Len(uint(n-1)) - 1
	i := int(hash) & mask
	if i >= n {
		i &= mask >> 1
	}
	return i
}

// origin returns the chunk that chunk i > 0 is split from, and joined with.
func origin(i int) int {
	return i - 1<<(bits.Len(uint(i))-1)
}

// grown returns the head of the same list with one more chunk.
func (sp *spread[S]) grown(seed maphash.Seed) *chunk[S] {
	n := len(sp.chunks)
	next := sp.resized(n + 1)
	from := &next.chunks[origin(n)]
	entries := from.Load().entries
	// Two arrays, for one would keep alive what either chunk removes.
	room := len(entries)/2 + len(entries)/4
	stay, move := make([]Entry[S], 0, room), make([]Entry[S], 0, room)
	for _, e := range entries {
		if chunkOf(maphash.Comparable(seed, e.Subscriber), n+1) == n {
			move = append(move, e)
		} else {
			stay = append(stay, e)
		}
	}
	from.Store(&chunk[S]{entries: stay})
	next.chunks[n].Store(&chunk[S]{entries: move})
	return &chunk[S]{spread: next}
}

// shrunk returns the head of the same list with one chunk less, which may be
// that one chunk.
func (sp *spread[S]) shrunk() *chunk[S] {
	last := len(sp.chunks) - 1
	into := origin(last)
	a, b := sp.chunks[into].Load().entries, sp.chunks[last].Load().entries
	joined := &chunk[S]{entries: append(append(make([]Entry[S], 0, len(a)+len(b)), a...), b...)}
	if last == 1 {
		return joined
	}
	next := sp.resized(last)
	next.chunks[into].Store(joined)
	return &chunk[S]{spread: next}
}

// resized returns a spread of n chunks that are those of sp as far as both
// reach.
func (sp *spread[S]) resized(n int) *spread[S] {
	next := &spread[S]{chunks: make([]atomic.Pointer[chunk[S]], n), count: sp.count}
	for i := range min(n, len(sp.chunks)) {
		next.chunks[i].Store(sp.chunks[i].Load())
	}
	return next
}
