package deadline

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// hand is a Clock that is moved by hand. It keeps every timer that was not stopped.
type hand struct {
	now    int64
	timers []*handTimer
}

type handTimer struct {
	clock *hand
	at    int64
	f     func()
}

func (h *hand) Nanos() int64 { return h.now }

func (h *hand) AfterFunc(d time.Duration, f func()) Timer {
	t := &handTimer{h, h.now + int64(d), f}
	h.timers = append(h.timers, t)
	return t
}

func (t *handTimer) Stop() bool {
	i := slices.Index(t.clock.timers, t)
	if i < 0 {
		return false
	}
	t.clock.timers = slices.Delete(t.clock.timers, i, i+1)
	return true
}

// to moves the clock on and fires what is due on the way.
func (h *hand) to(at int64) {
	for {
		var next *handTimer
		for _, t := range h.timers {
			if t.at <= at && (next == nil || t.at < next.at) {
				next = t
			}
		}
		if next == nil {
			break
		}
		next.Stop()
		h.now = max(h.now, next.at)
		next.f()
	}
	h.now = at
}

// due is an Owner made of a function.
type due func(now int64) int64

func (f due) Due(now int64) int64 { return f(now) }

// TestQueueAgainstMap drives a queue and a map of deadlines through the same random calls: each is called
// exactly when its time has come, never early, never late, never after Cancel; and one timer is enough.
func TestQueueAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := &hand{now: 1}
		q := New(clock)
		model := map[int]int64{}
		again := map[int]int64{} // what Due returns next
		items := make([]Item, 8)
		for i := range items {
			items[i].Owner = due(func(now int64) int64 {
				want, set := model[i]
				if !set || now != want || now != clock.now {
					t.Fatalf("item %d is called at %d, its deadline is %d (%v)", i, now, want, set)
				}
				delete(model, i)
				next := again[i]
				delete(again, i)
				if next != 0 {
					model[i] = now + next
					return now + next
				}
				return 0
			})
		}
		item := func(t *rapid.T) int { return rapid.IntRange(0, len(items)-1).Draw(t, "item") }
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				i, at := item(t), clock.now+rapid.Int64Range(1, 50).Draw(t, "in")
				q.Set(&items[i], at)
				model[i] = at
			},
			"cancel": func(t *rapid.T) {
				i := item(t)
				q.Cancel(&items[i])
				delete(model, i)
			},
			"again": func(t *rapid.T) { again[item(t)] = rapid.Int64Range(1, 50).Draw(t, "next") },
			"advance": func(t *rapid.T) {
				clock.to(clock.now + rapid.Int64Range(0, 60).Draw(t, "by"))
			},
			"": func(t *rapid.T) {
				if q.Len() != len(model) {
					t.Fatalf("%d deadlines, want %v", q.Len(), model)
				}
				for i, at := range model {
					if at < clock.now {
						t.Fatalf("item %d was due at %d, it is %d", i, at, clock.now)
					}
				}
				if len(clock.timers) > 1 {
					t.Fatalf("%d timers", len(clock.timers))
				}
			},
		})
		q.Close()
		if q.Len() != 0 || len(clock.timers) != 0 {
			t.Fatalf("after Close: %d deadlines, %d timers", q.Len(), len(clock.timers))
		}
		q.Set(&items[0], clock.now+1)
		clock.to(clock.now + 100)
		if q.Len() != 0 {
			t.Fatal("a closed queue took a deadline")
		}
		q.Cancel(&items[0])
	})
}

// A deadline in the past is called at once, by the timer and not by Set.
// Who cancels a deadline while its owner says when it is next has the last word.
func TestCancelWhileAsked(t *testing.T) {
	clock := &hand{now: 1}
	q := New(clock)
	var it Item
	cancel := true
	it.Owner = due(func(now int64) int64 {
		if cancel {
			q.Cancel(&it)
		}
		return now + 10
	})
	q.Set(&it, 5)
	clock.to(6)
	if n := q.Len(); n != 0 {
		t.Errorf("%d deadlines after Cancel", n)
	}
	cancel = false
	q.Set(&it, 7)
	clock.to(8)
	if n := q.Len(); n != 1 {
		t.Errorf("%d deadlines after another one has been set, want 1", n)
	}
}

// at is a clock that stands still: what is due is due at once, and nothing else ever.
type at int64

func (a at) Nanos() int64 { return int64(a) }

