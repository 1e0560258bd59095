package topictree

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// A shard holds the filters of some prefixes. Whoever changes it holds mu;
// matching takes no lock.
type shard[S comparable] struct {
	// generation is raised after every change that a match could see, so a
	// match that reads it first and then the tree is outdated at worst, and
	// knows it.
	generation atomic.Uint64
	// Sets of depths, bit d for d literal levels: where filters end, and where
	// they go on. A match looks nowhere else.
	ends, opens atomic.Uint32

	root     node[S]                // the prefix of no levels
	prefixes [maxDepth + 1]index[S] // the others, by depth
	levels   index[S]               // the nodes that have a parent, save those for "+"
	seed     maphash.Seed

	mu              sync.Mutex          // guards everything below, and all changes above
	endsAt, opensAt [maxDepth + 1]int32 // filters behind each bit of ends and opens
	subscriptions   int
	filters         int

	_ [64]byte // keeps the next shard's generation out of our cache line
}

func (sh *shard[S]) subscribe(p path, e Entry[S]) (replaced bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l := sh.grow(p)
	first := l.empty()
	outcome := l.add(sh.seed, e)
	if outcome == unchanged {
		return true
	}
	if first {
		sh.filters++
		sh.count(p, 1)
	}
	if outcome == added {
		sh.subscriptions++
	}
	sh.generation.Add(1)
	return outcome == updated
}

func (sh *shard[S]) unsubscribe(p path, s S) (removed bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	n, l := sh.find(p)
	if n == nil || !l.remove(sh.seed, s) {
		return false
	}
	sh.subscriptions--
	if l.empty() {
		sh.filters--
		sh.count(p, -1)
		sh.prune(n, p.depth)
	}
	sh.generation.Add(1)
	return true
}

// count keeps ends and opens up to date when a filter comes (by 1) or goes
// (by -1).
func (sh *shard[S]) count(p path, by int32) {
	set, at := &sh.ends, &sh.endsAt[p.depth]
	if p.more {
		set, at = &sh.opens, &sh.opensAt[p.depth]
	}
	*at += by
	bit := uint32(1) << p.depth
	if *at > 0 {
		set.Or(bit)
	} else {
		set.And(^bit)
	}
}

// find returns the node and the list of a filter, or nil.
func (sh *shard[S]) find(p path) (*node[S], *list[S]) {
	n := &sh.root
	if p.depth > 0 {
		n = lookup(&sh.prefixes[p.depth], p.hash, nil, p.prefix)
	}
	for p.more && n != nil {
		var level string
		level, p.rest, p.more = strings.Cut(p.rest, "/")
		switch {
		case level == "#" && !p.more: // else it is no valid filter, but not that of another either
			return n, &n.multi
		case level == "+" && !p.more:
			return n, &n.single
		case level == "+":
			n = n.plus.Load()
		default:
			n = lookup(&sh.levels, sh.hash(n, level), n, level)
		}
	}
	if n == nil {
		return nil, nil
	}
	return n, &n.exact
}

// grow returns the list of a filter and makes the nodes that lead to it.
func (sh *shard[S]) grow(p path) *list[S] {
	n := &sh.root
	filter := len(p.prefix) + len(p.rest)
	if p.depth > 0 {
		n = sh.prefixes[p.depth].findOrPut(p.hash, nil, p.prefix, filter)
	}
	for p.more {
		var level string
		level, p.rest, p.more = strings.Cut(p.rest, "/")
		switch {
		case level == "#" && !p.more:
			return &n.multi
		case level == "+" && !p.more:
			return &n.single
		case level == "+":
			parent := n
			if n = parent.plus.Load(); n == nil {
				n = newNode(sh.hash(parent, "+"), parent, "+")
				parent.plus.Store(n)
			}
		default:
			n = sh.levels.findOrPut(sh.hash(n, level), n, level, filter)
		}
	}
	return &n.exact
}

// hash returns the hash of the node called name under parent.
func (sh *shard[S]) hash(parent *node[S], name string) uint64 {
	hash := maphash.String(sh.seed, name)
	if parent != nil {
		hash = parent.below(hash)
	}
	return hash
}

// prune takes n out of the tree if it is of no use any more, and then what was
// above it only for its sake, up to a prefix of so many levels.
func (sh *shard[S]) prune(n *node[S], depth int) {
	for n != &sh.root && n.unused() {
		parent, hash := n.parent, sh.hash(n.parent, n.name)
		switch {
		case parent == nil:
			sh.prefixes[depth].drop(hash, n)
			return
		case parent.plus.Load() == n:
			parent.plus.Store(nil)
		default:
			sh.levels.drop(hash, n)
			parent.kids.Add(-1)
		}
		n = parent
	}
}
