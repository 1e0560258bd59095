package admission

import (
	"sync"
	"time"
)

// Sparse says which of many events of one kind are worth a line in a log: so many at once, and so many in a
// second after that. It counts the others, so that the next line can tell.
type Sparse struct {
	each, room int64 // nanoseconds
	clock      Clock

	mu     sync.Mutex // guards what follows
	due    int64
	missed uint64
}

// NewSparse returns a Sparse; rate is in lines per second.
func NewSparse(rate, burst int, c Clock) *Sparse {
	each := int64(time.Second) / int64(rate)
	return &Sparse{each: each, room: each * int64(burst), clock: c}
}

// Tell reports whether the event is to be told, and then how many before it were not.
func (s *Sparse) Tell() (ok bool, missed uint64) {
	now := s.clock.Nanos()
	s.mu.Lock()
	defer s.mu.Unlock()
	due := max(s.due, now) + s.each
	if due-now > s.room {
		s.missed++
		return false, 0
	}
	s.due = due
	missed, s.missed = s.missed, 0
	return true, missed
}
