package quota

import (
	"sync/atomic"
	"time"
)

// A word holds three numbers. The upper 50 bits are the instant, in ticks of 64 ns, at which what was used
// will be paid for; they come round after 2.28 years, and a word that slept for exactly that long may be
// refused for one period. Then come two bits of the number of the present period, and twelve bits that count
// the attempts in it, so that a refusal can say how far over the limit somebody is; they stop at 4,095.
const (
	tick         = 64 // ns
	attemptBits  = 12
	attemptsMask = 1<<attemptBits - 1
	windowBits   = 2
	windowMask   = 1<<windowBits - 1
	instantShift = attemptBits + windowBits
	instantMask  = 1<<(64-instantShift) - 1
)

// mostEvents bounds the events of one call, so that their price fits 64 bits with the longest period.
const mostEvents = 1 << 28

// longestDebt bounds how far a pacing limiter lets a word run ahead, in periods.
const longestDebt = 16

// Limiter allows its rate on average and one period's worth at once. It is a value that is never changed;
// any number of words share it. The zero value allows everything and leaves words alone.
type Limiter struct {
	limit  uint64 // events in a period; 0: no limit
	period uint64 // in ticks
	cost   uint64 // of one event, in ticks, rounded up
	burst  uint64 // what limit events cost at that price, in ticks: a little more than the period
}

// price is what n events cost in ticks, rounded up so that a rate is never exceeded.
func (l *Limiter) price(n int) uint64 {
	return (uint64(min(max(n, 0), mostEvents))*l.period + l.limit - 1) / l.limit
}

// ahead is how far the word's instant lies in the future, in ticks, and zero for one that has passed. An
// instant further away than any that a limiter writes was passed so long ago that the ticks came round.
func ahead(instant, now, furthest uint64) uint64 {
	if d := (instant - now) & instantMask; d <= furthest {
		return d
	}
	return 0
}

// next is the word after n events at now, and whether they are allowed.
func (l *Limiter) next(word uint64, now int64, n int) (after uint64, allowed bool) {
	cost := l.cost
	if n != 1 {
		cost = l.price(n)
	}
	ticks := uint64(now) / tick
	window := ticks / l.period & windowMask
	ticks &= instantMask
	attempts := uint64(1)
	// Two goroutines may read the clock in another order than they come here: twice the burst leaves room.
	due := ahead(word>>instantShift, ticks, 2*l.burst)
	if due != 0 && word>>attemptBits&windowMask == window {
		attempts = min(word&attemptsMask+1, attemptsMask)
	}
	if allowed = due+cost <= l.burst; allowed {
		due += cost
	}
	return (ticks+due)&instantMask<<instantShift | window<<attemptBits | attempts, allowed
}

// Allow reports whether n more events are within the rate at now, and notes them in word if they are. Only
// one goroutine may use the word. More than 2^28 events count as that many.
func (l *Limiter) Allow(word *uint64, now int64, n int) (allowed bool) {
	if l.limit == 0 {
		return true
	}
	*word, allowed = l.next(*word, now, n)
	return allowed
}

// AllowShared is Allow for a word that several goroutines use.
func (l *Limiter) AllowShared(word *atomic.Uint64, now int64, n int) bool {
	if l.limit == 0 {
		return true
	}
	for {
		before := word.Load()
		after, allowed := l.next(before, now, n)
		if word.CompareAndSwap(before, after) {
			return allowed
		}
	}
}

// Pace notes n more events whatever the rate says, and returns how long to wait until they are within it:
// zero, or the time for which nothing more should be read. It is for what cannot be refused any more, such
// as bytes that have arrived. Nobody waits for longer than 16 periods. Only one goroutine may use the word,
// and only with Pace.
func (l *Limiter) Pace(word *uint64, now int64, n int) time.Duration {
	if l.limit == 0 {
		return 0
	}
	ticks := uint64(now) / tick & instantMask
	due := ahead(*word>>instantShift, ticks, (longestDebt+1)*l.period)
	due = min(due+l.price(n), (longestDebt+1)*l.period)
	*word = (ticks + due) & instantMask << instantShift
	if due <= l.period {
		return 0
	}
	return time.Duration(due-l.period) * tick
}

// Wait is the time after which one more event would be allowed, and zero if it would be now.
func (l *Limiter) Wait(word uint64, now int64) time.Duration {
	if l.limit == 0 {
		return 0
	}
	due := ahead(word>>instantShift, uint64(now)/tick&instantMask, 2*l.burst) + l.cost
	if due <= l.burst {
		return 0
	}
	return time.Duration(due-l.burst) * tick
}

// Current is the number of attempts that a refused word has seen in the present period, at least one more
// than the limit and not counted beyond 4,095.
func (l *Limiter) Current(word uint64) int {
	return int(max(word&attemptsMask, l.limit+1))
}
