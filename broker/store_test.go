package broker_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
	"sampan/session"
)

// with starts a broker of the Open profile on a store.
func with(t *testing.T, s session.Store) *brokertest.Broker {
	t.Helper()
	return brokertest.Start(t, broker.Options{Profile: broker.Open, Store: s})
}

// Nothing is acknowledged before the store says that it holds: PUBACK, SUBACK, UNSUBACK, CONNACK. What does
// not concern the store does not wait for it, unless it would overtake an answer that does.
func TestAnswersWaitForTheStore(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	pub := b.Connect("pub")

	store.Hold()
	pub.Send(brokertest.Publish("a", "1", 1, 1))
	sub.Expect(brokertest.Publish("a", "1", 1, 1)) // the delivery does not wait
	pub.Sync()                                     // no PUBACK
	pub.Send(brokertest.Publish("nobody", "2", 1, 2), brokertest.Publish("a", "3", 0, 0))
	pub.Sync() // its PUBACK would not have to wait, but must not overtake the first
	sub.Expect(brokertest.Publish("a", "3", 0, 0))
	if n := store.Release(); n != 2 {
		t.Errorf("%d answers waited", n)
	}
	pub.Expect(brokertest.Puback(1), brokertest.Puback(2))

	store.Hold()
	sub.Send(brokertest.SubscribePacket(11, 1, "b", "c"))
	sub.Sync()
	sub.Send(brokertest.SubscribePacket(12, 1, "b")) // changes nothing
	sub.Sync()
	gone := &packet.Unsubscribe{ID: 13}
	gone.Add([]byte("c"))
	sub.Send(gone)
	sub.Sync()
	store.Release()
	sub.Expect(suback(11, 1, 1), suback(12, 1), brokertest.Unsuback(13))

	// Clean sessions do not concern the store.
	store.Hold()
	pub.Subscribe("x", 1)
	pub.Unsubscribe("x")
	pub.Publish("x", "", 1)
	b.Connect("clean").Sync()

	late := b.Dial()
	late.Send(brokertest.ConnectPacket("late", brokertest.Persistent))
	eventually(t, "the session waits", func() bool { return store.Waiting() == 1 })
	if i, _ := b.Client("late"); !i.Connected {
		t.Errorf("client %+v", i)
	}
	store.Release()
	late.Expect(&packet.Connack{})
	late.Sync()
}

// A message that comes between SUBSCRIBE and its answer does not make SUBACK forget to wait.
func TestSubackWaitsAlsoWhenAMessageComesBetween(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	sub := b.Connect("sub", brokertest.Persistent)
	pub := b.Connect("pub")
	store.Hold()
	for i := range 50 {
		sub.Send(brokertest.SubscribePacket(uint16(i+1), 1, fmt.Sprint("t/", i)))
		b.Deliver(withoutWaiting(t), "sub", "x", nil, 1)
		sub.Send(brokertest.Pingreq)
		pong := false
		for !pong {
			f := sub.Next()
			switch f.Type() {
			case packet.TypePingresp:
				pong = true
			case packet.TypeSuback:
				t.Fatalf("SUBACK came before the subscription held")
			}
		}
		pub.Sync()
	}
}

// withoutWaiting is a context that is over: the call does what it does and does not wait for the store.
func withoutWaiting(t *testing.T) ctx {
	c, cancel := context.WithCancel(t.Context())
	cancel()
	return c
}

// A CONNECT of which the store does not say that it holds is not answered; the client that gives up leaves
// nothing behind that waits.
func TestConnectGivesUpWaitingForTheStore(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	store.Hold()
	c := b.Dial()
	c.Send(brokertest.ConnectPacket("c", brokertest.Persistent, brokertest.KeepAlive(10)))
	eventually(t, "the session waits", func() bool { return store.Waiting() == 1 })
	b.Clock.Advance(15 * time.Second)
	c.ExpectClosed()
	connections(t, b, 0)
	if i, ok := b.Client("c"); !ok || i.Connected {
		t.Errorf("client %+v %v", i, ok)
	}
	store.Release()
}

