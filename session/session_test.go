package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"sampan/session"
)

func message(n int) *session.Message {
	return session.NewMessage([]byte("a/b"), fmt.Appendf(nil, "%03d", n), 0)
}

// size is that of every message made by message.
var size = int64(message(0).Size())

func numbers(out []session.Outgoing) (ns []string) {
	for _, o := range out {
		n := fmt.Sprintf("%s=%d", o.Message.Payload(), o.ID)
		if o.Redelivery {
			n += "!"
		}
		ns = append(ns, n)
	}
	return ns
}

func next(t *testing.T, s *session.Session, from ...session.Store) []string {
	t.Helper()
	var out []session.Outgoing
	for {
		o, result := s.Next(1)
		if result == session.NotLoaded {
			if len(from) == 0 {
				t.Fatal("a message is not loaded")
			}
			var refs [7]session.Ref
			for _, r := range refs[:s.Wanted(refs[:])] {
				m, _ := from[0].Load(r)
				s.Loaded(r, m)
			}
			continue
		}
		if result == session.Nothing {
			return numbers(out)
		}
		out = append(out, o)
	}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("sent %v, want %v (payload=identifier, ! is DUP)", got, want)
	}
}

// What is in flight is sent again first, in its order, with DUP and the same identifiers, then the queue.
//
// MQTT-2.3.1-3 MQTT-3.3.1-1 MQTT-4.4.0-1 MQTT-4.6.0-1
func TestRedeliveryAfterResume(t *testing.T) {
	store := newShelf(t)
	s, err := session.Create(store, "c", session.Options{Window: 3, Budget: new(session.Budget)})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		m := message(n)
		store.Append(m, []session.ID{s.ID()})
		if _, ok := s.Send(m); !ok {
			s.Enqueue(m)
		}
	}
	if !s.Ack(2) {
		t.Fatal("identifier 2 is not in flight")
	}
	expect(t, next(t, s), "003=4")
	s.Resume()
	expect(t, next(t, s, store), "000=1!", "002=3!", "003=4!")
	if s.Ack(2) {
		t.Fatal("identifier 2 is in flight again")
	}
	for _, id := range []uint16{4, 3, 1} {
		if !s.Ack(id) {
			t.Fatalf("identifier %d is not in flight", id)
		}
	}
	expect(t, next(t, s), "004=5", "005=6")
}

// An acknowledgement that comes while the redelivery is under way takes its message out of it.
func TestAckDuringRedelivery(t *testing.T) {
	store := newShelf(t)
	s, _ := session.Create(store, "c", session.Options{Window: 5, Budget: new(session.Budget)})
	for n := range 5 {
		m := message(n)
		store.Append(m, []session.ID{s.ID()})
		s.Send(m)
	}
	s.Resume()
	for _, id := range []uint16{2, 5} {
		s.Ack(id)
	}
	var refs [9]session.Ref
	for _, r := range refs[:s.Wanted(refs[:])] {
		m, _ := store.Load(r)
		s.Loaded(r, m)
	}
	if o, _ := s.Next(1); o.ID != 1 {
		t.Fatalf("sent %d first", o.ID)
	}
	s.Ack(1)
	s.Ack(4)
	if !s.Waiting() {
		t.Fatal("message 3 does not wait")
	}
	expect(t, next(t, s), "002=3!")
	if s.Waiting() {
		t.Fatal("acknowledged messages wait")
	}
	m := message(9)
	store.Append(m, []session.ID{s.ID()})
	if id, ok := s.Send(m); !ok || id != 6 {
		t.Fatalf("Send: %d %v", id, ok)
	}
}

