package topictree

import "hash/maphash"

// maxScan is how many entries are searched one by one before a map is worth it.
const maxScan = 16

// A merge makes one result of several lists: each subscriber once, with its
// highest QoS. The longest list is left as it is, save for copies of the chunks
// in which a QoS is to be raised; what only the shorter lists have becomes one
// more chunk. So the work grows with the shorter lists alone.
type merge[S comparable] struct {
	base   [][]Entry[S] // the chunks of the longest list, as found
	spread bool         // base is spread by hash

	chunks [][]Entry[S] // the result: base, then extra
	copies []Entry[S]   // chunks of base in which a QoS is raised
	extra  []Entry[S]   // subscribers that are not in base
	where  map[S]int    // their places in extra, when there are many
}

// all merges the lists, of which there are at least two, and returns how many
// subscribers they have together.
func (g *merge[S]) all(seed maphash.Seed, lists []matched, found [][]Entry[S]) (count int) {
	longest := 0
	for i := range lists {
		if lists[i].count > lists[longest].count {
			longest = i
		}
	}
	base := lists[longest]
	g.base, g.spread = found[base.start:base.end], base.spread
	g.chunks = append(g.chunks, g.base...)
	for i, list := range lists {
		if i != longest {
			g.join(seed, found[list.start:list.end])
		}
	}
	if len(g.extra) > 0 {
		g.chunks = append(g.chunks, readOnly(g.extra))
	}
	clear(g.where)
	return base.count + len(g.extra)
}

// join merges one list.
func (g *merge[S]) join(seed maphash.Seed, list [][]Entry[S]) {
	others := len(g.extra) // within a list nobody is twice
	if others > maxScan {
		if g.where == nil {
			g.where = make(map[S]int)
		}
		for i := len(g.where); i < others; i++ {
			g.where[g.extra[i].Subscriber] = i
		}
	}
	for _, entries := range list {
		for _, e := range entries {
			if chunk, i := g.inBase(seed, e.Subscriber); i >= 0 {
				g.raise(chunk, i, e.QoS)
			} else if i := g.inExtra(others, e.Subscriber); i >= 0 {
				g.extra[i].QoS = max(g.extra[i].QoS, e.QoS)
			} else {
				g.extra = append(g.extra, e)
			}
		}
	}
}

// inBase returns the chunk and the place of s in base, or a place of -1.
func (g *merge[S]) inBase(seed maphash.Seed, s S) (chunk, i int) {
	if g.spread {
		chunk = chunkOf(maphash.Comparable(seed, s), len(g.base))
	}
	return chunk, indexOf(g.base[chunk], s)
}

// inExtra returns the place of s among the first n of extra, or -1.
func (g *merge[S]) inExtra(n int, s S) int {
	if n <= maxScan {
		return indexOf(g.extra[:n], s)
	}
	if i, ok := g.where[s]; ok {
		return i
	}
	return -1
}

// raise gives an entry of base at least this QoS, in a copy of its chunk.
func (g *merge[S]) raise(chunk, i int, qos byte) {
	entries := g.chunks[chunk]
	if entries[i].QoS >= qos {
		return
	}
	if &entries[0] == &g.base[chunk][0] { // not yet a copy
		start := len(g.copies)
		g.copies = append(g.copies, entries...)
		entries = readOnly(g.copies[start:])
		g.chunks[chunk] = entries
	}
	entries[i].QoS = qos
}

// reset lets go of the result but keeps the memory.
func (g *merge[S]) reset() {
	clear(g.chunks)
	clear(g.copies)
	clear(g.extra)
	g.base, g.chunks, g.copies, g.extra = nil, g.chunks[:0], g.copies[:0], g.extra[:0]
}
