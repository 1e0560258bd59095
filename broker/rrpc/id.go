package rrpc

import (
	"sync/atomic"

	"sampan/broker"
)

// ids makes message ids of 19 decimal digits, as the platform's: milliseconds in the upper bits, so that
// they grow, and a counter below. They are unique within a broker and all but unique across restarts.
type ids struct {
	clock broker.Clock
	last  atomic.Uint64
}

// idBits is the number of bits below the milliseconds. With it the ids of the years 2024 to 2050 have 19
// digits.
const idBits = 20

func (g *ids) next() uint64 {
	now := uint64(g.clock.Now().UnixMilli()) << idBits
	for {
		last := g.last.Load()
		id := max(now, last+1)
		if g.last.CompareAndSwap(last, id) {
			return id
		}
	}
}
