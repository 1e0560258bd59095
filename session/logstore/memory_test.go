package logstore

import (
	"fmt"
	"runtime"
	"testing"

	"sampan/session"
	"sampan/session/wal"
)

// heapOf returns by how many bytes the heap is larger after do.
func heapOf(do func()) int64 {
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first one has only marked for finalizers
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	do()
	return live() - before
}

// A client that acknowledges nothing has as much in flight as its window allows, and none of it in memory.
func TestMemoryOfWhatIsInFlight(t *testing.T) {
	const messages, size = 1000, 64 << 10
	s, err := Open(t.TempDir(), Options{Level: wal.OS})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := session.Create(s, "a", session.Options{Window: messages, Budget: new(session.Budget)})
	if err != nil {
		t.Fatal(err)
	}
	c.Resume()
	heap := heapOf(func() {
		for range messages {
			m := session.NewMessage([]byte("t"), make([]byte, size), 0)
			if err := s.Append(m, []session.ID{c.ID()}); err != nil {
				t.Fatal(err)
			}
			if _, ok := c.Send(m); !ok {
				t.Fatal("the window is full")
			}
			c.Flush()
		}
		written := make(chan error, 1)
		s.Sync(func(err error) { written <- err })
		if err := <-written; err != nil {
			t.Fatal(err)
		}
	})
	if most := int64(messages * size / 4); heap > most { // of which the log's buffers take the most
		t.Errorf("%d bytes are in memory, more than %d", heap, most)
	}
	if c.InFlight() != messages {
		t.Errorf("%d messages are in flight", c.InFlight())
	}
}

// The memory that a stored message takes does not depend on its size, and is bounded: docs/durability.md has
// these numbers. Whether Stats tells the truth about it is seen too.
func TestMemoryOfAMessage(t *testing.T) {
	const sessions, messages = 16, 1 << 19
	x := new(index)
	ref := func(i int) session.Ref { return session.Ref(1<<20 + i) }
	dense := heapOf(func() {
		x.init()
		for id := range session.ID(sessions) {
			x.open(id+1, fmt.Sprint("device", id))
		}
		for i := range messages {
			x.message(ref(i), wal.At(uint32(1+i>>16), uint32(4096+i%(1<<16)*1016)), 1000, 1<<41+session.Time(i), []session.ID{session.ID(i%sessions) + 1})
		}
	})
	check := func(what string, heap int64, left int, most float64) {
		t.Helper()
		said := x.memory()
		each := float64(heap) / float64(left)
		t.Logf("%s: %.1f bytes a message, and %.1f as Stats counts", what, each, float64(said)/float64(left))
		if each > most {
			t.Errorf("%s: %.1f bytes a message, more than %.0f", what, each, most)
		}
		if ratio := float64(said) / float64(heap); ratio < 0.75 || ratio > 1.34 {
			t.Errorf("%s: Stats says %d bytes, and the heap has %d", what, said, heap)
		}
	}
	check("all are waited for", dense, messages, 32)

	// Nearly all are taken, and those that are left are each alone in their page: the worst that there is.
	const apart = pageEntries
	freed := heapOf(func() {
		for i := range messages {
			if i%apart != 0 {
				id := session.ID(i%sessions) + 1
				x.change(x.session(id), &session.Change{Kind: session.Done, Session: id, Ref: ref(i)})
			}
		}
	})
	check("one in 64 is left", dense+freed, messages/apart, 128)
	runtime.KeepAlive(x)
}
