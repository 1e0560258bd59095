package topictree

import (
	"math/bits"
	"sync/atomic"
)

// A node stands for a beginning of topic filters. The nodes of literal
// prefixes have no parent: the shard's table finds them by the whole prefix.
// Only behind a wildcard (or maxDepth literal levels) does the tree go on level
// by level; those nodes are found by their parent and the level's name, in the
// same table, except that a parent points to its "+".
//
// Matching reads nodes while a writer changes them. The first three fields
// never change once the node can be found; the others are atomic.
type node[S comparable] struct {
	parent *node[S]
	name   string // prefix if parent is nil, else one level
	hash   uint64 // of name and all above

	exact list[S]                 // subscribers of the filter that ends here
	multi list[S]                 // subscribers of the filter that goes on with "#" and ends
	plus  atomic.Pointer[node[S]] // goes on with "+"
	kids  atomic.Int32            // literal levels below
}

// list returns the subscribers of the filter that ends at n, or with "#" below.
func (n *node[S]) list(multi bool) *list[S] {
	if multi {
		return &n.multi
	}
	return &n.exact
}

// unused reports whether n may be taken out of the tree.
func (n *node[S]) unused() bool {
	return n.exact.empty() && n.multi.empty() && n.plus.Load() == nil && n.kids.Load() == 0
}

// below returns the hash of the level with levelHash under a parent with
// parentHash.
func below(parentHash, levelHash uint64) uint64 {
	const odd = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	hi, lo := bits.Mul64(parentHash^bits.RotateLeft64(levelHash, 32), odd)
	return hi ^ lo
}
