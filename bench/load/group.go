package load

import (
	"sync"

	"sampan/bench/proof"
)

// group follows the streams that receivers share: each message has to come to
// one of them. There is no order among receivers, so none is looked for.
type group struct {
	mu   sync.Mutex
	seen []numbers // by stream; guarded by mu
}

func newGroup(streams int) *group { return &group{seen: make([]numbers, streams)} }

// first reports whether a message comes for the first time.
func (g *group) first(m proof.Stamp) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen[m.Stream].add(m.Seq)
}

// lost tells how many of the first sent messages of a stream have not come.
func (g *group) lost(stream int, sent uint64) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return sent - g.seen[stream].size
}

// numbers is a set of message numbers that come in about their order: those
// below low have all come, or are so far behind that they are given up: they
// stay lost, and count as doubled if they come after all.
type numbers struct {
	low  uint64   // a multiple of 64
	bits []uint64 // from low on
	size uint64
}

// maxSpread is how far apart the numbers of a set can be, in words: a slow
// receiver may hold back what others are four million messages ahead of. It
// bounds the memory of a stream to 512 KiB.
const maxSpread = 1 << 16

// add reports whether the set did not have n.
func (s *numbers) add(n uint64) bool {
	if n < s.low {
		return false
	}
	word := (n - s.low) / 64
	if word >= maxSpread {
		gone := word - maxSpread + 1
		s.bits = s.bits[min(gone, uint64(len(s.bits))):]
		s.low += gone * 64
		word -= gone
	}
	for uint64(len(s.bits)) <= word {
		s.bits = append(s.bits, 0)
	}
	bit := uint64(1) << (n % 64)
	if s.bits[word]&bit != 0 {
		return false
	}
	s.bits[word] |= bit
	s.size++
	for len(s.bits) > 0 && s.bits[0] == ^uint64(0) {
		s.bits = s.bits[1:]
		s.low += 64
	}
	return true
}
