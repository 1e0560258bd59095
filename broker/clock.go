package broker

import (
	"time"

	"sampan/broker/internal/deadline"
	"sampan/session"
)

// Clock is where a broker's time comes from. The system's clock is the default; tests and fuzzers inject
// one that they move by hand.
type Clock interface {
	// Now is the present instant. Its monotonic reading, if it has one, is what intervals such as the
	// keep-alive are measured by; its wall clock is used for expiry dates and logs only.
	Now() time.Time
	// AfterFunc calls f on a goroutine of its own after d. Stop prevents the call if it has not begun.
	AfterFunc(d time.Duration, f func()) interface{ Stop() bool }
}

// SystemClock is the system's clock.
var SystemClock Clock = systemClock{}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }
func (systemClock) AfterFunc(d time.Duration, f func()) interface{ Stop() bool } {
	return time.AfterFunc(d, f)
}

// ticker adapts a Clock to monotonic nanoseconds since the broker's start. They begin at one, so that zero
// can mean "none".
type ticker struct {
	clock  Clock
	system bool // it is the system's clock
	start  time.Time
}

func newTicker(c Clock) *ticker {
	return &ticker{clock: c, system: c == SystemClock, start: c.Now().Add(-1)}
}

func (t *ticker) Nanos() int64 {
	if t.system {
		return int64(time.Since(t.start)) // does not look at the wall clock
	}
	return int64(t.clock.Now().Sub(t.start))
}

func (t *ticker) AfterFunc(d time.Duration, f func()) deadline.Timer {
	return t.clock.AfterFunc(d, f)
}

// After calls f after d, unless the returned function is called before.
func (t *ticker) After(d time.Duration, f func()) (stop func()) {
	timer := t.clock.AfterFunc(d, f)
	return func() { timer.Stop() }
}

// wall is the present wall-clock time as sessions count it.
func (t *ticker) wall() session.Time { return session.Time(t.clock.Now().UnixMilli()) }