// A client that has too many answers waiting for the store is not read from any more.
func TestReaderWaitsForTheStore(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	b.Connect("sub", brokertest.Persistent).Subscribe("a", 1)
	pub := b.Connect("pub")
	store.Hold()
	var sent atomic.Int64
	const total = 1000
	go func() { // ends when the broker has read everything
		for i := range total {
			pub.TrySend(brokertest.Publish("a", "", 1, uint16(i+1)))
			sent.Add(1)
		}
	}()
	eventually(t, "many answers wait", func() bool { return store.Waiting() >= 128 })
	if n := sent.Load(); n > 140 {
		t.Errorf("%d messages were read while nothing could be acknowledged", n)
	}
	store.Release()
	for i := range total {
		pub.Expect(brokertest.Puback(uint16(i + 1)))
	}
	// A connection that ends while its reader waits ends.
	store.Hold()
	go func() { // ends with the connection
		for range total {
			if pub.TrySend(brokertest.Publish("a", "", 1, 1)) != nil {
				return
			}
		}
	}()
	eventually(t, "many answers wait", func() bool { return store.Waiting() >= 128 })
	b.Broker.Disconnect("pub", "test")
	connections(t, b, 1)
	store.Release()
}

// MQTT-4.8.0-2: an error while a packet is handled closes the connection that it came on.
//
// After the store has failed nothing that depends on it is acknowledged, the connections in question end,
// and the log says why, once.
func TestStoreFailure(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	store.Fail(errors.New("disk on fire"))

	for _, script := range [][]brokertest.Packet{
		{brokertest.Publish("a", "x", 1, 1)},
		{brokertest.Publish("a", "x", 1, 1), brokertest.Publish("a", "x", 1, 2)},
		{brokertest.Publish("a", "x", 1, 1), brokertest.Publish("b", "x", 1, 2)},
		{brokertest.Publish("a", "x", 1, 1), brokertest.Pingreq},
		{brokertest.Publish("b", "x", 0, 0), brokertest.Publish("a", "x", 1, 1), brokertest.Publish("c", "x", 0, 0)},
	} {
		pub := b.Connect("pub")
		pub.Send(script...)
		for {
			f, err := pub.Receive()
			if err != nil {
				break
			}
			if f.Type() == packet.TypePuback {
				t.Fatalf("%v was acknowledged: %s", script, brokertest.Describe(f.Raw))
			}
		}
		e := b.Events.WaitFor(t, broker.Disconnected, "pub")
		if e.Reason != broker.StoreFailed || !strings.Contains(e.Detail, "disk on fire") {
			t.Errorf("event %+v", e)
		}
	}
	// What needs no store goes on.
	pub := b.Connect("pub")
	pub.Publish("b", "x", 1)
	pub.Publish("a", "zero", 0)
	sub.Expect(brokertest.Publish("a", "zero", 0, 0))
	// What needs it does not.
	c := b.Dial()
	if ack := c.TryConnect(brokertest.ConnectPacket("new", brokertest.Persistent)); ack.Code != packet.RefusedUnavailable {
		t.Errorf("CONNACK %+v", ack)
	}
	c.ExpectClosed()
	if n, err := b.Publish(t.Context(), "a", nil, 1); err == nil {
		t.Errorf("Publish: %d %v", n, err)
	}
	if err := b.Deliver(t.Context(), "sub", "a", nil, 1); err == nil {
		t.Error("Deliver succeeded")
	}
	sub.Send(brokertest.SubscribePacket(5, 1, "c"))
	sub.ExpectClosed()
	connections(t, b, 1)
	if n := len(b.Log.Lines("level=ERROR", "the session store has failed", "disk on fire")); n != 1 {
		t.Errorf("%d lines about it in\n%s", n, b.Log)
	}
	if n := b.Stats().Ended["store-failed"]; n != 6 {
		t.Errorf("%d connections ended because of it", n)
	}
}

// A store that fails between taking note and making it hold: the answers that wait never go out, and
// who waits for a session is told that there is none to be had.
func TestStoreFailsWhileAnswersWait(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	b.Connect("sub", brokertest.Persistent).Subscribe("a", 1)
	pub := b.Connect("pub")
	store.Hold()
	pub.Send(brokertest.Publish("a", "1", 1, 1))
	pub.Sync()
	pub.Send(brokertest.Publish("a", "2", 1, 2))
	pub.Sync()
	connecting := b.Dial()
	connecting.Send(brokertest.ConnectPacket("new", brokertest.Persistent))
	eventually(t, "the session waits", func() bool { return store.Waiting() == 3 })
	store.Fail(errors.New("no space"))
	store.Release()
	pub.ExpectClosed()
	connecting.Expect(&packet.Connack{Code: packet.RefusedUnavailable})
	connecting.ExpectClosed()
}

