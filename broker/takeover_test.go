package broker_test

import (
	"fmt"
	"sync"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// MQTT-3.1.4-2: a second connection of a client ends the first. MQTT-3.1.2-4 MQTT-3.1.2-6: which session it
// gets depends on itself alone, in every order of clean and kept.
func TestTakeover(t *testing.T) {
	for _, cleans := range [][2]bool{{true, true}, {true, false}, {false, true}, {false, false}} {
		t.Run(fmt.Sprint(cleans), func(t *testing.T) {
			b := open(t)
			option := func(clean bool) brokertest.ConnectOption {
				return func(p *packet.Connect) { p.CleanSession = clean }
			}
			pub := b.Connect("pub")
			first := b.Connect("c", option(cleans[0]))
			first.Subscribe("a", 1)
			pub.Publish("a", "1", 1)
			first.Expect(brokertest.Publish("a", "1", 1, 1))
			second := b.Dial()
			present := second.Connect("c", option(cleans[1]))
			first.ExpectClosed()
			resumed := !cleans[0] && !cleans[1]
			if present != resumed {
				t.Errorf("session present: %v", present)
			}
			if resumed {
				second.Expect(brokertest.Again("a", "1", 1))
			}
			pub.Publish("a", "2", 1)
			if resumed {
				second.Expect(brokertest.Publish("a", "2", 1, 2))
			}
			second.Sync()
			e := b.Events.WaitFor(t, broker.Disconnected, "c")
			if e.Reason != broker.TakenOver || e.Connection != 2 || e.Detail == "" {
				t.Errorf("event %+v", e)
			}
			discarded := b.Events.Of(broker.SessionDiscarded)
			if want := !cleans[0] && cleans[1]; (len(discarded) == 1) != want {
				t.Errorf("session discarded: %+v", discarded)
			}
			second.Disconnect()
			eventually(t, "the client has left", func() bool { i, _ := b.Client("c"); return !i.Connected })
			if _, kept := b.Client("c"); kept == cleans[1] {
				t.Errorf("the session is kept: %v", kept)
			}
			if s := b.Stats(); s.Ended["taken-over"] != 1 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// The events of a takeover come in the order of what happened: the old connection has ended before the new
// one is there.
func TestTakeoverEvents(t *testing.T) {
	b := open(t)
	for range 50 {
		b.Connect("c").Sync()
	}
	open, last := false, uint64(0)
	for _, e := range b.Events.All() {
		switch e.Kind {
		case broker.Connected:
			if open || e.Connection <= last {
				t.Fatalf("connection %d began before %d had ended", e.Connection, last)
			}
			open, last = true, e.Connection
		case broker.Disconnected:
			if !open || e.Connection != last {
				t.Fatalf("connection %d ended, but it is not the one that began last (%d)", e.Connection, last)
			}
			open = false
		}
	}
}

// Messages that arrive while a session goes from connection to connection are neither lost nor delivered
// twice without DUP, and stay in order.
func TestTakeoverWhileMessagesArrive(t *testing.T) {
	const total = 3000
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Window: 20})
	sub := b.Dial()
	sub.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	pub := b.Connect("pub")
	published := make(chan struct{})
	go func() { // ends when everything is published
		defer close(published)
		for i := range total {
			pub.Publish("a", fmt.Sprint(i), 1)
		}
	}()
	next := 0
	seen := map[string]bool{}
	inFlight := map[uint16]string{}
	for round := 0; next < total; round++ {
		// A few messages on this connection, then the next one takes over.
		for n := 0; n < 40 && next < total; n++ {
			p := sub.NextPublish()
			payload := string(p.Payload)
			switch {
			case p.Dup && !seen[payload]:
				// It was sent on a connection that was cut before it could be read.
			case p.Dup && inFlight[p.ID] != "" && inFlight[p.ID] != payload:
				t.Fatalf("message %s comes again under identifier %d, which was that of %s", payload, p.ID, inFlight[p.ID])
			case !p.Dup && seen[payload]:
				t.Fatalf("message %s came twice without DUP", payload)
			}
			if !seen[payload] {
				if payload != fmt.Sprint(next) {
					t.Fatalf("message %s, want %d", payload, next)
				}
				seen[payload] = true
				next++
			}
			inFlight[p.ID] = payload
			if n%3 != 0 {
				if sub.TrySend(brokertest.Puback(p.ID)) == nil {
					delete(inFlight, p.ID)
				}
			}
		}
		if next < total {
			again := b.Dial()
			if !again.Connect("sub", brokertest.Persistent) {
				t.Fatal("the session is gone")
			}
			sub.Close()
			sub = again
		}
	}
	<-published
	if s := b.Stats(); s.Ended["taken-over"] == 0 || s.Redelivered == 0 {
		t.Errorf("this test did not test what it says: %+v", s)
	}
}

// Many connections of one client at once: in the end one is left, and the session is in order.
func TestTakeoverStorm(t *testing.T) {
	b := open(t)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 40 {
				nc, err := b.Broker.Dial()
				if err != nil {
					t.Error(err)
					return
				}
				c := brokertest.NewClient(t, nc)
				p := brokertest.ConnectPacket("one")
				p.CleanSession = (worker+i)%3 == 0
				c.TrySend(p)
				if i%2 == 0 {
					c.Receive() // a CONNACK, or the end
				}
				if i%5 == 0 {
					c.Close()
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "all but one have gone", func() bool { return b.Stats().Connections <= 1 })
	last := b.Dial()
	last.Connect("one", brokertest.Persistent)
	last.Subscribe("a", 1)
	last.Send(brokertest.Publish("a", "x", 1, 9))
	eventually(t, "one connection is left", func() bool { s := b.Stats(); return s.Connections == 1 && s.Connected == 1 && s.Sessions == 1 })
	last.Expect(brokertest.Publish("a", "x", 1, 1), brokertest.Puback(9))
	last.Sync()
}

// What the old connection had received is routed before anything of the new one.
func TestTakeoverKeepsThePublishersOrder(t *testing.T) {
	b := open(t)
	sub := b.Connect("sub")
	sub.Subscribe("a", 0)
	old := b.Connect("pub")
	want := 0
	for range 30 {
		for range 5 {
			old.Send(brokertest.Publish("a", fmt.Sprint(want), 0, 0))
			want++
		}
		old = b.Connect("pub")
	}
	for i := range want {
		sub.Expect(brokertest.Publish("a", fmt.Sprint(i), 0, 0))
	}
}
