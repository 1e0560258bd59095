package rrpc

import (
	"sync/atomic"

	"sampan/broker"
)

// IDs makes message ids of 19 decimal digits, as the platform's: milliseconds in the upper bits, so that
// they grow, and a counter below. They are unique within a broker and all but unique across restarts. It is
// safe for concurrent use.
type IDs struct {
	clock broker.Clock
	last  atomic.Uint64
}

// NewIDs returns a source of ids. nil is the system's clock.
func NewIDs(clock broker.Clock) *IDs {
	if clock == nil {
		clock = broker.SystemClock
	}
	return &IDs{clock: clock}
}

// idBits is the number of bits below the milliseconds. With it the ids of the years 2024 to 2050 have 19
// digits.
const idBits = 20

// Next returns an id that was not returned before.
func (g *IDs) Next() uint64 {
	now := uint64(g.clock.Now().UnixMilli()) << idBits
	for {
		last := g.last.Load()
		id := max(now, last+1)
		if g.last.CompareAndSwap(last, id) {
			return id
		}
	}
}
