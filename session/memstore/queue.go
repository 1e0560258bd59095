package memstore

import (
	"slices"
	"sort"

	"sampan/session"
)

// queue is the messages that one session waits for, in the order of their Refs. Taking the first one out
// moves an index; taking one out of the middle leaves a hole, which goes when the messages before or behind
// it have gone, or when holes are most of the queue.
type queue struct {
	places []place
	head   int // places[:head] is empty
	holes  int // places in places[head:] without a message
}

// place is one message's place: its Ref, shifted up by 16 bits, with the packet identifier below, so that
// a hole still knows its Ref. 48 bits of Ref last nine years at a million messages a second.
type place struct {
	key uint64
	m   *session.Message
}

const placeBytes = 16

// smallQueue is the capacity, in places, below which a queue never shrinks.
const smallQueue = 16

func (p place) ref() session.Ref { return session.Ref(p.key >> 16) }

func (q *queue) live() []place { return q.places[q.head:] }

// push puts a message at the end. It reports false if the message is there already.
func (q *queue) push(ref session.Ref, m *session.Message) bool {
	if n := len(q.places); n > q.head && q.places[n-1].ref() == ref {
		return false
	}
	if len(q.places) == cap(q.places) && q.head >= (len(q.places)+1)/2 {
		q.moveDown()
	}
	q.places = append(q.places, place{key: uint64(ref) << 16, m: m})
	return true
}

// search returns the index in places of the first place whose Ref is at least ref.
func (q *queue) search(ref session.Ref) int {
	live := q.live()
	if len(live) == 0 || live[0].ref() >= ref {
		return q.head
	}
	return q.head + sort.Search(len(live), func(i int) bool { return live[i].ref() >= ref })
}

// find returns the index in places of a message that is queued, or -1.
func (q *queue) find(ref session.Ref) int {
	i := q.search(ref)
	if i < len(q.places) && q.places[i].ref() == ref && q.places[i].m != nil {
		return i
	}
	return -1
}

func (q *queue) sent(ref session.Ref, id uint16) {
	if i := q.find(ref); i >= 0 {
		q.places[i].key = uint64(ref)<<16 | uint64(id)
	}
}

// remove takes a message out and reports whether it was there.
func (q *queue) remove(ref session.Ref) bool {
	i := q.find(ref)
	if i < 0 {
		return false
	}
	q.places[i].m = nil
	q.holes++
	for q.head < len(q.places) && q.places[q.head].m == nil {
		q.head++
		q.holes--
	}
	for n := len(q.places); n > q.head && q.places[n-1].m == nil; n-- {
		q.places = q.places[:n-1]
		q.holes--
	}
	q.tidy()
	return true
}

// tidy gives memory back when most of it is unused. Each time costs no more than the removals since the
// last.
func (q *queue) tidy() {
	used := len(q.places) - q.head - q.holes
	switch {
	case used == 0:
		q.head, q.holes = 0, 0
		if q.places = q.places[:0]; cap(q.places) > smallQueue {
			q.places = nil
		}
	case cap(q.places) > smallQueue && used <= cap(q.places)/4:
		q.places = append(make([]place, 0, 2*used), q.live()...)
		q.head = 0
		q.dropHoles()
	case q.holes > used && q.holes > smallQueue:
		q.dropHoles()
	}
}

// dropHoles closes the gaps in places[head:].
func (q *queue) dropHoles() {
	if q.holes == 0 {
		return
	}
	kept := slices.DeleteFunc(q.live(), func(p place) bool { return p.m == nil })
	q.places = q.places[:q.head+len(kept)]
	q.holes = 0
}

// moveDown makes room at the end of places by moving its contents over the empty places at the start.
func (q *queue) moveDown() {
	n := copy(q.places, q.live())
	clear(q.places[n:])
	q.places = q.places[:n]
	q.head = 0
}

// list describes the messages behind after in dst and returns how many there were room for.
func (q *queue) list(after session.Ref, dst []session.Stored) int {
	n := 0
	for _, p := range q.places[q.search(after+1):] {
		if n == len(dst) {
			break
		}
		if p.m == nil {
			continue
		}
		dst[n] = session.Stored{
			Ref:      p.ref(),
			Size:     p.m.Size(),
			PacketID: uint16(p.key),
			Expires:  p.m.Expires(),
		}
		n++
	}
	return n
}
