package quota

import (
	"math"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// exact is the generic cell rate algorithm in rational numbers: what a Limiter computes in ticks.
type exact struct {
	limit, period *big.Rat // events; ns
	due           *big.Rat // ns, absolute
}

func newExact(r Rate) *exact {
	return &exact{big.NewRat(int64(r.Limit), 1), big.NewRat(int64(r.Per), 1), new(big.Rat)}
}

func (e *exact) allow(now int64, n int) bool {
	at := big.NewRat(now, 1)
	due := new(big.Rat).Set(e.due)
	if due.Cmp(at) < 0 {
		due.Set(at)
	}
	cost := new(big.Rat).Mul(big.NewRat(int64(n), 1), e.period)
	due.Add(due, cost.Quo(cost, e.limit))
	if due.Cmp(at.Add(at, e.period)) > 0 {
		return false
	}
	e.due = due
	return true
}

func drawRate(t *rapid.T) Rate {
	return Rate{
		Limit: rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(1, 2_000_000)).Draw(t, "limit"),
		Per:   rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 100 * time.Millisecond, 10 * time.Minute}).Draw(t, "per"),
	}
}

// A limiter decides as the exact algorithm does, but for its rounding: a tick for each event of a period, and
// some for each event that came before and for the clock.
func TestAllowIsTheExactAlgorithm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRate(t)
		l, e := r.Limiter(), newExact(r)
		var word uint64
		now := rapid.Int64Range(0, 1<<52).Draw(t, "start")
		for i := range rapid.IntRange(1, 100).Draw(t, "events") {
			now += rapid.Int64Range(0, 2*int64(r.Per)/int64(min(r.Limit, 50))).Draw(t, "gap") * int64(rapid.SampledFrom([]int{0, 1, 1, 1, 30}).Draw(t, "factor"))
			n := rapid.SampledFrom([]int{1, 1, 1, 2, r.Limit/3 + 1}).Draw(t, "n")
			before := *e
			got, want := l.Allow(&word, now, n), e.allow(now, n)
			if got == want {
				continue
			}
			slack := int64(tick * (r.Limit + 2*i + 4))
			if got && !before.allow(now+slack, n) || !got && before.allow(now-slack, n) {
				t.Fatalf("%s, event %d: %v, exactly it is %v", r, i, got, want)
			}
			return
		}
	})
}

// Whatever arrives, the accepted events of any stretch of time are within the rate and one period's worth.
func TestRateIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate{Limit: rapid.IntRange(1, 40).Draw(t, "limit"), Per: time.Second}
		l := r.Limiter()
		var word uint64
		var accepted []int64
		now := int64(0)
		for range 300 {
			now += rapid.Int64Range(0, int64(r.Per)/int64(r.Limit)).Draw(t, "gap")
			if l.Allow(&word, now, 1) {
				accepted = append(accepted, now)
			}
		}
		for i := range accepted {
			for j := i; j < len(accepted); j++ {
				span := accepted[j] - accepted[i]
				if most := int64(r.Limit) + int64(r.Limit)*span/int64(r.Per) + 1; int64(j-i+1) > most {
					t.Fatalf("%d accepted in %v at %s", j-i+1, time.Duration(span), r)
				}
			}
		}
	})
}

// Who keeps to the rate is never refused, from any start.
func TestSteadySenderIsNeverRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRate(t)
		l := r.Limiter()
		word := uint64(0)
		now := rapid.Int64Range(0, 1<<56).Draw(t, "start")
		gap := int64(r.Per)/int64(r.Limit) + tick
		for i := range 200 {
			if !l.Allow(&word, now, 1) {
				t.Fatalf("event %d refused at %s", i, r)
			}
			now += gap
		}
	})
}

