package broker_test

import (
	"fmt"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// MQTT-3.1.2-4 MQTT-3.1.2-5 MQTT-3.1.2-6 MQTT-3.1.4-3 MQTT-3.2.2-1 MQTT-3.2.2-2 MQTT-3.2.2-3 MQTT-4.1.0-1
// MQTT-4.1.0-2: which session a CONNECT finds, and what it says of it, after each sequence of clean (c) and
// kept (k) ones. With MQTT 3.1 the session is the same but CONNACK does not tell.
func TestSessionPresent(t *testing.T) {
	for _, level := range []byte{packet.Level31, packet.Level311} {
		for n := range 1 << 5 {
			b := open(t)
			kept := false // a session waits for the client
			script := ""
			for i := range 5 {
				clean := n>>i&1 == 0
				script += map[bool]string{true: "c", false: "k"}[clean]
				c := b.Dial()
				p := brokertest.ConnectPacket("client")
				p.Level, p.CleanSession = level, clean
				want := packet.Connack{SessionPresent: kept && !clean && level == packet.Level311}
				if got := c.TryConnect(p); got != want {
					t.Fatalf("level %d, %s: CONNACK %+v, want %+v", level, script, got, want)
				}
				info, _ := b.Client("client")
				if subscribed := info.Subscriptions > 0; subscribed != (kept && !clean) {
					t.Fatalf("level %d, %s: subscribed %v", level, script, subscribed)
				}
				c.Subscribe("a/b", 1)
				if i%2 == 0 {
					c.Disconnect()
				} else {
					c.Close()
				}
				kept = !clean
				eventually(t, "the connection has ended", func() bool {
					info, ok := b.Client("client")
					return ok == kept && !info.Connected
				})
				if s := b.Stats(); s.Subscriptions != map[bool]int64{true: 1}[kept] {
					t.Fatalf("level %d, %s: %d subscriptions", level, script, s.Subscriptions)
				}
			}
		}
	}
}

// MQTT-3.1.2-5 MQTT-4.5.0-1 MQTT-4.6.0-6: QoS 1 messages for a client that is away are there when it comes
// back, in order; QoS 0 messages are not.
func TestOfflineQueue(t *testing.T) {
	b := open(t)
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a/+", 1)
	sub.Disconnect()
	pub := b.Connect("pub")
	for i := range 200 {
		pub.Publish(fmt.Sprint("a/", i%3), fmt.Sprint(i), byte(i%2))
	}
	if i, _ := b.Client("sub"); i.QueuedCount != 100 || i.InFlight != 0 {
		t.Errorf("client %+v", i)
	}
	if s := b.Stats(); s.QueuedMessages != 100 || s.QueuedBytes == 0 || s.Dropped["offline"] != 100 {
		t.Errorf("stats %+v", s)
	}
	sub = b.Dial()
	if !sub.Connect("sub", brokertest.Persistent) {
		t.Fatal("no session")
	}
	for i := range 100 {
		n := 2*i + 1
		sub.Expect(brokertest.Publish(fmt.Sprint("a/", n%3), fmt.Sprint(n), 1, uint16(i+1)))
		sub.Send(brokertest.Puback(uint16(i + 1)))
	}
	sub.Sync()
	if s := b.Stats(); s.QueuedMessages != 0 || s.QueuedBytes != 0 {
		t.Errorf("stats %+v", s)
	}
	if i, _ := b.Client("sub"); i.InFlight != 0 || i.QueuedCount != 0 {
		t.Errorf("client %+v", i)
	}
}

// MQTT-2.3.1-3 MQTT-2.3.1-4 MQTT-3.3.1-1 MQTT-4.3.2-1 MQTT-4.4.0-1 MQTT-4.6.0-1: what was sent and not
// acknowledged is sent again first, in the old order, under the old identifiers, with DUP; then the rest.
func TestRedelivery(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Window: 4})
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	pub := b.Connect("pub")
	for i := range 6 {
		pub.Publish("a", fmt.Sprint(i), 1)
	}
	sub.Expect(brokertest.Publish("a", "0", 1, 1), brokertest.Publish("a", "1", 1, 2),
		brokertest.Publish("a", "2", 1, 3), brokertest.Publish("a", "3", 1, 4))
	sub.Sync() // the window is full
	sub.Send(brokertest.Puback(2))
	sub.Expect(brokertest.Publish("a", "4", 1, 5))
	sub.Close()
	for range 3 { // however often
		eventually(t, "the client is away", func() bool { i, _ := b.Client("sub"); return !i.Connected })
		sub = b.Dial()
		sub.Connect("sub", brokertest.Persistent)
		sub.Expect(brokertest.Again("a", "0", 1), brokertest.Again("a", "2", 3), brokertest.Again("a", "3", 4), brokertest.Again("a", "4", 5))
		sub.Sync()
		sub.Close()
	}
	eventually(t, "the client is away", func() bool { i, _ := b.Client("sub"); return !i.Connected })
	pub.Publish("a", "6", 1)
	sub = b.Dial()
	sub.Connect("sub", brokertest.Persistent)
	sub.Expect(brokertest.Again("a", "0", 1), brokertest.Again("a", "2", 3), brokertest.Again("a", "3", 4), brokertest.Again("a", "4", 5))
	sub.Send(brokertest.Puback(1), brokertest.Puback(3), brokertest.Puback(4), brokertest.Puback(5))
	sub.Expect(brokertest.Publish("a", "5", 1, 6), brokertest.Publish("a", "6", 1, 7))
	sub.Send(brokertest.Puback(6), brokertest.Puback(7))
	sub.Sync()
	if s := b.Stats(); s.Redelivered != 16 {
		t.Errorf("%d redelivered", s.Redelivered)
	}
}