// New brings back the sessions of the store: subscriptions, what was in flight, under the same identifiers,
// and what waits, in order; and goes on from there.
//
// MQTT-3.1.2-4 MQTT-4.1.0-1 MQTT-4.4.0-1
func TestRecovery(t *testing.T) {
	store := brokertest.NewStore()
	clock := brokertest.NewClock()
	opts := broker.Options{Profile: broker.Open, Store: store, Clock: clock, Window: 3}
	b := brokertest.Start(t, opts)
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a/+", 1)
	sub.Subscribe("b", 0)
	sub.Subscribe("c", 1)
	sub.Unsubscribe("c")
	away := b.Connect("away", brokertest.Persistent)
	away.Subscribe("a/#", 1)
	away.Disconnect()
	clean := b.Connect("clean")
	clean.Subscribe("a/#", 1)
	pub := b.Connect("pub")
	for i := range 300 {
		pub.Publish("a/x", fmt.Sprint(i), 1)
	}
	sub.Expect(brokertest.Publish("a/x", "0", 1, 1), brokertest.Publish("a/x", "1", 1, 2), brokertest.Publish("a/x", "2", 1, 3))
	sub.Send(brokertest.Puback(2))
	sub.Expect(brokertest.Publish("a/x", "3", 1, 4))
	sub.Sync()
	clean.Drain()
	clean.Disconnect()
	connections(t, b, 2)
	before := b.Stats()
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	for range 2 { // a second restart finds the same
		store.Reopen()
		b = brokertest.Start(t, opts)
		s := b.Stats()
		if s.Sessions != 2 || s.Subscriptions != 3 || s.Connected != 0 || s.QueuedMessages != before.QueuedMessages ||
			s.QueuedBytes != before.QueuedBytes || s.Deadlines != 2 || s.Clients != 2 {
			t.Errorf("stats %+v, before %+v", s, before)
		}
		if i, ok := b.Client("sub"); !ok || !i.Persistent || i.Connected || i.InFlight != 3 || i.QueuedCount != 296 || i.Subscriptions != 2 {
			t.Errorf("client %+v", i)
		}
		if err := b.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	store.Reopen()
	b = brokertest.Start(t, opts)
	b.Connect("pub").Publish("a/x", "300", 1)
	sub = b.Dial()
	if !sub.Connect("sub", brokertest.Persistent) {
		t.Fatal("no session")
	}
	sub.Expect(brokertest.Again("a/x", "0", 1), brokertest.Again("a/x", "2", 3), brokertest.Again("a/x", "3", 4))
	sub.Send(brokertest.Puback(1), brokertest.Puback(3), brokertest.Puback(4))
	for i := 4; i <= 300; i++ {
		sub.Expect(brokertest.Publish("a/x", fmt.Sprint(i), 1, uint16(i+1)))
		sub.Send(brokertest.Puback(uint16(i + 1)))
	}
	sub.Sync()
	state, _ := store.State("sub")
	if len(state.Queue) != 0 || !maps.Equal(state.Subscriptions, map[string]byte{"a/+": 1, "b": 0}) {
		t.Errorf("the store has %+v", state)
	}
	if _, ok := store.State("clean"); ok {
		t.Error("the store has a clean session")
	}
	if state, _ := store.State("away"); len(state.Queue) != 301 {
		t.Errorf("the store has %d messages for the other", len(state.Queue))
	}
}

// Sessions expire at the same instant as without the restart; one that was connected when the broker stopped
// from the restart on.
func TestExpiryAfterRestart(t *testing.T) {
	store := brokertest.NewStore()
	clock := brokertest.NewClock()
	opts := broker.Options{Profile: broker.Open, Store: store, Clock: clock, SessionExpiry: time.Hour, MessageExpiry: 90 * time.Minute}
	b := brokertest.Start(t, opts)
	b.Connect("away", brokertest.Persistent).Disconnect()
	c := b.Connect("connected", brokertest.Persistent)
	c.Subscribe("a", 1)
	eventually(t, "one is away", func() bool { i, _ := b.Client("away"); return !i.Connected })
	store.Fail(session.ErrStoreClosed) // as if the process had been killed: the store does not hear of the end
	b.Shutdown(t.Context())

	store.Reopen()
	clock.Advance(40 * time.Minute)
	b = brokertest.Start(t, opts)
	clock.Advance(20*time.Minute - time.Millisecond)
	if s := b.Stats(); s.Sessions != 2 {
		t.Errorf("%d sessions before the first expires", s.Sessions)
	}
	clock.Advance(time.Millisecond)
	if _, ok := b.Client("away"); ok {
		t.Error("the session that was away is still there")
	}
	b.Publish(t.Context(), "a", []byte("x"), 1)
	clock.Advance(40*time.Minute - time.Millisecond)
	if _, ok := b.Client("connected"); !ok {
		t.Error("the session that was connected has gone too early")
	}
	clock.Advance(time.Millisecond)
	if s := b.Stats(); s.Sessions != 0 || s.QueuedMessages != 0 || s.Subscriptions != 0 {
		t.Errorf("stats %+v", s)
	}
	if _, ok := store.State("connected"); ok {
		t.Error("the store still has the session")
	}
}

// Only what a connection may have been sent when the broker stopped comes with DUP for the first time, whether
// sessions expire or not.
//
// MQTT-3.3.1-1
func TestDupAfterRestart(t *testing.T) {
	for name, expiry := range map[string]time.Duration{"sessions expire": time.Hour, "sessions never expire": broker.Unlimited} {
		t.Run(name, func(t *testing.T) {
			store := brokertest.NewStore()
			opts := broker.Options{Profile: broker.Open, Store: store, SessionExpiry: expiry, Window: 1}
			b := brokertest.Start(t, opts)
			restart := func(killed bool) {
				t.Helper()
				if killed {
					store.Fail(session.ErrStoreClosed) // the store does not hear of the end
				}
				if err := b.Shutdown(t.Context()); err != nil {
					t.Fatal(err)
				}
				store.Reopen()
				b = brokertest.Start(t, opts)
			}
			away(b)
			connections(t, b, 0)
			b.Publish(t.Context(), "a/x", []byte("1"), 1)
			restart(false)
			b.Publish(t.Context(), "a/x", []byte("2"), 1)
			restart(true)

			// It was away each time, so nothing has been sent.
			c := b.Dial()
			c.Connect("away", brokertest.Persistent)
			c.Expect(brokertest.Publish("a/x", "1", 1, 1))
			restart(true)

			// Now it was there: the second message may have been sent, and the first one was. What comes later
			// was not, though the broker has stopped once more.
			b.Publish(t.Context(), "a/x", []byte("3"), 1)
			restart(false)
			c = b.Dial()
			c.Connect("away", brokertest.Persistent)
			for i, dup := range []bool{true, true, false} {
				p := c.NextPublish()
				if want := fmt.Sprint(i + 1); string(p.Payload) != want || p.Dup != dup {
					t.Fatalf("got %q with DUP %v, want %q with %v", p.Payload, p.Dup, want, dup)
				}
				c.Send(brokertest.Puback(p.ID))
			}
		})
	}
}

// A store that was damaged may have two sessions of one client. The one that began last is its session, and the
// other one does not stay in the store.
func TestTwoSessionsOfOneClient(t *testing.T) {
	store := brokertest.NewStore()
	for i, identity := range []string{"c", "other", "c", "c"} {
		id, err := store.Open(identity)
		if err != nil {
			t.Fatal(err)
		}
		store.Append(session.NewMessage([]byte("a"), fmt.Append(nil, i), 0), []session.ID{id})
		store.Record([]session.Change{{Kind: session.Subscribed, Session: id, Filter: fmt.Sprint("f/", i), QoS: 1},
			{Kind: session.Disconnected, Session: id}})
	}
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Store: store})
	if s := b.Stats(); s.Sessions != 2 || s.Subscriptions != 2 || s.QueuedMessages != 2 || store.Stats().Sessions != 2 {
		t.Errorf("stats %+v; of the store %+v", s, store.Stats())
	}
	if lines := b.Log.Lines("level=WARN", "client=c", "two sessions of one client"); len(lines) != 2 {
		t.Errorf("logged: %v", lines)
	}
	c := b.Dial()
	c.Connect("c", brokertest.Persistent)
	c.Expect(brokertest.Publish("a", "3", 1, 1))
}

