package brokertest

import (
	"slices"
	"sync"
	"time"

	"sampan/broker"
)

// Clock implements broker.Clock. It stands still until Advance moves it.
type Clock struct {
	mu     sync.Mutex // guards what follows
	now    time.Time
	timers []*timer // in the order in which they were made
}

var _ broker.Clock = (*Clock)(nil)

// NewClock returns a clock that shows noon UTC of the first day of June 2018.
func NewClock() *Clock {
	return &Clock{now: time.Date(2018, time.June, 1, 12, 0, 0, 0, time.UTC)}
}

type timer struct {
	clock *Clock
	at    time.Time
	f     func()
}

// Now implements broker.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc implements broker.Clock. Also a function whose time has come already waits for the next Advance.
func (c *Clock) AfterFunc(d time.Duration, f func()) interface{ Stop() bool } {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{clock: c, at: c.now.Add(max(0, d)), f: f}
	c.timers = append(c.timers, t)
	return t
}

// Stop prevents the call of the timer's function and reports whether it has done so.
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.clock.take(t)
}

// take removes a timer and reports whether it was there. Called with mu held.
func (c *Clock) take(t *timer) bool {
	i := slices.Index(c.timers, t)
	if i < 0 {
		return false
	}
	c.timers = slices.Delete(c.timers, i, i+1)
	return true
}

// Advance moves the clock on by d. On the way it stops at the time of each timer, calls its function, on a
// goroutine of its own, and waits until that has returned. So when Advance returns all that should have
// happened by then has happened; Advance(0) calls what is due now.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	target := c.now.Add(d)
	for {
		var first *timer
		for _, t := range c.timers {
			if !t.at.After(target) && (first == nil || t.at.Before(first.at)) {
				first = t
			}
		}
		if first == nil {
			break
		}
		c.take(first)
		if first.at.After(c.now) {
			c.now = first.at
		}
		c.mu.Unlock()
		done := make(chan struct{})
		go func() { // ends with the timer's function
			defer close(done)
			first.f()
		}()
		<-done
		c.mu.Lock()
	}
	c.now = target
	c.mu.Unlock()
}

// Timers is the number of timers that have been set and neither stopped nor called.
func (c *Clock) Timers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}
