package topictree

import (
	"math/bits"
	"sync/atomic"
)

// A node stands for a beginning of topic filters. The nodes of literal
// prefixes have no parent: an index finds them by the whole prefix. Only behind
// a wildcard (or maxDepth literal levels) does the tree go on level by level;
// those nodes are found by their parent and the level's name in an index of
// their own, except that a parent points to its "+".
//
// Matching reads nodes while a writer changes them: the first three fields
// never change, the others are atomic.
type node[S comparable] struct {
	parent *node[S]
	name   string // prefix if parent is nil, else one level
	salt   uint32 // part of the hash of name, for the hashes of the levels below

	kids   atomic.Int32            // literal levels below
	plus   atomic.Pointer[node[S]] // goes on with "+" and more
	exact  list[S]                 // subscribers of the filter that ends here,
	single list[S]                 // that ends with "+" below,
	multi  list[S]                 // that ends with "#" below
}

func newNode[S comparable](hash uint64, parent *node[S], name string) *node[S] {
	return &node[S]{parent: parent, name: name, salt: uint32(hash)}
}

// unused reports whether n may be taken out of the tree.
func (n *node[S]) unused() bool {
	return n.exact.empty() && n.single.empty() && n.multi.empty() &&
		n.plus.Load() == nil && n.kids.Load() == 0
}

// below returns the hash of a level below n, given the hash of its name.
func (n *node[S]) below(levelHash uint64) uint64 {
	const odd = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	return bits.RotateLeft64(levelHash^uint64(n.salt)*odd, 32) * odd
}
