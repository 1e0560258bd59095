package topictree

import (
	"hash/maphash"
	"sync/atomic"
)

// A list holds the subscribers of one filter. What a reader loads from it
// never changes: entries are only ever written behind the end that readers
// know, and everything else is done on a copy.
//
// A short list is one chunk. A long one is spread over chunks by the hash of
// the subscriber (linear hashing), so that subscribing and removing look at one
// chunk however long the list is.
type list[S comparable] struct {
	head atomic.Pointer[chunk[S]] // nil: no subscribers
}

// An outcome says what adding an entry came to.
type outcome int

const (
	unchanged outcome = iota // it was there
	updated                  // it was there with another QoS
	added
)

func (l *list[S]) empty() bool { return l.head.Load() == nil }

// add puts e into the list, or gives the subscriber that is there its QoS. The
// caller holds the shard's lock.
func (l *list[S]) add(seed maphash.Seed, e Entry[S]) outcome {
	head := l.head.Load()
	switch {
	case head == nil:
		l.head.Store(newChunk(e))
		return added
	case head.spread == nil:
		next, outcome := head.with(e)
		if len(next.entries) > maxChunk {
			next = split(seed, next)
		}
		l.head.Store(next)
		return outcome
	}
	sp := head.spread
	at := sp.at(seed, e.Subscriber)
	next, outcome := at.Load().with(e)
	at.Store(next)
	if outcome == added {
		sp.count++
		if sp.count > maxChunk*len(sp.chunks) {
			l.head.Store(sp.grown(seed))
		}
	}
	return outcome
}

// remove takes s out of the list and reports whether it was there. The caller
// holds the shard's lock.
func (l *list[S]) remove(seed maphash.Seed, s S) bool {
	head := l.head.Load()
	if head == nil {
		return false
	}
	if head.spread == nil {
		next, ok := head.without(s)
		if ok && len(next.entries) == 0 {
			next = nil
		}
		l.head.Store(next)
		return ok
	}
	sp := head.spread
	at := sp.at(seed, s)
	next, ok := at.Load().without(s)
	if !ok {
		return false
	}
	at.Store(next)
	sp.count--
	if sp.count < minChunk*(len(sp.chunks)-1) {
		l.head.Store(sp.shrunk())
	}
	return true
}
