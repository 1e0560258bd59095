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
	for {
		o, r := s.Next(1)
		if r != Ready {
			break
		}
		s.Ack(o.ID)
	}
	if len(s.queue.ring) > keepRing {
		t.Errorf("an empty queue keeps %d places", len(s.queue.ring))
	}
}

type forgetful struct{ Store }

func (forgetful) Record([]Change) error { return nil }