func TestDropPolicies(t *testing.T) {
	cases := []struct {
		name string
		opts session.Options
		want []string
		full uint64
	}{
		{"oldest by number", session.Options{MaxMessages: 3}, []string{"002=1", "003=2", "004=3"}, 2},
		{"newest by number", session.Options{MaxMessages: 3, DropNewest: true}, []string{"000=1", "001=2", "002=3"}, 2},
		{"oldest by bytes", session.Options{MaxBytes: 2*size + 1}, []string{"003=1", "004=2"}, 3},
		{"newest by bytes", session.Options{MaxBytes: 2*size + 1, DropNewest: true}, []string{"000=1", "001=2"}, 3},
		{"exactly full by bytes", session.Options{MaxBytes: 5 * size}, []string{"000=1", "001=2", "002=3", "003=4", "004=5"}, 0},
		{"exactly full by number", session.Options{MaxMessages: 5}, []string{"000=1", "001=2", "002=3", "003=4", "004=5"}, 0},
		{"one byte short", session.Options{MaxBytes: 5*size - 1}, []string{"001=1", "002=2", "003=3", "004=4"}, 1},
		{"zero means the default", session.Options{}, []string{"000=1", "001=2", "002=3", "003=4", "004=5"}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Budget = new(session.Budget)
			s := session.New(c.opts)
			for n := range 5 {
				s.Enqueue(message(n))
			}
			if got := s.Counters(); got != (session.Counters{Full: c.full}) {
				t.Fatalf("counters %+v, want %d full", got, c.full)
			}
			expect(t, next(t, s), c.want...)
		})
	}
}

// A message that is larger than the whole queue may be does not empty the queue for nothing.
func TestMessageLargerThanTheQueue(t *testing.T) {
	s := session.New(session.Options{MaxBytes: 3 * size, Budget: new(session.Budget)})
	for n := range 3 {
		s.Enqueue(message(n))
	}
	s.Enqueue(session.NewMessage([]byte("a/b"), make([]byte, 3*size), 0))
	if got := s.Counters(); got.Full != 1 {
		t.Fatalf("%d dropped, want 1", got.Full)
	}
	expect(t, next(t, s), "000=1", "001=2", "002=3")
}

func TestBudgetBoundsAllSessions(t *testing.T) {
	for _, b := range []*session.Budget{{MaxMessages: 4}, {MaxBytes: 4*size + 3}} {
		one, other := session.New(session.Options{Budget: b}), session.New(session.Options{Budget: b})
		for n := range 3 {
			one.Enqueue(message(n))
			other.Enqueue(message(n))
		}
		if b.Messages() != 4 || b.Bytes() != 4*size {
			t.Fatalf("%d messages of %d bytes are queued", b.Messages(), b.Bytes())
		}
		if got := one.Counters(); got != (session.Counters{OverBudget: 1}) {
			t.Fatalf("counters %+v", got)
		}
		one.Close()
		if b.Messages() != 2 {
			t.Fatalf("%d messages are queued after one session was closed", b.Messages())
		}
		other.Close()
		if b.Messages() != 0 || b.Bytes() != 0 {
			t.Fatalf("%d messages of %d bytes are queued by no session", b.Messages(), b.Bytes())
		}
	}
}

func TestWindowBoundsWhatIsInFlight(t *testing.T) {
	cases := []struct{ asked, want int }{{0, 50}, {1, 1}, {7, 7}, {65535, 65535}, {65536, 65535}, {1 << 20, 65535}}
	for _, c := range cases {
		s := session.New(session.Options{Window: c.asked, Budget: new(session.Budget)})
		for s.InFlight() <= 65535 {
			if _, ok := s.Send(nil); !ok {
				break
			}
		}
		if s.InFlight() != c.want {
			t.Errorf("window %d: %d in flight, want %d", c.asked, s.InFlight(), c.want)
		}
		s.Ack(1)
		if id, ok := s.Send(nil); !ok || id == 0 {
			t.Errorf("window %d: no room after an acknowledgement", c.asked)
		}
	}
}

// A connection may have a smaller window than the one before it had: nothing new until it has room.
func TestWindowGetsSmaller(t *testing.T) {
	b := new(session.Budget)
	s := session.New(session.Options{Window: 4, Budget: b})
	for range 4 {
		s.Send(nil)
	}
	s.SetOptions(session.Options{Window: 2})
	s.Enqueue(message(1))
	for id := uint16(1); id <= 3; id++ {
		if o, r := s.Next(1); r != session.Nothing {
			t.Fatalf("Next gave %d with %d in flight", o.ID, s.InFlight())
		}
		s.Ack(id)
	}
	expect(t, next(t, s), "001=5")
}

