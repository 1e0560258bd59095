package quota

import (
	"strconv"
	"time"
)

// Rate is a number of events, or of bytes, in a period of time. The zero value is no limit.
type Rate struct {
	Limit int           // at least 1; 0 and below: no limit
	Per   time.Duration // 1 ms to 10 minutes; values outside are taken as the nearest
}

// The periods that a limiter can count in.
const (
	shortestPeriod = time.Millisecond
	longestPeriod  = 10 * time.Minute
)

// PerSecond is a rate of n in a second.
func PerSecond(n int) Rate { return Rate{Limit: n, Per: time.Second} }

// PerMinute is a rate of n in a minute.
func PerMinute(n int) Rate { return Rate{Limit: n, Per: time.Minute} }

// Limited reports whether there is a limit.
func (r Rate) Limited() bool { return r.Limit > 0 }

// String returns "30/s", "5/min" and the like, or "unlimited".
func (r Rate) String() string {
	switch {
	case !r.Limited():
		return "unlimited"
	case r.Per == time.Second:
		return strconv.Itoa(r.Limit) + "/s"
	case r.Per == time.Minute:
		return strconv.Itoa(r.Limit) + "/min"
	}
	return strconv.Itoa(r.Limit) + "/" + r.Per.String()
}

// Limiter prepares the rate for use.
func (r Rate) Limiter() Limiter {
	if !r.Limited() {
		return Limiter{}
	}
	l := Limiter{
		limit:  uint64(r.Limit),
		period: uint64(min(max(r.Per, shortestPeriod), longestPeriod)) / tick,
	}
	l.cost = l.price(1)
	l.burst = l.limit * l.cost
	return l
}
