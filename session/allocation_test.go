package session

import "testing"

// Sending and acknowledging allocates nothing once the window has grown.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	m := NewMessage([]byte("a/b"), []byte("payload"), 0)
	m.SetRef(1)
	for name, s := range map[string]*Session{
		"clean":      New(Options{Budget: new(Budget)}),
		"persistent": {id: 1, store: forgetful{}, opts: Options{Window: 50, MaxMessages: 100, MaxBytes: 1 << 20, HoldBytes: 1 << 16, Budget: new(Budget)}},
	} {
		send := func() {
			id, ok := s.Send(m)
			if !ok || !s.Ack(id) {
				t.Fatal("not sent")
			}
			s.Flush()
		}
		queue := func() {
			s.Enqueue(m)
			o, r := s.Next(1)
			if r != Ready || !s.Ack(o.ID) {
				t.Fatal("not sent")
			}
			s.Flush()
		}
		outOfOrder := func() {
			first, _ := s.Send(m)
			second, _ := s.Send(m)
			if !s.Ack(second) || !s.Ack(first) {
				t.Fatal("not sent")
			}
			s.Flush()
		}
		for what, f := range map[string]func(){"send": send, "queue": queue, "out of order": outOfOrder} {
			for range 100 {
				f()
			}
			if n := testing.AllocsPerRun(1000, f); n != 0 {
				t.Errorf("%s session, %s: %v allocations a message", name, what, n)
			}
		}
	}
}

// A queue gives its memory back when a large backlog has gone.
func TestEmptyQueueIsSmall(t *testing.T) {
	s := New(Options{Window: 65535, Budget: new(Budget)})
	for range 10_000 {
		s.Enqueue(&Message{})
	}
	if most := 10_000 * 5 / 4; len(s.queue.ring) > most {
		t.Errorf("10,000 messages take %d places, more than %d", len(s.queue.ring), most)
	}
	for s.queue.n > 0 {
		o, r := s.Next(1)
		if r != Ready || !s.Ack(o.ID) {
			t.Fatal("not sent")
		}
		if places := len(s.queue.ring); places > max(smallRing, 4*s.queue.n) {
			t.Fatalf("%d messages keep %d places", s.queue.n, places)
		}
	}
	if len(s.queue.ring) > smallRing {
		t.Errorf("an empty queue keeps %d places", len(s.queue.ring))
	}
}

// What waits while its client is away has hardly more places than messages.
func TestQueueIsFittedWhenTheClientLeaves(t *testing.T) {
	s := New(Options{Window: 65535, Budget: new(Budget)})
	for range 1000 {
		s.Enqueue(&Message{})
	}
	for range 500 {
		s.Next(1)
	}
	s.Disconnect(0)
	if places := len(s.queue.ring); places != 500 || s.queue.n != 500 {
		t.Errorf("%d messages take %d places", s.queue.n, places)
	}
	s.Enqueue(&Message{})
	if places := len(s.queue.ring); places > 501*5/4 || s.queue.n != 501 {
		t.Errorf("one more, and %d messages take %d places", s.queue.n, places)
	}
}

type forgetful struct{ Store }

func (forgetful) Record([]Change) error { return nil }

// So does a window, when its client leaves: what is in flight then keeps its places.
func TestWindowIsFittedWhenTheClientLeaves(t *testing.T) {
	m := NewMessage([]byte("a/b"), []byte("payload"), 0)
	m.SetRef(1)
	s := &Session{id: 1, store: forgetful{}, opts: Options{Window: 4096, Budget: new(Budget)}}
	for _, left := range []int{100, 0} {
		s.Resume()
		for s.window.unacked < 4096 {
			s.resend = 0
			if _, ok := s.Send(m); !ok {
				t.Fatal("not sent")
			}
		}
		var ids []uint16
		for i := range s.window.n {
			ids = append(ids, s.window.at(i).id)
		}
		for i, id := range ids {
			if i%8 != 0 || i/8 >= left { // not in one piece
				s.Ack(id)
			}
		}
		s.Disconnect(0)
		if s.Flush(); s.window.unacked != left || len(s.window.slots) > max(smallWindow, 2*left) {
			t.Errorf("%d in flight take %d places", s.window.unacked, len(s.window.slots))
		}
		for i := range left {
			if s.window.find(ids[8*i]) == nil {
				t.Errorf("identifier %d is not in flight any more", ids[8*i])
			}
		}
	}
}