// Nothing is sent again on the same connection, however long the acknowledgement takes.
func TestNoRedeliveryOnTheSameConnection(t *testing.T) {
	b := open(t)
	sub := b.Connect("sub", brokertest.Persistent, brokertest.KeepAlive(0))
	sub.Subscribe("a", 1)
	b.Connect("pub").Publish("a", "x", 1)
	sub.Expect(brokertest.Publish("a", "x", 1, 1))
	b.Clock.Advance(time.Hour)
	sub.Sync()
	if i, _ := b.Client("sub"); i.InFlight != 1 {
		t.Errorf("client %+v", i)
	}
}

// MQTT-3.1.2-6: the messages of a clean session end with it.
func TestCleanSessionForgetsMessages(t *testing.T) {
	b := open(t)
	pub := b.Connect("pub")
	sub := b.Connect("sub")
	sub.Subscribe("a", 1)
	pub.Publish("a", "lost", 1)
	sub.Expect(brokertest.Publish("a", "lost", 1, 1))
	sub.Close()
	eventually(t, "the session has ended", func() bool { return b.Stats().Sessions == 1 })
	pub.Publish("a", "unheard", 1)
	sub = b.Connect("sub")
	sub.Sync()
	sub.Subscribe("a", 1)
	pub.Publish("a", "heard", 1)
	sub.Expect(brokertest.Publish("a", "heard", 1, 1))
}

