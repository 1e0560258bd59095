package broker

import (
	"strconv"
	"testing"
	"time"
)

// A client's lock may be held for as long as the store takes. Who gives the client back waits for it, but
// nobody else whose key is in the same shard does.
func TestReleaseHoldsUpNoOtherClient(t *testing.T) {
	var d directory
	slow, _ := d.acquire(nil, "slow", true, maxInt)
	other := ""
	for i := 0; other == ""; i++ {
		if key := strconv.Itoa(i); d.shard(key) == d.shard("slow") {
			other = key
		}
	}

	slow.mu.Lock()
	released := make(chan bool)
	go func() {
		d.release(slow)
		close(released)
	}()
	acquired := make(chan bool)
	go func() {
		for range 200 { // until release waits
			cl, _ := d.acquire(nil, other, true, maxInt)
			d.release(cl)
			time.Sleep(10 * time.Microsecond)
		}
		close(acquired)
	}()
	select {
	case <-acquired:
	case <-released:
		t.Error("released while the client is locked")
	case <-time.After(10 * time.Second):
		t.Error("another client waits")
	}
	slow.mu.Unlock()
	<-released
	<-acquired
	if n := d.count.Load(); n != 0 {
		t.Errorf("%d clients are left", n)
	}
}

// Whoever acquires a client while the last holder gives it back keeps it.
func TestAClientIsForgottenByTheLastHolder(t *testing.T) {
	var d directory
	first, _ := d.acquire(nil, "c", true, maxInt)
	first.mu.Lock()
	released := make(chan bool)
	go func() {
		d.release(first)
		close(released)
	}()
	time.Sleep(time.Millisecond)
	again, _ := d.acquire(nil, "c", true, maxInt)
	first.mu.Unlock()
	<-released
	if again != first || !d.hold(again) {
		t.Fatal("a client that is held was forgotten")
	}
	d.release(again)
	d.release(again)
	if d.hold(again) || d.count.Load() != 0 {
		t.Errorf("a client that nobody holds is kept; %d are counted", d.count.Load())
	}
}
