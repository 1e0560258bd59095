package broker_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
)

func TestClientInfo(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Window: 2})
	connected := time.UnixMilli(b.Clock.Now().UnixMilli())
	c := b.Connect("c", brokertest.Persistent, brokertest.MQTT31, brokertest.KeepAlive(90))
	b.Clock.Advance(30 * time.Second) // a later packet is not a later connection
	c.Subscribe("a", 1)
	c.Subscribe("b", 0)
	pub := b.Connect("pub")
	for range 5 {
		pub.Publish("a", "x", 1)
	}
	b.Clock.Advance(7 * time.Second)
	want := broker.ClientInfo{Key: "c", ClientID: "c", Addr: "pipe", Connected: true, Persistent: true, Level: 3,
		ConnectedAt: connected, LastPacket: 7 * time.Second, KeepAlive: 90 * time.Second, Subscriptions: 2, QueuedCount: 3, QueuedBytes: 3 * 8, InFlight: 2}
	if got, ok := b.Client("c"); !ok || got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	c.Close()
	connections(t, b, 1)
	want = broker.ClientInfo{Key: "c", Persistent: true, Subscriptions: 2, QueuedCount: 3, QueuedBytes: 3 * 8, InFlight: 2}
	if got, ok := b.Client("c"); !ok || got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	again := b.Clock.Now()
	c = b.Dial()
	if !c.Connect("c", brokertest.Persistent) {
		t.Error("the session is gone")
	}
	if got, _ := b.Client("c"); !got.ConnectedAt.Equal(again) {
		t.Errorf("connected again at %v, want %v", got.ConnectedAt, again)
	}
	if _, ok := b.Client("nobody"); ok {
		t.Error("nobody is known")
	}
	var keys []string
	b.Clients(func(i broker.ClientInfo) bool { keys = append(keys, i.Key); return true })
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"c", "pub"}) {
		t.Errorf("clients %q", keys)
	}
	n := 0
	b.Clients(func(broker.ClientInfo) bool { n++; return false })
	if n != 1 {
		t.Errorf("Clients went on after false: %d", n)
	}
}

// Disconnect ends the connection and keeps the session; Discard ends both.
func TestDisconnectAndDiscard(t *testing.T) {
	b := open(t)
	for _, persistent := range []bool{false, true} {
		var options []brokertest.ConnectOption
		if persistent {
			options = append(options, brokertest.Persistent)
		}
		c := b.Connect("c", options...)
		c.Subscribe("a", 1)
		if !b.Broker.Disconnect("c", "the device was disabled") {
			t.Error("Disconnect: false")
		}
		c.ExpectClosed()
		connections(t, b, 0)
		if b.Broker.Disconnect("c", "again") {
			t.Error("Disconnect of a client that is away: true")
		}
		if _, ok := b.Client("c"); ok != persistent {
			t.Errorf("the session is there: %v", ok)
		}
		if got := b.Discard("c", "the device was deleted"); got != persistent {
			t.Errorf("Discard: %v", got)
		}
		c = b.Dial()
		if c.Connect("c", options...) {
			t.Error("the session survived")
		}
		c.Subscribe("a", 1)
		if !b.Discard("c", "the device was deleted") {
			t.Error("Discard of a connected client: false")
		}
		c.ExpectClosed()
		connections(t, b, 0)
		if s := b.Stats(); s.Sessions != 0 || s.Subscriptions != 0 || s.Clients != 0 || s.Deadlines != 0 {
			t.Errorf("stats %+v", s)
		}
	}
	if b.Discard("nobody", "") || b.Broker.Disconnect("nobody", "") {
		t.Error("nobody was disconnected")
	}
	kicked := b.Events.Of(broker.Disconnected)
	if len(kicked) != 4 || kicked[0].Reason != broker.Kicked || kicked[0].Detail != "the device was disabled" {
		t.Errorf("events %+v", kicked)
	}
	if got := b.Events.Of(broker.SessionDiscarded); len(got) != 2 || got[0].Rule != "discarded" || got[0].Detail != "the device was deleted" {
		t.Errorf("events %+v", got)
	}
}

