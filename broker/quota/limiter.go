package quota

import (
	"sync/atomic"
	"time"
)

// A word holds two numbers. The upper 52 bits are the instant, in ticks of 16 ns, at which what was used
// will be paid for; they come round after 2.28 years, and a word that slept for exactly that long may be
// refused for one period. The lower 12 bits count the attempts of the present period, so that a refusal can
// say how far over the limit somebody is; they stop at 4,095.
const (
	tick         = 16 // ns
	attemptBits  = 12
	attemptsMask = 1<<attemptBits - 1
	instantMask  = 1<<(64-attemptBits) - 1
)

// longestDebt bounds how far a pacing limiter lets a word run ahead, in periods.
const longestDebt = 16

// Limiter allows its rate on average and one period's worth at once. It is a value that is never changed;
// any number of words share it. The zero value allows everything and leaves words alone.
type Limiter struct {
	limit  uint64 // events in a period; 0: no limit
	period uint64 // in ticks
	cost   uint64 // of one event, in ticks
}

// price is what n events cost in ticks, rounded up so that a rate is never exceeded.
func (l *Limiter) price(n uint64) uint64 { return (n*l.period + l.limit - 1) / l.limit }

// ahead is how far the word's instant lies in the future, in ticks, and zero for one that has passed. An
// instant further away than any that a limiter writes was passed so long ago that the ticks came round.
func ahead(instant, now, furthest uint64) uint64 {
	if d := (instant - now) & instantMask; d <= furthest {
		return d
	}
	return 0
}

// next is the word after n events at now, and whether they are allowed. n is at most 2^28.
func (l *Limiter) next(word uint64, now int64, n int) (after uint64, allowed bool) {
	cost := l.cost
	if n != 1 {
		cost = l.price(uint64(max(n, 0)))
	}
	ticks := uint64(now) / tick & instantMask
	instant, attempts := word>>attemptBits, word&attemptsMask
	// Two goroutines may read the clock in another order than they come here: twice the period leaves room.
	due := ahead(instant, ticks, 2*l.period)
	if due == 0 {
		instant = ticks
	}
	if due+cost > l.period {
		if due == 0 { // a single event that is more than a period's worth
			attempts = 0
		}
		return instant<<attemptBits | count(attempts), false
	}
	paid := (instant + cost) & instantMask
	if due == 0 || paid/l.period != instant/l.period {
		attempts = 0
	}
	return paid<<attemptBits | count(attempts), true
}

func count(attempts uint64) uint64 { return min(attempts+1, attemptsMask) }

// Allow reports whether n more events are within the rate at now, and notes them in word if they are. Only
// one goroutine may use the word.
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
	due := ahead(*word>>attemptBits, ticks, (longestDebt+1)*l.period)
	due = min(due+l.price(uint64(max(n, 0))), (longestDebt+1)*l.period)
	*word = (ticks + due) & instantMask << attemptBits
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
	due := ahead(word>>attemptBits, uint64(now)/tick&instantMask, 2*l.period) + l.cost
	if due <= l.period {
		return 0
	}
	return time.Duration(due-l.period) * tick
}

// Current is the number of attempts that a refused word has seen in the present period, at least one more
// than the limit and not counted beyond 4,095.
func (l *Limiter) Current(word uint64) int {
	return int(max(word&attemptsMask, l.limit+1))
}
