package admission

import (
	"sync"
	"time"
)

// Pace spreads events: so many in a second on average, and so many at once after a pause. The zero Pace does
// not.
type Pace struct {
	clock Clock
	each  int64 // nanoseconds
	burst int64

	mu  sync.Mutex // guards what follows
	due int64      // when all events so far have had their time
}

// NewPace returns a pace; a rate of zero does not bind.
func NewPace(rate, burst int, c Clock) *Pace {
	p := &Pace{clock: c, burst: int64(max(1, burst))}
	if rate > 0 {
		p.each = int64(time.Second) / int64(rate)
	}
	return p
}

// Next accounts an event and returns how long it has to wait.
func (p *Pace) Next() time.Duration {
	if p.each == 0 {
		return 0
	}
	now := p.clock.Nanos()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = max(p.due, now) + p.each
	return max(0, time.Duration(p.due-now-p.each*p.burst))
}