func TestExpiredMessagesAreNotSent(t *testing.T) {
	s := session.New(session.Options{Budget: new(session.Budget)})
	for n, expires := range []session.Time{100, 0, 99, 101} {
		s.Enqueue(session.NewMessage([]byte("a/b"), fmt.Appendf(nil, "%03d", n), expires))
	}
	var got []session.Outgoing
	for {
		o, r := s.Next(100)
		if r != session.Ready {
			break
		}
		got = append(got, o)
	}
	expect(t, numbers(got), "001=1", "003=2")
	if c := s.Counters(); c != (session.Counters{Expired: 2}) {
		t.Fatalf("counters %+v", c)
	}
}

// Restore makes the session that was: the same in flight, under the same identifiers, in the same order.
//
// MQTT-4.1.0-1 MQTT-4.4.0-1
func TestRestore(t *testing.T) {
	store := newShelf(t)
	opts := session.Options{Window: 100, Budget: new(session.Budget)}
	s, _ := session.Create(store, "c", opts)
	s.Subscribe("a/+", 1)
	s.Subscribe("b", 0)
	s.Subscribe("c", 0)
	s.Unsubscribe("c")
	for n := range 600 { // more than one batch of Store.Queue
		m := message(n)
		store.Append(m, []session.ID{s.ID()})
		if _, ok := s.Send(m); !ok {
			s.Enqueue(m)
		}
	}
	s.Ack(3)
	s.Flush()

	opts.Budget = new(session.Budget)
	r := session.Restore(store, store.recovered(s.ID()), opts)
	if r.ID() != s.ID() || !r.Persistent() {
		t.Fatalf("restored as %d", r.ID())
	}
	if got := maps.Collect(r.Subscriptions()); !maps.Equal(got, map[string]byte{"a/+": 1, "b": 0}) {
		t.Fatalf("subscriptions %v", got)
	}
	if n, bytes := r.Queued(); r.InFlight() != 99 || n != 500 || bytes != 500*size || opts.Budget.Bytes() != bytes {
		t.Fatalf("%d in flight, %d of %d bytes queued", r.InFlight(), n, bytes)
	}
	r.Resume()
	want := []string{}
	for n := range 100 {
		if n != 2 {
			want = append(want, fmt.Sprintf("%03d=%d!", n, n+1))
		}
	}
	// Nobody has said that the connection had ended: what waited may have been sent.
	want = append(want, "100=101!")
	expect(t, next(t, r, store), want...)
}

// A store that was damaged may have lost that a message was acknowledged, and have another that was sent later under
// the same identifier. That one is in flight: the first must have been acknowledged, or it could not have been given.
//
// MQTT-2.3.1-4
func TestRestoreOfAnIdentifierGivenTwice(t *testing.T) {
	store := newShelf(t)
	opts := session.Options{Window: 3, Budget: new(session.Budget)}
	s, _ := session.Create(store, "c", opts)
	for n := range 5 {
		store.Append(message(n), []session.ID{s.ID()})
	}
	queue := store.sessions[s.ID()].queue
	for n, id := range []uint16{1, 2, 1, 3, 0} {
		queue[n].PacketID = id
	}
	r := session.Restore(store, store.recovered(s.ID()), opts)
	r.Resume()
	expect(t, next(t, r, store), "002=1!", "001=2!", "003=3!")
	for id := uint16(1); id <= 3; id++ {
		if !r.Ack(id) {
			t.Errorf("identifier %d is not in flight", id)
		}
	}
	expect(t, next(t, r, store), "004=4!")
	if r.Ack(4); r.InFlight() != 0 {
		t.Errorf("%d messages stay in flight", r.InFlight())
	}
	if _, err := r.Flush(); err != nil || len(store.sessions[s.ID()].queue) != 0 {
		t.Errorf("the store keeps %v, error %v", store.sessions[s.ID()].queue, err)
	}
}