func TestPlatformRates(t *testing.T) {
	limits := Platform()
	for _, c := range []struct {
		item  Item
		burst int
		next  time.Duration // when one more is allowed after the burst
	}{
		{Connects, 5, 12 * time.Second},
		{UplinkQoS0, 30, time.Second / 30},
		{UplinkQoS1, 10, time.Second / 10},
		{Downlink, 50, time.Second / 50},
		{FullBroadcasts, 1, time.Minute},
	} {
		l := limits.Limiters()[c.item]
		var word uint64
		const now = int64(5 * time.Hour)
		for i := range c.burst {
			if !l.Allow(&word, now, 1) {
				t.Errorf("%s: number %d at once is refused", c.item, i+1)
			}
		}
		if l.Allow(&word, now, 1) {
			t.Errorf("%s: number %d at once is allowed", c.item, c.burst+1)
		}
		wait := l.Wait(word, now)
		if wait < c.next || wait > c.next+time.Microsecond {
			t.Errorf("%s: wait %v, want %v", c.item, wait, c.next)
		}
		if early := word; l.Allow(&early, now+int64(wait)-int64(time.Microsecond), 1) {
			t.Errorf("%s: allowed before the wait is over", c.item)
		}
		if !l.Allow(&word, now+int64(wait), 1) {
			t.Errorf("%s: refused after the wait", c.item)
		}
	}
}