func TestRecoveryFails(t *testing.T) {
	store := brokertest.NewStore()
	store.Fail(errors.New("not my files"))
	if _, err := broker.New(broker.Options{Profile: broker.Open, Store: store}); err == nil || !strings.Contains(err.Error(), "not my files") {
		t.Errorf("New: %v", err)
	}
}

// A long queue is read back piece by piece while the client takes it, without a lock: others are delivered
// to, and publish to the same session, meanwhile.
func TestLongQueueIsReadBack(t *testing.T) {
	store := brokertest.NewStore()
	loading, goOn := make(chan struct{}), make(chan struct{})
	var loads atomic.Int64
	store.OnLoad = func(session.Ref) {
		if loads.Add(1) == 10 {
			close(loading)
			<-goOn
		}
	}
	b := with(t, store)
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	sub.Disconnect()
	connections(t, b, 0)
	pub := b.Connect("pub")
	const total = 400
	for i := range total {
		pub.Publish("a", fmt.Sprintf("%01000d", i), 1)
	}
	sub = b.Dial()
	connected := make(chan struct{})
	go func() { // ends when the session is there
		defer close(connected)
		sub.TrySend(brokertest.ConnectPacket("sub", brokertest.Persistent))
	}()
	<-loading
	pub.Publish("a", fmt.Sprintf("%01000d", total), 1) // does not wait for the disk
	other := b.Connect("other")
	other.Subscribe("a", 0)
	pub.Publish("a", "zero", 0)
	other.Expect(brokertest.Publish("a", "zero", 0, 0))
	close(goOn)
	<-connected
	sub.Expect(&packet.Connack{SessionPresent: true})
	next := 0
	for next <= total {
		p := sub.NextPublish()
		if p.QoS == 0 {
			continue
		}
		if want := fmt.Sprintf("%01000d", next); string(p.Payload) != want || p.Dup {
			t.Fatalf("message %s DUP %v, want %s", p.Payload[990:], p.Dup, want[990:])
		}
		next++
		sub.Send(brokertest.Puback(p.ID))
	}
	sub.Sync()
	if n := loads.Load(); n < total/2 {
		t.Errorf("only %d messages were read back", n)
	}
	if s := b.Stats(); s.QueuedMessages != 0 || s.Dropped["unreadable"] != 0 {
		t.Errorf("stats %+v", s)
	}
}

