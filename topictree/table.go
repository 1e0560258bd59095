package topictree

import (
	"math/bits"
	"strings"
	"sync/atomic"
)

const minSlots = 8

// An index finds nodes by hash. Its zero value is empty. Growing, shrinking
// and sweeping out what is gone are one thing: a new table.
type index[S comparable] struct {
	table atomic.Pointer[table[S]] // nil: no nodes
}

// A table is open-addressed with linear probing, and a reader needs no lock.
// In its life a slot goes from empty to a node and from there to gone; it never
// goes back to empty, and never to a node of another hash. So a probe that runs
// beside a writer neither misses a node that stays nor reads a hash that
// changes.
type table[S comparable] struct {
	slots  []slot[S] // a power of two, a third of them empty
	live   int       // nodes; guarded by the shard's lock, as is
	filled int       // slots that are not empty
	gone   node[S]   // stands in the slot of a node that was dropped
}

type slot[S comparable] struct {
	hash uint64 // written before node is stored, then constant
	node atomic.Pointer[node[S]]
}

// lookup returns the node called name under parent, or nil.
func lookup[S comparable, B string | []byte](x *index[S], hash uint64, parent *node[S], name B) *node[S] {
	t := x.table.Load()
	if t == nil {
		return nil
	}
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

// findOrPut returns the node called name under parent, a new one if need be. The
// name is a piece of a filter of so many bytes. The caller holds the shard's lock.
func (x *index[S]) findOrPut(hash uint64, parent *node[S], name string, filter int) *node[S] {
	n := lookup(x, hash, parent, name)
	if n == nil {
		if filter > 64+4*len(name) {
			name = strings.Clone(name) // the node may stay when the filter has gone
		}
		n = newNode(hash, parent, name)
		x.put(hash, n)
		if parent != nil {
			parent.kids.Add(1)
		}
	}
	return n
}

// put adds n, which is not in the index. The caller holds the shard's lock.
func (x *index[S]) put(hash uint64, n *node[S]) {
	t := x.table.Load()
	if t == nil || 3*(t.filled+1) > 2*len(t.slots) {
		t = x.rebuild()
	}
	t.put(hash, n)
}

// drop removes n, which is in the index. The caller holds the shard's lock.
func (x *index[S]) drop(hash uint64, n *node[S]) {
	t := x.table.Load()
	t.drop(hash, n)
	switch {
	case t.live == 0:
		x.table.Store(nil)
	case len(t.slots) > minSlots && 8*t.live < len(t.slots):
		x.rebuild()
	}
}

// rebuild replaces the table by one for its nodes and as many again.
func (x *index[S]) rebuild() *table[S] {
	next := &table[S]{}
	next.gone.parent = &next.gone // equals no parent that is looked for
	if t := x.table.Load(); t == nil {
		next.slots = make([]slot[S], minSlots)
	} else {
		next.slots = make([]slot[S], max(minSlots, 1<<bits.Len(uint(2*t.live-1))))
		for i := range t.slots {
			if n := t.slots[i].node.Load(); n != nil && n != &t.gone {
				next.put(t.slots[i].hash, n)
			}
		}
	}
	x.table.Store(next)
	return next
}

// put stores n in a slot that is empty, or whose node of the same hash is gone.
func (t *table[S]) put(hash uint64, n *node[S]) {
	t.live++
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := &t.slots[i]
		switch was := slot.node.Load(); {
		case was == nil:
			t.filled++
			slot.hash = hash
			slot.node.Store(n)
			return
		case was == &t.gone && slot.hash == hash:
			slot.node.Store(n)
			return
		}
	}
}

// drop puts gone in the slot of n.
func (t *table[S]) drop(hash uint64, n *node[S]) {
	t.live--
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if slot := &t.slots[i]; slot.node.Load() == n {
			slot.node.Store(&t.gone)
			return
		}
	}
}