// A session without a connection ends after SessionExpiry, not before, and a connection starts the time
// again.
func TestSessionExpiry(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, SessionExpiry: time.Hour})
	c := b.Connect("c", brokertest.Persistent, brokertest.KeepAlive(0))
	c.Subscribe("a", 1)
	b.Clock.Advance(10 * time.Hour) // connected: no expiry
	c.Sync()
	c.Disconnect()
	away := func() bool { i, _ := b.Client("c"); return !i.Connected }
	eventually(t, "the client is away", away)
	b.Clock.Advance(time.Hour - 1)
	c = b.Dial()
	if !c.Connect("c", brokertest.Persistent, brokertest.KeepAlive(0)) {
		t.Fatal("the session ended too early")
	}
	c.Disconnect()
	eventually(t, "the client is away", away)
	b.Connect("pub", brokertest.KeepAlive(0)).Publish("a", "waits", 1)
	b.Clock.Advance(time.Hour - 1)
	if _, ok := b.Client("c"); !ok {
		t.Fatal("the session ended a nanosecond early")
	}
	b.Clock.Advance(1)
	if _, ok := b.Client("c"); ok {
		t.Fatal("the session outlived its time")
	}
	e := b.Events.WaitFor(t, broker.SessionDiscarded, "c")
	if e.Rule != "session-expiry" || e.Limit != 3600 {
		t.Errorf("event %+v", e)
	}
	if s := b.Stats(); s.Subscriptions != 0 || s.QueuedMessages != 0 || s.QueuedBytes != 0 || s.Sessions != 1 || s.Deadlines != 0 {
		t.Errorf("stats %+v", s)
	}
	c = b.Dial()
	if c.Connect("c", brokertest.Persistent) {
		t.Error("the session is still there")
	}
}

func TestSessionExpiryUnlimited(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, SessionExpiry: broker.Unlimited})
	b.Connect("c", brokertest.Persistent).Disconnect()
	eventually(t, "the client is away", func() bool { i, _ := b.Client("c"); return !i.Connected })
	b.Clock.Advance(100 * 365 * 24 * time.Hour)
	if !b.Dial().Connect("c", brokertest.Persistent) {
		t.Error("the session has ended")
	}
}

// A message that has waited for MessageExpiry is not delivered any more.
func TestMessageExpiry(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MessageExpiry: time.Minute})
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	sub.Disconnect()
	pub := b.Connect("pub", brokertest.KeepAlive(0))
	for i := range 3 {
		pub.Publish("a", fmt.Sprint(i), 1)
		b.Clock.Advance(30 * time.Second)
	}
	sub = b.Dial()
	sub.Connect("sub", brokertest.Persistent)
	sub.Expect(brokertest.Publish("a", "2", 1, 1))
	sub.Sync()
	if s := b.Stats(); s.Dropped["expired"] != 2 || s.QueuedMessages != 0 {
		t.Errorf("stats %+v", s)
	}
	e := b.Events.WaitFor(t, broker.MessagesDropped, "sub")
	if e.Reason != broker.DropExpired || e.Value != 2 || e.Limit != 60 {
		t.Errorf("event %+v", e)
	}
}

// What was in flight when a connection ended does not hold up the next one: its window is its own.
func TestWindowAfterReconnect(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Window: 2})
	pub := b.Connect("pub")
	b.Connect("sub", brokertest.Persistent).Subscribe("a", 1)
	for i := range 30 {
		pub.Publish("a", fmt.Sprint(i), 1)
	}
	got := 0
	for round := 0; got < 30; round++ {
		sub := b.Dial()
		sub.Connect("sub", brokertest.Persistent)
		for _, p := range sub.Drain() {
			if string(p.Payload) == fmt.Sprint(got) {
				got++
			}
			sub.Send(brokertest.Puback(p.ID))
		}
		sub.Drain()
		sub.Close()
		if round > 60 {
			t.Fatalf("stuck after %d messages", got)
		}
	}
}

// MQTT-4.1.0-2: a session that has waited for its client and was resumed does not expire under the connection.
func TestResumedSessionLastsAsLongAsItsConnection(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, SessionExpiry: time.Hour})
	c := b.Connect("c", brokertest.Persistent)
	c.Subscribe("a", 1)
	c.Disconnect()
	connections(t, b, 0)
	b.Clock.Advance(30 * time.Minute)
	c = b.Dial()
	c.Connect("c", brokertest.Persistent, brokertest.KeepAlive(0))
	b.Clock.Advance(10 * time.Hour)
	b.Publish(t.Context(), "a", []byte("x"), 1)
	c.Expect(brokertest.Publish("a", "x", 1, 1))
	if e := b.Events.Of(broker.SessionDiscarded); len(e) != 0 {
		t.Errorf("events %+v", e)
	}
}
