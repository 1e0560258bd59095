package session_test

import (
	"slices"
	"testing"

	"sampan/session"
)

// kept is a session of a store, in use, with so many messages that have been published for it.
func kept(t *testing.T, o session.Options, messages int) (*shelf, *session.Session) {
	t.Helper()
	store := newShelf(t)
	o.Budget = new(session.Budget)
	s, err := session.Create(store, "c", o)
	if err != nil {
		t.Fatal(err)
	}
	s.Resume()
	for n := range messages {
		publish(store, s, message(n))
	}
	return store, s
}

func publish(store *shelf, s *session.Session, m *session.Message) {
	store.Append(m, []session.ID{s.ID()})
	if _, ok := s.Send(m); !ok {
		s.Enqueue(m)
	}
}

func wanted(s *session.Session) []session.Ref {
	var refs [32]session.Ref
	return refs[:s.Wanted(refs[:])]
}

func load(t *testing.T, store *shelf, s *session.Session, refs ...session.Ref) {
	t.Helper()
	for _, r := range refs {
		m, err := store.Load(r)
		if err != nil {
			t.Fatal(err)
		}
		s.Loaded(r, m)
	}
}

// What is in flight is not held in memory, however it was sent, since the store can read it back: a client that
// acknowledges nothing costs no more than one that does.
func TestWhatIsInFlightIsNotHeld(t *testing.T) {
	store, s := kept(t, session.Options{Window: 10}, 12)
	held := func(what string, wantWaiting, wantInFlight int64) {
		t.Helper()
		waiting, inFlight, counted := s.InMemory()
		if int64(waiting) != wantWaiting || int64(inFlight) != wantInFlight || counted != waiting+inFlight {
			t.Fatalf("%s: %d bytes of what waits and %d of what is in flight are in memory, counted as %d; want %d and %d",
				what, waiting, inFlight, counted, wantWaiting, wantInFlight)
		}
	}
	held("ten are sent, two wait", 2*size, 0)
	s.Ack(1)
	expect(t, next(t, s), "010=11")
	held("one has waited and is sent", size, 0)
	s.Disconnect(0)
	held("the client is away", 0, 0)
	publish(store, s, message(12))
	held("one more for a client that is away", 0, 0)

	s.Resume()
	refs := wanted(s)
	load(t, store, s, refs...)
	held("what is to be sent again has been read", 2*size, 10*size)
	s.Ack(2)
	held("one is acknowledged before it is sent again", 2*size, 9*size)
	if o, _ := s.Next(1); o.ID != 3 || !o.Redelivery {
		t.Fatalf("sent %+v", o)
	}
	held("one is sent again", 2*size, 8*size)
	publish(store, s, message(13))
	held("one comes while others are sent again", 2*size, 8*size)
	expect(t, next(t, s, store), "003=4!", "004=5!", "005=6!", "006=7!", "007=8!", "008=9!", "009=10!", "010=11!", "011=12")
	held("all are sent again", size, 0)
}

// A message that its store does not have stays in memory until it is acknowledged.
func TestWhatIsNotStoredIsHeld(t *testing.T) {
	_, s := kept(t, session.Options{Window: 1}, 0)
	for n := range 2 {
		m := message(n)
		if _, ok := s.Send(m); !ok {
			s.Enqueue(m)
		}
	}
	s.Disconnect(0)
	s.Resume()
	expect(t, next(t, s), "000=1!")
	s.Resume()
	expect(t, next(t, s), "000=1!")
	s.Ack(1)
	expect(t, next(t, s), "001=2")
	if _, _, counted := s.InMemory(); counted != 0 {
		t.Fatalf("%d bytes are counted as held beside a store", counted)
	}
}

// A session has no more of a stored backlog in memory than it may, and asks for no more.
func TestHeldBytes(t *testing.T) {
	store, s := kept(t, session.Options{Window: 1, HoldBytes: int(3*size) + 1}, 9)
	want := func(want ...session.Ref) {
		t.Helper()
		if got := wanted(s); !slices.Equal(got, want) {
			t.Fatalf("wanted %v, want %v", got, want)
		}
	}
	for _, r := range []session.Ref{2, 3, 4, 5} {
		if s.Unread(r) != (r == 5) {
			t.Fatalf("of the queue, not exactly the first three are held: %d", r)
		}
	}
	// Messages that nobody asked for, or twice, change nothing.
	s.Loaded(99, message(99))
	s.Loaded(2, message(1))
	s.Loaded(2, nil)
	if c := s.Counters(); c != (session.Counters{}) {
		t.Fatalf("counters %+v", c)
	}
	for id := uint16(1); id <= 3; id++ {
		s.Ack(id)
		s.Next(1)
	}
	want(5, 6, 7)
	var two [2]session.Ref
	if n := s.Wanted(two[:]); n != 2 || two[0] != 5 {
		t.Fatalf("wanted %v", two[:n])
	}
	load(t, store, s, 8, 7, 6, 5) // in another order: there is no room any more for what comes first, but that is let in
	want(9)
	if waiting, _, _ := s.InMemory(); int64(waiting) != 4*size {
		t.Fatalf("%d bytes are held", waiting)
	}
	s.Disconnect(0)
	load(t, store, s, 5) // too late
	if waiting, _, _ := s.InMemory(); waiting != 0 {
		t.Fatalf("%d bytes are held for nobody", waiting)
	}
	s.Resume()
	load(t, store, s, 4) // in flight
	want(5, 6)
	expect(t, next(t, s, store), "003=4!")
}

// What is larger than all that may be held is read back one by one.
func TestMessagesLargerThanWhatMayBeHeld(t *testing.T) {
	store, s := kept(t, session.Options{HoldBytes: 1}, 0)
	s.Disconnect(0)
	for n := range 3 {
		m := message(n)
		store.Append(m, []session.ID{s.ID()})
		s.Enqueue(m)
	}
	s.Resume()
	if got := wanted(s); len(got) != 1 {
		t.Fatalf("wanted %v", got)
	}
	expect(t, next(t, s, store), "000=1", "001=2", "002=3")
}

// A message that cannot be read now is waited for as long as it is wanted: in flight for ever, in the queue until its
// time is up, which is known without reading it.
func TestWhatCannotBeRead(t *testing.T) {
	store, s := kept(t, session.Options{Window: 1}, 0)
	for n, expires := range []session.Time{5, 5, 0, 5} {
		publish(store, s, session.NewMessage([]byte("a/b"), message(n).Payload(), expires))
	}
	s.Disconnect(0)
	s.Resume()
	wait := func(now session.Time, want ...bool) {
		t.Helper()
		var got []bool
		for r := range session.Ref(len(want)) {
			got = append(got, s.NotRead(r+1, now))
		}
		if !slices.Equal(got, want) {
			t.Errorf("at %d, to be waited for is %v, want %v", now, got, want)
		}
	}
	wait(4, true, true, true, true, false)
	wait(5, true, false, true, false, false)
	if c := s.Counters(); c != (session.Counters{Expired: 2}) {
		t.Errorf("counters %+v", c)
	}
	load(t, store, s, 1, 3)
	wait(5, true, false, false, false) // one that has come another way is not
	expect(t, next(t, s, store), "000=1!")
	s.Ack(1)
	expect(t, next(t, s, store), "002=2")
	s.Ack(2)
	if expect(t, next(t, s, store)); s.Waiting() {
		t.Error("something waits")
	}
}
