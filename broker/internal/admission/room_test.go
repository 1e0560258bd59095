package admission

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// real is the clock of a synctest bubble.
type real struct{}

var start = time.Now()

func (real) Nanos() int64 { return int64(time.Since(start)) + 1 }
func (real) After(d time.Duration, f func()) func() {
	timer := time.AfterFunc(d, f)
	return func() { timer.Stop() }
}

const grace = time.Second

// displaced is a Displacer made of a function.
type displaced func()

func (f displaced) Displace() { f() }

func never(t *testing.T) displaced { return func() { t.Error("displaced") } }

func TestRoomServesInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRoom(2, time.Hour, real{})
		var inside [2]Guest
		for i := range inside {
			if !r.Enter(&inside[i], nil, never(t)) {
				t.Fatal("no place")
			}
		}
		var order []int
		var guests [5]Guest
		for i := range guests {
			go func() {
				r.Enter(&guests[i], nil, never(t))
				order = append(order, i)
			}()
			synctest.Wait()
		}
		if s := r.Stats(); s != (Stats{Taken: 2, Waiting: 5, Waited: 5}) {
			t.Errorf("%+v", s)
		}
		for i := range guests {
			if i < 2 {
				inside[i].Leave()
			} else {
				guests[i-2].Leave()
			}
			synctest.Wait()
			if len(order) != i+1 || order[i] != i {
				t.Fatalf("after %d left: %v came in", i+1, order)
			}
		}
		guests[3].Leave()
		guests[3].Leave() // again
		guests[4].Leave()
		if s := r.Stats(); s != (Stats{Waited: 5}) {
			t.Errorf("in the end: %+v", s)
		}
	})
}

// Guests who do nothing cannot keep others out: the oldest go first, and none before its grace is over. One for
// whom the broker is at work stays.
func TestRoomDisplacesTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRoom(3, grace, real{})
		var lost []int
		var silent [3]Guest
		for i := range silent {
			r.Enter(&silent[i], nil, displaced(func() { lost = append(lost, i) }))
			time.Sleep(grace / 10)
		}
		time.Sleep(10 * grace)
		if len(lost) > 0 {
			t.Fatalf("%v were displaced for nobody", lost)
		}
		silent[0].Served()
		began := time.Now()
		var newcomer Guest
		r.Enter(&newcomer, nil, never(t))
		if len(lost) != 1 || lost[0] != 1 || time.Since(began) != 0 {
			t.Fatalf("%v were displaced after %v", lost, time.Since(began))
		}
		silent[0].Awaited() // counts as new
		var second, third Guest
		r.Enter(&second, nil, never(t))
		if len(lost) != 2 || lost[1] != 2 {
			t.Fatalf("%v were displaced", lost)
		}
		newcomer.Served()
		second.Served()
		r.Enter(&third, nil, never(t)) // waits for the grace of the first
		synctest.Wait()
		if len(lost) != 3 || lost[2] != 0 || time.Since(began) != grace {
			t.Fatalf("%v were displaced after %v", lost, time.Since(began))
		}
		for _, g := range []*Guest{&silent[0], &silent[1], &silent[2], &newcomer, &second, &third} {
			g.Served()
			g.Awaited()
			g.Leave()
		}
		if s := r.Stats(); s.Taken != 0 || s.Waiting != 0 || r.oldest != nil || r.newest != nil || r.alarm != nil {
			t.Errorf("left behind: %+v", s)
		}
	})
}

func TestRoomWaitEndsWithStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRoom(1, time.Hour, real{})
		var inside, impatient, next Guest
		r.Enter(&inside, nil, never(t))
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		if r.Enter(&impatient, stop, never(t)) {
			t.Error("came in")
		}
		if s := r.Stats(); s != (Stats{Taken: 1, Waited: 1}) {
			t.Errorf("%+v", s)
		}
		r.Force(&next, never(t))
		if s := r.Stats(); s.Taken != 2 {
			t.Errorf("%+v", s)
		}
		(&Guest{}).Leave()
		(&Guest{}).Served()
		(&Guest{}).Awaited()
	})
}

// Many at once, for the race detector: there are never more inside than places, and nobody waits for ever.
func TestRoomUnderLoad(t *testing.T) {
	const places, guests = 4, 400
	r := NewRoom(places, time.Millisecond, real{})
	var wg sync.WaitGroup
	for i := range guests {
		wg.Go(func() {
			var g Guest
			stop := make(chan struct{})
			if i%10 == 0 {
				close(stop)
			}
			r.Enter(&g, stop, displaced(func() {}))
			if s := r.Stats(); s.Taken > places {
				t.Errorf("%d are inside", s.Taken)
			}
			if i%3 == 0 {
				g.Served()
				g.Awaited()
			}
			if i%7 != 0 { // the others are displaced
				g.Leave()
			}
		})
	}
	wg.Wait()
	if s := r.Stats(); s.Waiting != 0 || s.Taken > places {
		t.Errorf("left behind: %+v", s)
	}
}