// The store's failure reaches the owner, and an identity that cannot be opened makes no session.
func TestStoreFailure(t *testing.T) {
	store := newShelf(t)
	s, _ := session.Create(store, "c", session.Options{Budget: new(session.Budget)})
	if noted, err := s.Flush(); noted || err != nil {
		t.Fatalf("Flush of nothing: %v %v", noted, err)
	}
	s.Subscribe("a", 1)
	store.fail = errors.New("disk on fire")
	if noted, err := s.Flush(); !noted || err != store.fail {
		t.Fatalf("Flush: %v %v", noted, err)
	}
	if _, err := session.Create(store, "d", session.Options{Budget: new(session.Budget)}); err != store.fail {
		t.Fatalf("Create: %v", err)
	}
}

// Nothing about a session that ends with its connection goes to a store.
func TestCleanSessionHasNoStore(t *testing.T) {
	s := session.New(session.Options{Budget: new(session.Budget)})
	s.Subscribe("a", 1)
	s.Send(nil)
	s.Enqueue(message(1))
	next(t, s)
	s.Ack(1)
	s.Close()
	if noted, err := s.Flush(); noted || err != nil || s.ID() != 0 || s.Persistent() {
		t.Fatalf("a clean session noted something (%v %v) or has a name (%d)", noted, err, s.ID())
	}
}

func TestSubscriptions(t *testing.T) {
	s := session.New(session.Options{Budget: new(session.Budget)})
	steps := []struct {
		added  bool
		filter string
		qos    byte
	}{{true, "a/b", 0}, {true, "a/+", 1}, {false, "a/b", 1}, {false, "a/b", 1}, {true, "a", 0}}
	for _, step := range steps {
		if got := s.Subscribe(step.filter, step.qos); got != step.added {
			t.Errorf("Subscribe(%q): %v", step.filter, got)
		}
	}
	if !s.Subscribed([]byte("a/b")) || s.Subscribed([]byte("a/c")) {
		t.Error("Subscribed is wrong")
	}
	if !s.Unsubscribe("a/+") || s.Unsubscribe("a/+") || s.Unsubscribe("A/B") {
		t.Error("Unsubscribe is wrong")
	}
	if got := slices.Sorted(s.Filters()); !slices.Equal(got, []string{"a", "a/b"}) || s.SubscriptionCount() != 2 {
		t.Errorf("filters %v", got)
	}
	if got := maps.Collect(s.Subscriptions()); got["a/b"] != 1 {
		t.Errorf("subscriptions %v", got)
	}
}

func TestMessage(t *testing.T) {
	for _, n := range []int{0, 1, 127 - 6, 127 - 5, 128, 16383 - 6, 16384 - 6, 16384, 2097151 - 6, 2097152 - 6, 2097152} {
		payload := bytes.Repeat([]byte{0xaa}, n)
		m := session.NewMessage([]byte("a/"), payload, 7)
		if string(m.Topic()) != "a/" || !bytes.Equal(m.Payload(), payload) || m.Expires() != 7 {
			t.Fatalf("payload of %d bytes: %q, %d bytes", n, m.Topic(), len(m.Payload()))
		}
		first := m.AppendTo([]byte{1, 2, 3}, 0x1234, false)[3:]
		again := m.AppendTo(nil, 0x1234, true)
		if first[0] != 0x32 || again[0] != 0x3a || !bytes.Equal(first[1:], again[1:]) || len(first) != m.Size() {
			t.Fatalf("payload of %d bytes: % x and % x", n, first[:8], again[:8])
		}
		if id := first[len(first)-n-2:][:2]; id[0] != 0x12 || id[1] != 0x34 {
			t.Fatalf("payload of %d bytes: identifier % x", n, id)
		}
		if p := m.AppendTo(nil, 0, false); p[0] != 0x32 {
			t.Fatal("AppendTo has changed the message")
		}
	}
	if m := session.NewMessage([]byte("a"), nil, 0); m.Expired(1 << 60) {
		t.Error("a message without an expiry date has expired")
	}
}