// switchable is an Authorizer whose mind can be changed.
type switchable struct{ no atomic.Bool }

func (s *switchable) MayPublish([]byte) broker.Verdict {
	return broker.Verdict{OK: !s.no.Load(), Rule: "no"}
}
func (s *switchable) MaySubscribe(f []byte) broker.Verdict {
	return broker.Verdict{OK: !s.no.Load() || string(f) == "always", Rule: "no"}
}

// Permissions that have changed hold at once: for publishing by themselves, for subscriptions after
// Reauthorize.
func TestReauthorize(t *testing.T) {
	auth := new(switchable)
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Authorizer: auth})})
	c := b.Connect("c", brokertest.Persistent)
	for _, f := range []string{"a", "b/#", "always"} {
		c.Subscribe(f, 1)
	}
	if n := b.Reauthorize("c"); n != 0 {
		t.Errorf("%d subscriptions were removed for nothing", n)
	}
	c.Send(brokertest.Publish("a", "x", 1, 1))
	c.Expect(brokertest.Publish("a", "x", 1, 1), brokertest.Puback(1))
	auth.no.Store(true)
	c.Publish("a", "forbidden", 1)
	if n := b.Reauthorize("c"); n != 2 {
		t.Errorf("%d subscriptions were removed, want 2", n)
	}
	for _, topic := range []string{"a", "b/c", "always"} {
		b.Broker.Publish(t.Context(), topic, []byte("y"), 1)
	}
	c.Expect(brokertest.Publish("always", "y", 1, 2))
	c.Sync()
	if s := b.Stats(); s.Subscriptions != 1 {
		t.Errorf("%d subscriptions", s.Subscriptions)
	}
	if n := b.Reauthorize("nobody"); n != 0 {
		t.Errorf("%d subscriptions of nobody were removed", n)
	}
}

// What was allowed when a session began may not be allowed any more when it is resumed.
func TestResumedSubscriptionsAreAskedAgain(t *testing.T) {
	auth := new(switchable)
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Authorizer: auth})})
	c := b.Connect("c", brokertest.Persistent)
	c.Subscribe("a", 1)
	c.Subscribe("always", 1)
	c.Disconnect()
	auth.no.Store(true)
	c = b.Connect("c", brokertest.Persistent)
	b.Broker.Publish(t.Context(), "a", []byte("y"), 1)
	b.Broker.Publish(t.Context(), "always", []byte("y"), 1)
	c.Expect(brokertest.Publish("always", "y", 1, 1))
	c.Sync()
}

// A gateway's subscriptions for its sub-devices are made and removed on its behalf.
func TestAddAndRemoveSubscription(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	c := b.Connect("gw", brokertest.Persistent)
	if !b.AddSubscription("gw", "sub/1/#", 1) || !b.AddSubscription("gw", "sub/2/#", 1) || !b.RemoveSubscription("gw", "sub/2/#") {
		t.Error("the session was not found")
	}
	if b.AddSubscription("gw", "a/#/b", 1) || b.AddSubscription("gw", "", 1) || b.AddSubscription("gw", "a", 2) {
		t.Error("a subscription that no client could have is made")
	}
	if b.AddSubscription("nobody", "a", 1) || b.RemoveSubscription("nobody", "a") {
		t.Error("nobody has a session")
	}
	b.Publish(t.Context(), "sub/1/x", []byte("1"), 1)
	b.Publish(t.Context(), "sub/2/x", []byte("2"), 1)
	c.Expect(brokertest.Publish("sub/1/x", "1", 1, 1))
	c.Sync()
	if state, _ := store.State("gw"); len(state.Subscriptions) != 1 {
		t.Errorf("the store has %v", state.Subscriptions)
	}
	c.Unsubscribe("sub/1/#")
	if s := b.Stats(); s.Subscriptions != 0 {
		t.Errorf("%d subscriptions", s.Subscriptions)
	}
}