// The platform's words: "Rate limit:{maxQps},current qps:{}".
func TestExplain(t *testing.T) {
	l := PerSecond(30).Limiter()
	var word uint64
	for range 45 {
		l.Allow(&word, 1, 1)
	}
	if got, want := l.Explain(word), "Rate limit:30,current qps:45"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// One a little above the limit is never said to be below it.
	word = 0
	for i := range int64(2000) {
		now := i * int64(time.Second) / 31
		if !l.Allow(&word, now, 1) {
			if n := l.Current(word); n < 31 || n > 62 {
				t.Fatalf("at %v: current %d of 31 a second", time.Duration(now), n)
			}
		}
	}
	l = PerMinute(5).Limiter()
	word = 0
	for range 10_000 {
		l.Allow(&word, 1, 1)
	}
	if got, want := l.Explain(word), "Rate limit:5 per 1m0s,current:4095"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The count of attempts starts again with every period, also for one who never stops.
func TestCurrentStartsAgain(t *testing.T) {
	l := PerSecond(10).Limiter()
	var word uint64
	for i := range int64(100_000) { // 1,000 a second for 100 s
		l.Allow(&word, i*int64(time.Millisecond), 1)
		if n := l.Current(word); n > 1000 {
			t.Fatalf("after %d ms: %d a second", i, n)
		}
	}
	if n := l.Current(word); n < 11 {
		t.Errorf("%d a second", n)
	}
}

func TestUnlimited(t *testing.T) {
	for _, r := range []Rate{{}, {Per: time.Second}, {Limit: -1, Per: time.Second}} {
		l := r.Limiter()
		var word uint64
		var shared atomic.Uint64
		for range 1000 {
			if !l.Allow(&word, 0, 1<<20) || !l.AllowShared(&shared, 0, 1<<20) || l.Pace(&word, 0, 1<<20) != 0 || l.Wait(word, 0) != 0 {
				t.Fatalf("%s: refused", r)
			}
		}
		if word != 0 || shared.Load() != 0 || r.String() != "unlimited" {
			t.Errorf("%s: word %x", r, word)
		}
	}
}

// A word of a device that was silent for years is one that has done nothing, but for one period in 2.28 years.
func TestWordsOutliveTheirTicks(t *testing.T) {
	const around = tick << (64 - instantShift) // ns until the ticks come round
	l := PerMinute(5).Limiter()
	for _, silent := range []int64{0, around / 4, around / 2, around * 3 / 4, around - 3*int64(time.Minute)} {
		var word uint64
		for range 10 {
			l.Allow(&word, 1000, 1)
		}
		now := 1000 + silent
		if got, want := l.Allow(&word, now, 1), silent != 0; got != want {
			t.Errorf("after %v: allowed %v", time.Duration(silent), got)
		}
	}
}

// Clocks that two goroutines read in another order than they arrive do not free a word that is used up.
func TestAnEarlierClockFreesNothing(t *testing.T) {
	l := PerSecond(10).Limiter()
	now := int64(time.Hour)
	var word uint64
	for range 10 {
		l.Allow(&word, now, 1)
	}
	for range 100 {
		if l.Allow(&word, now-int64(50*time.Microsecond), 1) {
			t.Fatal("allowed")
		}
	}
}

// More than a period's worth in one event is never allowed, and does no harm to the next one.
func TestEventLargerThanThePeriod(t *testing.T) {
	l := PerSecond(10).Limiter()
	var word uint64
	if l.Allow(&word, 0, 11) || l.Allow(&word, 0, math.MaxInt) || l.Allow(&word, int64(time.Second), 11) {
		t.Error("allowed")
	}
	if !l.Allow(&word, int64(time.Second), 10) {
		t.Error("10 of 10 refused")
	}
}

func TestPace(t *testing.T) {
	l := PerSecond(1000).Limiter()
	var word uint64
	now := int64(time.Hour)
	if d := l.Pace(&word, now, 1000); d != 0 {
		t.Errorf("a second's worth: wait %v", d)
	}
	if d := l.Pace(&word, now, 500); d != 500*time.Millisecond {
		t.Errorf("half a second's worth more: wait %v", d)
	}
	now += int64(500 * time.Millisecond)
	if d := l.Pace(&word, now, 0); d != 0 {
		t.Errorf("after the wait: wait %v", d)
	}
	if d := l.Pace(&word, now, 1_000_000_000); d != longestDebt*time.Second {
		t.Errorf("far too much: wait %v", d)
	}
	// Over a long time the rate is kept exactly.
	word, now = 0, int64(time.Hour)
	start := now
	for range 10_000 {
		now += int64(l.Pace(&word, now, 300))
	}
	if rate := 10_000 * 300 * float64(time.Second) / float64(now-start); rate < 999 || rate > 1001 {
		t.Errorf("%v a second", rate)
	}
}

func TestSharedWordCountsEveryEvent(t *testing.T) {
	l := PerMinute(100_000).Limiter()
	var word atomic.Uint64
	var accepted atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20_000 {
				if l.AllowShared(&word, int64(time.Hour), 1) {
					accepted.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := accepted.Load(); n != 100_000 {
		t.Errorf("%d accepted", n)
	}
}

func TestItemsHaveWords(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range Items() {
		if i.String() == "" || strings.ToLower(i.String()) != i.String() || seen[i.String()] || i.Subject() == "" || i.Consequence() == "" {
			t.Errorf("item %d: %q, %q, %q", i, i, i.Subject(), i.Consequence())
		}
		seen[i.String()] = true
		if limits := Platform(); !limits.Rate(i).Limited() {
			t.Errorf("%s has no limit on the platform", i)
		}
		if limits := Open(); limits.Rate(i).Limited() {
			t.Errorf("%s has a limit in the open profile: %s", i, limits.Rate(i))
		}
	}
	if Item(200).String() != "unknown" {
		t.Error("an item that does not exist has a name")
	}
}

func TestRateStrings(t *testing.T) {
	for want, r := range map[string]Rate{"30/s": PerSecond(30), "5/min": PerMinute(5), "7/10s": {Limit: 7, Per: 10 * time.Second}} {
		if r.String() != want {
			t.Errorf("%q, want %q", r.String(), want)
		}
	}
}

func TestAllowAllocatesNothing(t *testing.T) {
	l := PerSecond(30).Limiter()
	var word uint64
	var shared atomic.Uint64
	var now int64
	if n := testing.AllocsPerRun(1000, func() {
		now += int64(time.Millisecond)
		l.Allow(&word, now, 1)
		l.AllowShared(&shared, now, 2)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAllow(b *testing.B) {
	l := PerSecond(1_000_000).Limiter()
	var word uint64
	var now int64
	for b.Loop() {
		now += 500
		l.Allow(&word, now, 1)
	}
}

func BenchmarkAllowBytes(b *testing.B) {
	l := Platform().Limiters()[Bandwidth]
	var word uint64
	var now int64
	for b.Loop() {
		now += 500
		l.Pace(&word, now, 300)
	}
}

func BenchmarkAllowShared(b *testing.B) {
	l := PerSecond(1_000_000).Limiter()
	var word atomic.Uint64
	b.RunParallel(func(p *testing.PB) {
		var now int64
		for p.Next() {
			now += 500
			l.AllowShared(&word, now, 1)
		}
	})
}
