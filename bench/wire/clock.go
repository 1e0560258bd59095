package wire

import "time"

// Clock counts nanoseconds of monotonic time from an instant that all lanes
// of a run share. Every time in this package is such a count.
type Clock struct{ epoch time.Time }

// NewClock starts a second in the past, so that no time is ever zero and a
// zero can mean that something has not happened.
func NewClock() Clock { return Clock{time.Now().Add(-time.Second)} }

// Now is the current time.
func (c Clock) Now() int64 { return int64(time.Since(c.epoch)) }

// At is the moment of a time.
func (c Clock) At(ns int64) time.Time { return c.epoch.Add(time.Duration(ns)) }

// Never is a time that does not come.
const Never = int64(1) << 62
