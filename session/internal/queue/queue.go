// Package queue is what a store keeps of one session's queue: which messages, in which order, and under which
// packet identifiers they were sent. Both stores have it, the one in memory and the one on disk; what a message
// is, and how often it is waited for, is in a table of theirs.
package queue

import (
	"slices"
	"sort"

	"sampan/session"
)

// Queue is the Refs of the messages that one session waits for, in order, 8 bytes each. Taking the first one
// out moves an index; taking one out of the middle leaves a hole, which goes when the messages before or
// behind it have gone, or when holes are most of the queue. So a queue of n messages has at most 2n places
// allocated, or 64; a long one that only grows has at most 9n/8. The zero value is an empty queue. It is not safe for
// concurrent use.
type Queue struct {
	places []Place
	head   int // places[:head] is empty
	holes  int // holes in places[head:]
}

// Place is one message's place: bit 63 says that it is a hole, 47 bits are the Ref, which lasts four years
// at a million messages a second, and 16 are the packet identifier.
type Place uint64

const (
	hole Place = 1 << 63

	// PlaceBytes is the memory that a place takes.
	PlaceBytes = 8

	// MaxRef is the highest Ref that fits.
	MaxRef session.Ref = 1<<47 - 1

	// smallQueue is the capacity, in places, below which a queue never shrinks, and grows by doubling.
	smallQueue = 32
)

// At is the place of a message that was sent with a packet identifier, or, with 0, was not sent.
func At(r session.Ref, id uint16) Place { return Place(r)<<16 | Place(id) }

// Ref is the message's name.
func (p Place) Ref() session.Ref { return session.Ref(p &^ hole >> 16) }

// PacketID is the identifier that the message was sent with, or 0.
func (p Place) PacketID() uint16 { return uint16(p) }

// Empty reports whether the message has left the queue: its place is a hole.
func (p Place) Empty() bool { return p&hole != 0 }

// Live returns all places, in order, holes among them. They are valid until the queue changes.
func (q *Queue) Live() []Place { return q.places[q.head:] }

// Behind returns the places behind a message, holes among them. They are valid until the queue changes.
func (q *Queue) Behind(after session.Ref) []Place { return q.places[q.search(after+1):] }

// Len is the number of messages.
func (q *Queue) Len() int { return len(q.places) - q.head - q.holes }

// Cap is the number of places that memory is allocated for.
func (q *Queue) Cap() int { return cap(q.places) }

// Push puts a message at the end. It reports false, and does nothing, if the message, or one behind it, is
// there already: a session that is named twice as a receiver has the message once.
func (q *Queue) Push(p Place) bool {
	n := len(q.places)
	if n > q.head && q.places[n-1].Ref() >= p.Ref() {
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
func (q *Queue) grow() {
	if used := len(q.places) - q.head; q.head > 0 && q.head >= used/8 {
		copy(q.places, q.Live())
		q.places, q.head = q.places[:used], 0
		return
	}
	n := len(q.places)
	if n < smallQueue {
		q.places = slices.Grow(q.places, max(1, n))
		return
	}
	q.places = append(make([]Place, 0, n+n/8), q.Live()...)
	q.head = 0
}

// search returns the index in places of the first place whose Ref is at least r.
func (q *Queue) search(r session.Ref) int {
	live := q.Live()
	if len(live) == 0 || live[0].Ref() >= r {
		return q.head
	}
	return q.head + sort.Search(len(live), func(i int) bool { return live[i].Ref() >= r })
}

// find returns the index in places of a message that is queued, or -1.
func (q *Queue) find(r session.Ref) int {
	i := q.search(r)
	if i < len(q.places) && q.places[i].Ref() == r && !q.places[i].Empty() {
		return i
	}
	return -1
}

// Sent notes the packet identifier of a message. Nothing happens if it is not in the queue.
func (q *Queue) Sent(r session.Ref, id uint16) {
	if i := q.find(r); i >= 0 {
		q.places[i] = At(r, id)
	}
}

// Remove takes a message out and reports whether it was there.
func (q *Queue) Remove(r session.Ref) bool {
	i := q.find(r)
	if i < 0 {
		return false
	}
	q.places[i] |= hole
	q.holes++
	for q.head < len(q.places) && q.places[q.head].Empty() {
		q.head++
		q.holes--
	}
	for n := len(q.places); n > q.head && q.places[n-1].Empty(); n-- {
		q.places = q.places[:n-1]
		q.holes--
	}
	q.tidy()
	return true
}

// tidy gives memory back when half of it is unused. Each time costs about as much as the removals since the
// last: behind it, an eighth is unused.
func (q *Queue) tidy() {
	used := q.Len()
	switch {
	case used == 0:
		q.head, q.holes = 0, 0
		if q.places = q.places[:0]; cap(q.places) > smallQueue {
			q.places = nil
		}
	case cap(q.places) > smallQueue && used <= cap(q.places)/2:
		places := make([]Place, 0, used+used/8)
		for _, p := range q.Live() {
			if !p.Empty() {
				places = append(places, p)
			}
		}
		*q = Queue{places: places}
	}
}
