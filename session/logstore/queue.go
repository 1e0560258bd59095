package logstore

import (
	"slices"
	"sort"

	"sampan/session"
)

// queue is the Refs of the messages that one session waits for, in order, 8 bytes each. Taking the first one
// out moves an index; taking one out of the middle leaves a hole, which goes when the messages before or
// behind it have gone, or when holes are most of the queue.
type queue struct {
	places []place
	head   int // places[:head] is empty
	holes  int // holes in places[head:]
}

// place is one message's place: bit 63 says that it is a hole, 47 bits are the Ref, which lasts four years
// at a million messages a second, and 16 are the packet identifier.
type place uint64

const (
	hole       place = 1 << 63
	placeBytes       = 8

	// maxRef is the highest Ref that fits.
	maxRef session.Ref = 1<<47 - 1

	// smallQueue is the capacity, in places, below which a queue never shrinks, and grows by doubling.
	smallQueue = 32
)

func placeOf(r session.Ref, id uint16) place { return place(r)<<16 | place(id) }

func (p place) ref() session.Ref { return session.Ref(p &^ hole >> 16) }
func (p place) empty() bool      { return p&hole != 0 }

func (q *queue) live() []place { return q.places[q.head:] }

// len is the number of messages.
func (q *queue) len() int { return len(q.places) - q.head - q.holes }

// push puts a message at the end. It reports false if it is there already.
func (q *queue) push(p place) bool {
	n := len(q.places)
	if n > q.head && q.places[n-1].ref() >= p.ref() {
		return false
	}
	if n == cap(q.places) {
		q.grow()
	}
	q.places = append(q.places, p)
	return true
}

// grow makes room for another place: what is empty at the start, or an eighth more, so that a long queue
// wastes little.
func (q *queue) grow() {
	if used := len(q.places) - q.head; q.head > 0 && q.head >= used/8 {
		copy(q.places, q.live())
		q.places, q.head = q.places[:used], 0
		return
	}
	n := len(q.places)
	if n < smallQueue {
		q.places = slices.Grow(q.places, max(1, n))
		return
	}
	q.places = append(make([]place, 0, n+n/8), q.live()...)
	q.head = 0
}

// search returns the index in places of the first place whose Ref is at least r.
func (q *queue) search(r session.Ref) int {
	live := q.live()
	if len(live) == 0 || live[0].ref() >= r {
		return q.head
	}
	return q.head + sort.Search(len(live), func(i int) bool { return live[i].ref() >= r })
}

// find returns the index in places of a message that is queued, or -1.
func (q *queue) find(r session.Ref) int {
	i := q.search(r)
	if i < len(q.places) && q.places[i].ref() == r && !q.places[i].empty() {
		return i
	}
	return -1
}

func (q *queue) sent(r session.Ref, id uint16) {
	if i := q.find(r); i >= 0 {
		q.places[i] = placeOf(r, id)
	}
}

// remove takes a message out and reports whether it was there.
func (q *queue) remove(r session.Ref) bool {
	i := q.find(r)
	if i < 0 {
		return false
	}
	q.places[i] |= hole
	q.holes++
	for q.head < len(q.places) && q.places[q.head].empty() {
		q.head++
		q.holes--
	}
	for n := len(q.places); n > q.head && q.places[n-1].empty(); n-- {
		q.places = q.places[:n-1]
		q.holes--
	}
	q.tidy()
	return true
}

// tidy gives memory back when most of it is unused. Each time costs no more than the removals since the
// last.
func (q *queue) tidy() {
	used := q.len()
	switch {
	case used == 0:
		q.head, q.holes = 0, 0
		if q.places = q.places[:0]; cap(q.places) > smallQueue {
			q.places = nil
		}
	case cap(q.places) > smallQueue && used <= cap(q.places)/2 && q.head+q.holes >= used:
		places := make([]place, 0, used+used/8)
		for _, p := range q.live() {
			if !p.empty() {
				places = append(places, p)
			}
		}
		*q = queue{places: places}
	}
}

// behind returns the places behind a message, holes among them.
func (q *queue) behind(after session.Ref) []place { return q.places[q.search(after+1):] }
