package inprocess

import (
	"slices"
	"sync"
	"time"
)

// clock implements broker.Clock. It stands still until advance moves it.
type clock struct {
	mu     sync.Mutex // guards what follows
	now    time.Time
	timers []*timer
}

type timer struct {
	clock *clock
	at    time.Time
	f     func()
}

// Now implements broker.Clock.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc implements broker.Clock.
func (c *clock) AfterFunc(d time.Duration, f func()) interface{ Stop() bool } {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{clock: c, at: c.now.Add(d), f: f}
	c.timers = append(c.timers, t)
	return t
}

func (t *timer) Stop() bool {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.timers, t)
	if at >= 0 {
		c.timers = slices.Delete(c.timers, at, at+1)
	}
	return at >= 0
}

// advance moves the clock on by d, and stops on the way wherever a timer is due, until all that it sets
// going has come to rest.
func (c *clock) advance(d time.Duration, rest func()) {
	c.mu.Lock()
	until := c.now.Add(d)
	for {
		var first *timer
		for _, t := range c.timers {
			if !t.at.After(until) && (first == nil || t.at.Before(first.at)) {
				first = t
			}
		}
		if first == nil {
			break
		}
		c.timers = slices.DeleteFunc(c.timers, func(t *timer) bool { return t == first })
		if first.at.After(c.now) {
			c.now = first.at
		}
		c.mu.Unlock()
		go first.f() // ends with the timer's function, which rest waits for
		rest()
		c.mu.Lock()
	}
	c.now = until
	c.mu.Unlock()
}
