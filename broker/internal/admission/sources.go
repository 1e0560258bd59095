package admission

import (
	"sync"
	"time"
)

// Limits are what one source may do. A limit of zero does not bind.
type Limits struct {
	Open  int // connections at one time
	Rate  int // new connections in a second, on average
	Burst int // new connections at once
}

// Exceeded says which of its limits a source has reached.
type Exceeded uint8

// The answers of Sources.Arrive.
const (
	Within Exceeded = iota
	OpenExceeded
	RateExceeded
)

// MostIdle bounds the sources that are remembered although they have no connection open. One that is
// forgotten may come in as fast as one that is new.
const MostIdle = 65_536

// Sources counts connections by source. Its memory is bounded: it holds the sources of open connections and
// MostIdle others. Its methods are safe for concurrent use.
type Sources struct {
	limits Limits
	clock  Clock

	mu   sync.Mutex // guards what follows; the maps hold no pointers that the garbage collector would look for
	open map[Source]account
	idle map[Source]int64 // when the bucket is full again
}

// account is what is known of a source with open connections.
type account struct {
	open int32
	due  int64 // when the bucket is full again: the time that the connections so far have used up
}

// NewSources returns an empty count.
func NewSources(l Limits, c Clock) *Sources {
	return &Sources{limits: l, clock: c, open: make(map[Source]account), idle: make(map[Source]int64)}
}

func (s *Sources) counts(from Source) bool {
	return from.Counted() && (s.limits.Open > 0 || s.limits.Rate > 0)
}

// Arrive counts a new connection, unless the source has reached a limit. Who is let in leaves later.
func (s *Sources) Arrive(from Source) Exceeded {
	if !s.counts(from) {
		return Within
	}
	now := s.clock.Nanos()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, here := s.open[from]
	if !here {
		a.due = s.idle[from]
	}
	if s.limits.Open > 0 && int(a.open) >= s.limits.Open {
		return OpenExceeded
	}
	if s.limits.Rate > 0 {
		each := int64(time.Second) / int64(s.limits.Rate)
		due := max(a.due, now) + each
		if due-now > each*int64(max(1, s.limits.Burst)) {
			return RateExceeded
		}
		a.due = due
	}
	a.open++
	s.open[from] = a
	delete(s.idle, from)
	return Within
}

// Leave counts the end of a connection that was let in.
func (s *Sources) Leave(from Source) {
	if !s.counts(from) {
		return
	}
	now := s.clock.Nanos()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.open[from]
	if a.open--; a.open > 0 {
		s.open[from] = a
		return
	}
	delete(s.open, from)
	if a.due <= now {
		return // nothing to remember
	}
	if len(s.idle) >= MostIdle {
		s.forget(now)
	}
	s.idle[from] = a.due
}

// forget makes room for a quarter: it drops what need not be remembered any more, and if that is not enough,
// anything. Called with mu held.
func (s *Sources) forget(now int64) {
	const keep = MostIdle / 4 * 3
	for from, due := range s.idle {
		if due <= now {
			delete(s.idle, from)
		}
	}
	for from := range s.idle {
		if len(s.idle) <= keep {
			return
		}
		delete(s.idle, from)
	}
}

// Len is the number of sources that are remembered.
func (s *Sources) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) + len(s.idle)
}
