package codec

import (
	"math"
	"runtime/debug"
	"testing"

	"sampan/internal/ceiling"
	"sampan/packet"
)

// spendable is twice what the inputs below need: the error that ends an execution, and the encoded copies that
// decodeLaws makes of what is really there.
func spendable(data []byte) ceiling.Bytes { return ceiling.Bytes(256 + 16*len(data)) }

// FuzzDecode's own ceiling leaves room for 16 MiB. Here a length is noticed that claims 64 KiB, or a few hundred
// bytes more than there are: to the byte, since the collector is off, and in new values each time, since what they
// keep for the next packet counts, too.
func TestLengthsThatAreClaimedAllocateNothing(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	try := func(lim *packet.Limits, data []byte) {
		spent, most := ceiling.Bytes(math.MaxInt), spendable(data)
		for tries := 0; spent > most && tries < 5; tries++ { // what the runtime needs for itself now and then is not the input's
			laws := new(decodeLaws)
			spent = min(spent, ceiling.Spent(func() { laws.stream(t, lim, data) }))
		}
		if spent > most {
			t.Errorf("%.80x, %d bytes: %d bytes were allocated, at most %d are allowed", data, len(data), spent, most)
		}
	}
	m := newMutator(t)
	for _, seed := range m.seeds {
		for _, lim := range codecLimits {
			try(lim, seed)
		}
	}
	for range 5_000 {
		limits, data := m.next()
		try(codecLimits[int(limits)%len(codecLimits)], data)
	}
}
