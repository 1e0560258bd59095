package topictree

import (
	"math/bits"
	"sync/atomic"
)

const minSlots = 8

// A table finds nodes by hash: open addressing, linear probing, and a reader
// needs no lock. In the life of a table a slot goes from empty to a node and
// from there to the shard's gone node, never back to empty and never to a node
// of another hash; so a probe that runs beside a writer neither misses a node
// that stays nor reads a hash that changes. Growing, shrinking and sweeping
// out gone nodes are one thing: a new table.
type table[S comparable] struct {
	slots []slot[S] // a power of two, at least a third of them empty
}

type slot[S comparable] struct {
	hash uint64 // written before node is stored, then constant
	node atomic.Pointer[node[S]]
}

func newTable[S comparable](slots int) *table[S] {
	return &table[S]{slots: make([]slot[S], slots)}
}

// lookup returns the node called name under parent, or nil.
func lookup[S comparable, B string | []byte](t *table[S], hash uint64, parent *node[S], name B) *node[S] {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := &t.slots[i]
		n := slot.node.Load()
		if n == nil {
			return nil
		}
		if slot.hash == hash && n.parent == parent && n.name == string(name) {
			return n
		}
	}
}

// put stores n in a slot that is empty, or whose node of the same hash is
// gone, and reports whether it was an empty one.
func (t *table[S]) put(hash uint64, n, gone *node[S]) (filled bool) {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := &t.slots[i]
		switch slot.node.Load() {
		case nil:
			slot.hash = hash
			slot.node.Store(n)
			return true
		case gone:
			if slot.hash == hash {
				slot.node.Store(n)
				return false
			}
		}
	}
}

// drop replaces n, which is in the table, by gone.
func (t *table[S]) drop(hash uint64, n, gone *node[S]) {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if slot := &t.slots[i]; slot.node.Load() == n {
			slot.node.Store(gone)
			return
		}
	}
}

// rebuilt returns a table with the nodes of t except gone, of which there are
// live, and room for as many again.
func (t *table[S]) rebuilt(live int, gone *node[S]) *table[S] {
	next := newTable[S](max(minSlots, 1<<bits.Len(uint(2*live-1))))
	for i := range t.slots {
		if n := t.slots[i].node.Load(); n != nil && n != gone {
			next.put(t.slots[i].hash, n, gone)
		}
	}
	return next
}
