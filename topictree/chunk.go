package topictree

import "slices"

// A chunk holds some entries; a list's head may be spread out instead.
type chunk[S comparable] struct {
	entries []Entry[S]
	spread  *spread[S]
}

// newChunk returns a chunk with room for one entry, both in one allocation:
// most filters have one subscriber.
func newChunk[S comparable](e Entry[S]) *chunk[S] {
	single := &struct {
		chunk[S]
		entry [1]Entry[S]
	}{entry: [1]Entry[S]{e}}
	single.entries = single.entry[:]
	return &single.chunk
}

// indexOf returns where s is in entries, or -1.
func indexOf[S comparable](entries []Entry[S], s S) int {
	for i := range entries {
		if entries[i].Subscriber == s {
			return i
		}
	}
	return -1
}

// with returns a chunk that has e. The receiver must be the newest version of
// its chunk: a new entry goes behind the end that its readers see.
func (c *chunk[S]) with(e Entry[S]) (*chunk[S], outcome) {
	i := indexOf(c.entries, e.Subscriber)
	switch {
	case i < 0:
		return &chunk[S]{entries: append(c.entries, e)}, added
	case c.entries[i].QoS == e.QoS:
		return c, unchanged
	}
	entries := slices.Clone(c.entries)
	entries[i] = e
	return &chunk[S]{entries: entries}, updated
}

// without returns a chunk that does not have s, with the order kept, and
// whether the receiver had it.
func (c *chunk[S]) without(s S) (*chunk[S], bool) {
	i := indexOf(c.entries, s)
	if i < 0 {
		return c, false
	}
	// Room for one more, for those who come and go.
	entries := append(make([]Entry[S], 0, len(c.entries)), c.entries[:i]...)
	return &chunk[S]{entries: append(entries, c.entries[i+1:]...)}, true
}