// Messages that the store has lost are left out and told; the queue goes on behind them.
func TestUnreadableMessages(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	b.Connect("pub").Publish("a", "in flight", 1)
	sub.Expect(brokertest.Publish("a", "in flight", 1, 1))
	sub.Close()
	connections(t, b, 1)
	pub := b.Connect("pub")
	for i := range 5 {
		pub.Publish("a", fmt.Sprint(i), 1)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.Reopen()
	lost := store.Lose()
	b = with(t, store)
	pub = b.Connect("pub")
	pub.Publish("a", "after", 1)
	sub = b.Dial()
	sub.Connect("sub", brokertest.Persistent)
	sub.Expect(brokertest.Publish("a", "after", 1, 2))
	sub.Send(brokertest.Puback(2))
	sub.Sync()
	if s := b.Stats(); s.Dropped["unreadable"] != uint64(lost) || lost != 6 || s.Dropped["expired"] != 0 || s.QueuedMessages != 0 {
		t.Errorf("lost %d, stats %+v", lost, s)
	}
	e := b.Events.WaitFor(t, broker.MessagesDropped, "sub")
	if e.Reason != broker.DropUnreadable {
		t.Errorf("event %+v", e)
	}
	if state, _ := store.State("sub"); len(state.Queue) != 0 {
		t.Errorf("the store has %+v", state.Queue)
	}
}

// One message for many sessions is stored once.
func TestOneMessageForManySessions(t *testing.T) {
	b := open(t)
	for i := range 20 {
		c := b.Connect(fmt.Sprint("sub", i), brokertest.Persistent)
		c.Subscribe("a", 1)
		c.Disconnect()
	}
	connections(t, b, 0)
	b.Connect("pub").Publish("a", strings.Repeat("x", 1000), 1)
	s := b.Stats()
	if s.Store.Messages != 1 || s.Store.Queued != 20 || s.Store.Bytes > 1100 || s.QueuedMessages != 20 {
		t.Errorf("stats %+v", s)
	}
	var keys []string
	b.Clients(func(i broker.ClientInfo) bool {
		if i.QueuedCount == 1 {
			keys = append(keys, i.Key)
		}
		return true
	})
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 20 {
		t.Errorf("it waits for %q", keys)
	}
}
