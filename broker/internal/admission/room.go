package admission

import (
	"sync"
	"time"
)

// Room has a number of places. Who finds all of them taken waits, in the order of arrival, until one becomes
// free. Nobody can keep the others waiting for long: once somebody waits, a guest who has been inside for
// longer than the grace, and for whom the broker itself is not at work, loses the place to the first in the
// queue, the longest inside first. So at least places/grace come in each second, whatever the guests do.
type Room struct {
	places int
	grace  time.Duration
	clock  Clock

	mu      sync.Mutex // guards what follows, and the fields of the guests that say so
	taken   int
	oldest  *Guest // those who can be displaced, in the order of arrival
	newest  *Guest
	waiting []*waiter
	alarm   func() // stops the timer; nil: it is not running
	waited  uint64
}

// Displacer is told that a guest has lost its place, on any goroutine and without a lock. It must not block.
type Displacer interface{ Displace() }

// Guest has a place in a room. The zero Guest has none.
type Guest struct {
	room  *Room
	owner Displacer

	// Guarded by room.mu.
	inside     bool
	listed     bool // can be displaced
	since      int64
	prev, next *Guest
}

type waiter struct {
	guest *Guest
	ready chan struct{} // closed when guest is inside
}

// NewRoom returns an empty room. Without a number of places everybody finds one.
func NewRoom(places int, grace time.Duration, c Clock) *Room {
	return &Room{places: places, grace: grace, clock: c}
}

// TryEnter gives g a place if there is one and nobody waits. owner is told when g has lost it.
func (r *Room) TryEnter(g *Guest, owner Displacer) bool {
	g.room, g.owner = r, owner
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tryEnter(g)
}

// tryEnter is called with mu held.
func (r *Room) tryEnter(g *Guest) bool {
	free := r.places <= 0 || r.taken < r.places && len(r.waiting) == 0
	if free {
		r.admit(g)
	}
	return free
}

// Enter is TryEnter, but waits for a place until stop is closed; it then reports false.
func (r *Room) Enter(g *Guest, stop <-chan struct{}, owner Displacer) bool {
	g.room, g.owner = r, owner
	r.mu.Lock()
	if r.tryEnter(g) {
		r.mu.Unlock()
		return true
	}
	w := &waiter{guest: g, ready: make(chan struct{})}
	r.waiting = append(r.waiting, w)
	r.waited++
	out := r.settle()
	r.mu.Unlock()
	dismiss(out)
	select {
	case <-w.ready:
		return true
	case <-stop:
	}
	r.mu.Lock()
	for i := range r.waiting {
		if r.waiting[i] == w {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			break
		}
	}
	r.mu.Unlock()
	g.Leave() // if the place came at the same time
	return false
}

// Force gives g a place even if there is none.
func (r *Room) Force(g *Guest, owner Displacer) {
	g.room, g.owner = r, owner
	r.mu.Lock()
	defer r.mu.Unlock()
	r.admit(g)
}

// admit is called with mu held.
func (r *Room) admit(g *Guest) {
	r.taken++
	g.inside = true
	r.list(g)
}

func (r *Room) list(g *Guest) {
	g.since, g.listed = r.clock.Nanos(), true
	g.prev, g.next = r.newest, nil
	if r.newest != nil {
		r.newest.next = g
	} else {
		r.oldest = g
	}
	r.newest = g
}

func (r *Room) unlist(g *Guest) {
	if !g.listed {
		return
	}
	g.listed = false
	if g.prev != nil {
		g.prev.next = g.next
	} else {
		r.oldest = g.next
	}
	if g.next != nil {
		g.next.prev = g.prev
	} else {
		r.newest = g.prev
	}
	g.prev, g.next = nil, nil
}

// settle gives free places to those who wait and makes places free that guests have had for too long. It
// returns whom it has displaced. Called with mu held.
func (r *Room) settle() (out []*Guest) {
	for len(r.waiting) > 0 {
		if r.taken < r.places {
			w := r.waiting[0]
			r.waiting[0] = nil
			r.waiting = r.waiting[1:]
			r.admit(w.guest)
			close(w.ready)
			continue
		}
		if r.oldest == nil {
			return out // all are being served; one who leaves settles again
		}
		left := r.oldest.since + int64(r.grace) - r.clock.Nanos()
		if left > 0 {
			if r.alarm == nil {
				r.alarm = r.clock.After(time.Duration(left), r.ring)
			}
			return out
		}
		g := r.oldest
		r.unlist(g)
		g.inside = false
		r.taken--
		out = append(out, g)
	}
	if r.alarm != nil {
		r.alarm()
		r.alarm = nil
	}
	return out
}

// ring is called by the timer.
func (r *Room) ring() {
	r.mu.Lock()
	r.alarm = nil
	out := r.settle()
	r.mu.Unlock()
	dismiss(out)
}

func dismiss(guests []*Guest) {
	for _, g := range guests {
		g.owner.Displace()
	}
}

// Leave gives the place up. It may be called again, by a guest who was displaced, and by one who never had a
// place.
func (g *Guest) Leave() {
	r := g.room
	if r == nil {
		return
	}
	r.mu.Lock()
	if !g.inside {
		r.mu.Unlock()
		return
	}
	r.unlist(g)
	g.inside = false
	r.taken--
	out := r.settle()
	r.mu.Unlock()
	dismiss(out)
}

// Served says that the guest now waits for the broker, not the broker for the guest, so that it keeps its
// place until it leaves or Waits.
func (g *Guest) Served() {
	if r := g.room; r != nil {
		r.mu.Lock()
		r.unlist(g)
		r.mu.Unlock()
	}
}

// Awaited ends what Served has begun: the guest counts as just arrived.
func (g *Guest) Awaited() {
	r := g.room
	if r == nil {
		return
	}
	r.mu.Lock()
	if g.inside && !g.listed {
		r.list(g)
	}
	out := r.settle()
	r.mu.Unlock()
	dismiss(out)
}

// Stats are a room's gauges and a counter.
type Stats struct {
	Taken   int    // places
	Waiting int    // those without one
	Waited  uint64 // how many had to wait so far
}

// Stats returns a snapshot.
func (r *Room) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{Taken: r.taken, Waiting: len(r.waiting), Waited: r.waited}
}
