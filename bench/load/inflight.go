package load

// inflight gives QoS 1 messages their packet identifiers and finds the
// message again when its PUBACK comes. Identifiers are used in turn, 1 to
// 65,535, so the message of number n has n modulo 65,535 plus one.
//
// A broker acknowledges in the order in which it was sent messages
// (MQTT-4.6.0-2), so the oldest is looked at first; others are found as well.
type inflight struct {
	slots  []flight // a ring; its length is a power of two
	oldest uint64   // number of the oldest that is not acknowledged
	next   uint64   // number of the next message
}

// flight is one message on its way.
type flight struct {
	stream *stream
	sent   int64 // intended send time
	acked  bool
}

const identifiers = 65_535

// len is the number of messages on their way, and of acknowledged ones behind
// an older one that is not.
func (f *inflight) len() int { return int(f.next - f.oldest) }

// add begins a message and returns its identifier. At most 32,768 may be on
// their way.
func (f *inflight) add(s *stream, sent int64) uint16 {
	if f.len() == len(f.slots) {
		f.grow()
	}
	f.slots[f.next&uint64(len(f.slots)-1)] = flight{stream: s, sent: sent}
	id := f.next%identifiers + 1
	f.next++
	return uint16(id)
}

// grow doubles the ring.
func (f *inflight) grow() {
	slots := make([]flight, max(16, 2*len(f.slots)))
	for n := f.oldest; n < f.next; n++ {
		slots[n&uint64(len(slots)-1)] = f.slots[n&uint64(len(f.slots)-1)]
	}
	f.slots = slots
}

// ack ends the message of an identifier and reports whether there was one.
func (f *inflight) ack(id uint16) (flight, bool) {
	if id == 0 || f.oldest == f.next {
		return flight{}, false
	}
	n := f.oldest + (uint64(id)-1+identifiers-f.oldest%identifiers)%identifiers
	if n >= f.next {
		return flight{}, false
	}
	mask := uint64(len(f.slots) - 1)
	slot := &f.slots[n&mask]
	if slot.acked {
		return flight{}, false
	}
	slot.acked = true
	for f.oldest < f.next && f.slots[f.oldest&mask].acked {
		f.oldest++
	}
	return *slot, true
}

// unacked is the number of messages on their way.
func (f *inflight) unacked() (n int) {
	for i := f.oldest; i < f.next; i++ {
		if !f.slots[i&uint64(len(f.slots)-1)].acked {
			n++
		}
	}
	return n
}