func (a at) AfterFunc(d time.Duration, f func()) Timer {
	if d <= 0 {
		go f()
	}
	return a
}

func (at) Stop() bool { return false }

// asks is an Owner that tells when it is asked, and answers when it is told to.
type asks struct{ questions chan chan int64 }

func (a asks) Due(int64) int64 {
	answer := make(chan int64)
	a.questions <- answer
	return <-answer
}

// An Owner may be asked again before it has answered: the later answer counts.
func TestAskedTwice(t *testing.T) {
	for _, first := range []int{0, 1} {
		q := New(at(100))
		a := asks{make(chan chan int64)}
		it := &Item{Owner: a}
		q.Set(it, 1)
		answers := []chan int64{<-a.questions, nil}
		q.Set(it, 2)
		answers[1] = <-a.questions
		says := []int64{0, int64(time.Hour)}
		answers[first] <- says[first]
		answers[1-first] <- says[1-first]
		for start := time.Now(); q.Len() != 1; time.Sleep(time.Millisecond) {
			if time.Since(start) > 10*time.Second {
				t.Fatalf("answer %d first: the later one is lost", first)
			}
		}
		q.Cancel(it)
	}
}

func TestDeadlineInThePast(t *testing.T) {
	clock := &hand{now: 100}
	q := New(clock)
	called := 0
	it := &Item{Owner: due(func(int64) int64 { called++; return 0 })}
	q.Set(it, 50)
	if called != 0 {
		t.Fatal("Set called Due")
	}
	clock.to(100)
	if called != 1 {
		t.Fatalf("called %d times", called)
	}
}

// Due may set and cancel deadlines, its own too.
func TestDueMayUseTheQueue(t *testing.T) {
	clock := &hand{now: 1}
	q := New(clock)
	var log []string
	var a, b, c Item
	a.Owner = due(func(now int64) int64 {
		log = append(log, fmt.Sprint("a", now))
		q.Set(&a, now+5) // and what is returned does not matter then
		q.Cancel(&b)
		q.Set(&c, now+1)
		return 0
	})
	b.Owner = due(func(now int64) int64 { log = append(log, fmt.Sprint("b", now)); return 0 })
	c.Owner = due(func(now int64) int64 { log = append(log, fmt.Sprint("c", now)); q.Cancel(&a); return 0 })
	q.Set(&a, 10)
	q.Set(&b, 10)
	q.Set(&b, 11)
	clock.to(100)
	if got := fmt.Sprint(log); got != "[a10 c11]" {
		t.Errorf("called %s", got)
	}
}

// A deadline that keeps moving away costs no timer: only when it comes up its owner is asked.
func TestMovingDeadline(t *testing.T) {
	clock := &hand{now: 1}
	q := New(clock)
	last, asked := int64(1), 0
	it := &Item{}
	it.Owner = due(func(now int64) int64 {
		asked++
		if now >= last+100 {
			return 0
		}
		return last + 100
	})
	q.Set(it, 101)
	for at := int64(2); at < 1000; at++ {
		clock.to(at)
		last = at
	}
	if asked > 11 {
		t.Errorf("asked %d times in ten periods", asked)
	}
	clock.to(last + 99)
	if q.Len() != 1 {
		t.Error("ended early")
	}
	clock.to(last + 100)
	if q.Len() != 0 {
		t.Error("did not end")
	}
}

type realClock struct{ start time.Time }

func (c realClock) Nanos() int64                              { return int64(time.Since(c.start)) + 1 }
func (c realClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// Many goroutines at once, with real timers: every deadline that is not cancelled is called.
func TestQueueConcurrently(t *testing.T) {
	clock := realClock{time.Now()}
	q := New(clock)
	defer q.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				called := make(chan struct{})
				it := &Item{Owner: due(func(int64) int64 { close(called); return 0 })}
				q.Set(it, clock.Nanos()+int64(i%7)*int64(100*time.Microsecond))
				if i%3 == 0 {
					q.Cancel(it)
				} else {
					<-called
				}
			}
		})
	}
	wg.Wait()
	if n := q.Len(); n != 0 {
		t.Errorf("%d deadlines are left", n)
	}
}

func BenchmarkSet(b *testing.B) {
	clock := &hand{now: 1}
	q := New(clock)
	items := make([]Item, 100_000)
	for i := range items {
		items[i].Owner = due(func(int64) int64 { return 0 })
		q.Set(&items[i], int64(1e9+i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		q.Set(&items[i%len(items)], int64(1e9+2*i))
	}
}
