package session

import "sort"

// window is the messages in flight towards one client, in the order in which they were first sent, with
// their packet identifiers. It is a ring that grows up to the window's size and beyond it only while the
// client acknowledges out of order.
type window struct {
	slots   []slot // ring, length a power of two
	head    int    // index of the oldest slot
	n       int    // slots in use, acknowledged ones behind an unacknowledged one included
	unacked int
	last    uint16 // the identifier given last; 0: none yet

	// used marks the identifiers in flight. It is nil, and not needed, as long as the identifiers grow from
	// the oldest slot to the youngest: then the next one is free. When they have gone round past the oldest
	// slot, or were restored in another order, it is kept until the window has been empty.
	used *[1 << 16 / 64]uint64
}

// slot is one message in flight. A session that ends with its connection never redelivers, and one that a store
// keeps reads back what it redelivers: so slots carry no message but while one is about to be sent again.
type slot struct {
	e     entry
	id    uint16
	acked bool
}

// maxIDs is the number of packet identifiers: 1 to 65,535 [MQTT-2.3.1-1].
const maxIDs = 1<<16 - 1

func (w *window) at(i int) *slot { return &w.slots[(w.head+i)&(len(w.slots)-1)] }

// push gives the next free identifier to e. There is one: unacked is below maxIDs.
func (w *window) push(e entry) uint16 {
	id := w.after(w.last)
	if w.used == nil && w.n > 0 && id == w.at(0).id {
		w.mark()
	}
	for w.inUse(id) {
		id = w.after(id)
	}
	w.pushAs(e, id)
	return id
}

func (w *window) after(id uint16) uint16 {
	if id++; id == 0 {
		id = 1
	}
	return id
}

func (w *window) inUse(id uint16) bool { return w.used != nil && w.used[id/64]>>(id%64)&1 != 0 }

// mark begins to keep used.
func (w *window) mark() {
	w.used = new([1 << 16 / 64]uint64)
	for i := range w.n {
		if s := w.at(i); !s.acked {
			w.used[s.id/64] |= 1 << (s.id % 64)
		}
	}
}

// pushAs puts e in flight under an identifier it already has.
func (w *window) pushAs(e entry, id uint16) {
	if w.used == nil && w.n > 0 && w.behindOldest(id) <= w.behindOldest(w.at(w.n-1).id) {
		w.mark()
	}
	if w.n == len(w.slots) {
		w.makeRoom()
	}
	w.n++
	*w.at(w.n - 1) = slot{e: e, id: id}
	w.unacked++
	w.last = id
	if w.used != nil {
		w.used[id/64] |= 1 << (id % 64)
	}
}

// smallWindow is the size of the smallest ring.
const smallWindow = 4

// makeRoom drops acknowledged slots from the middle, or doubles the ring if there are few.
func (w *window) makeRoom() {
	size := len(w.slots)
	if w.unacked*2 > size || size == 0 {
		size = max(smallWindow, size*2)
	}
	w.resize(size)
}

// fit gives back what the ring has no use for while nothing is sent.
func (w *window) fit() {
	size := len(w.slots)
	for size > smallWindow && w.unacked <= size/2 {
		size /= 2
	}
	if size < len(w.slots) {
		w.resize(size)
	}
}

// resize moves what is not acknowledged to a ring of another size, a power of two and no less.
func (w *window) resize(size int) {
	next := make([]slot, size)
	kept := 0
	for i := range w.n {
		if s := w.at(i); !s.acked {
			next[kept] = *s
			kept++
		}
	}
	w.slots, w.head, w.n = next, 0, kept
}

// behindOldest is how many identifiers after that of the oldest slot an identifier comes.
func (w *window) behindOldest(id uint16) int {
	i := int(id) - int(w.at(0).id)
	if i < 0 {
		i += maxIDs
	}
	return i
}

// find returns the unacknowledged slot with this identifier, or nil.
func (w *window) find(id uint16) *slot {
	if w.n == 0 || id == 0 || w.used != nil && !w.inUse(id) {
		return nil
	}
	// Identifiers are given in sequence, so the slot is nearly always as far behind the oldest one as its
	// identifier is.
	ahead := w.behindOldest(id)
	if ahead < w.n {
		if s := w.at(ahead); s.id == id && !s.acked {
			return s
		}
	}
	if w.used != nil {
		for i := range w.n {
			if s := w.at(i); s.id == id && !s.acked {
				return s
			}
		}
		return nil
	}
	// Slots of acknowledged messages in between may have gone.
	i := sort.Search(min(ahead+1, w.n), func(i int) bool { return w.behindOldest(w.at(i).id) >= ahead })
	if i == w.n {
		return nil
	}
	if s := w.at(i); s.id == id && !s.acked {
		return s
	}
	return nil
}

// ack takes the message with this identifier out of flight and frees the identifier [MQTT-2.3.1-3].
func (w *window) ack(id uint16) (entry, bool) {
	s := w.find(id)
	if s == nil {
		return entry{}, false
	}
	e := s.e
	s.acked, s.e = true, entry{}
	w.unacked--
	if w.used != nil {
		w.used[id/64] &^= 1 << (id % 64)
	}
	for w.n > 0 && w.at(0).acked {
		w.head = (w.head + 1) & (len(w.slots) - 1)
		w.n--
	}
	if w.n == 0 {
		w.used = nil
	}
	return e, true
}

// inOrder adds the message that comes next in the store to those that were sent. It may have been sent before the last
// ones: what several publishers send at once is stored in one order and sent in another. Then its identifier is a little
// behind theirs; a message that nobody has acknowledged while the identifiers went round is not meant.
func inOrder(sent []slot, next slot) []slot {
	const apart = 1 << 10
	sent = append(sent, next)
	for i := len(sent) - 1; i > max(0, len(sent)-apart); i-- {
		if behind := sent[i-1].id - next.id; behind == 0 || behind >= apart {
			break
		}
		sent[i-1], sent[i] = next, sent[i-1]
	}
	return sent
}
