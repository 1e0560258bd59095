package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// A subscriber that does not read loses QoS 0 messages, which is counted, and nobody else is held up.
func TestSlowConsumerQoS0(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, OutboundBytes: 10_000})
	slow, quick, pub := b.Connect("slow"), b.Connect("quick"), b.Connect("pub")
	slow.Subscribe("a", 0)
	quick.Subscribe("a", 0)
	const total, size = 500, 200
	for i := range total {
		payload := fmt.Sprintf("%0*d", size, i)
		pub.Publish("a", payload, 0)
		quick.Expect(brokertest.Publish("a", payload, 0, 0))
	}
	s := b.Stats()
	dropped := s.Dropped["outbound-full"]
	if dropped == 0 || s.OutboundBytes == 0 || s.OutboundBytes > 10_000+2*size {
		t.Errorf("%d dropped, %d bytes wait", dropped, s.OutboundBytes)
	}
	if s.Bounds.OutboundBytes != 10_000 {
		t.Errorf("bounds %+v", s.Bounds)
	}
	got := slow.Drain()
	if uint64(len(got)) != total-dropped {
		t.Errorf("%d arrived and %d were dropped of %d", len(got), dropped, total)
	}
	for i, p := range got {
		if want := fmt.Sprintf("%0*d", size, i); string(p.Payload) != want {
			t.Fatalf("message %d is %s", i, p.Payload)
		}
	}
	eventually(t, "nothing waits", func() bool { return b.Stats().OutboundBytes == 0 })
	pub.Publish("a", "again", 0)
	slow.Expect(brokertest.Publish("a", "again", 0, 0))
}

// A subscriber that does not read gets its QoS 1 messages later: they wait in its session, all of them, in
// order.
func TestSlowConsumerQoS1(t *testing.T) {
	for _, option := range []brokertest.ConnectOption{brokertest.Persistent, brokertest.MQTT31} {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, OutboundBytes: 5000, Window: 10_000})
		slow, pub := b.Connect("slow", option), b.Connect("pub")
		slow.Subscribe("a", 1)
		const total, size = 300, 200
		for i := range total {
			pub.Publish("a", fmt.Sprintf("%0*d", size, i), 1)
		}
		s := b.Stats()
		if s.QueuedMessages < total/2 || s.OutboundBytes > 5000+size+10 {
			t.Errorf("%d wait in the session, %d bytes for the socket", s.QueuedMessages, s.OutboundBytes)
		}
		for i := range total {
			slow.Expect(brokertest.Publish("a", fmt.Sprintf("%0*d", size, i), 1, uint16(i+1)))
		}
		slow.Sync()
		if s := b.Stats(); s.QueuedMessages != 0 || s.Dropped["queue-full"] != 0 {
			t.Errorf("stats %+v", s)
		}
		for i := range total {
			slow.Send(brokertest.Puback(uint16(i + 1)))
		}
		slow.Sync()
		if i, _ := b.Client("slow"); i.InFlight != 0 {
			t.Errorf("client %+v", i)
		}
	}
}

// What is dropped when a session's queue is full, and how it is told.
func TestQueueBounds(t *testing.T) {
	cases := []struct {
		name   string
		opts   broker.Options
		want   []int
		reason broker.Reason
		rule   string
		limit  int64
	}{
		{"oldest by number", broker.Options{QueueMessages: 4}, []int{6, 7, 8, 9}, broker.DropQueueFull, "queue-messages", 4},
		{"newest by number", broker.Options{QueueMessages: 4, DropNewest: true}, []int{0, 1, 2, 3}, broker.DropQueueFull, "queue-messages", 4},
		{"oldest by bytes", broker.Options{QueueBytes: 3 * 8}, []int{7, 8, 9}, broker.DropQueueFull, "queue-bytes", 24},
		{"newest by bytes", broker.Options{QueueBytes: 3*8 + 7, DropNewest: true}, []int{0, 1, 2}, broker.DropQueueFull, "queue-bytes", 31},
		{"all sessions by number", broker.Options{QueueTotalMessages: 3}, []int{0, 1, 2}, broker.DropQueueBudget, "queue-total-messages", 3},
		{"all sessions by bytes", broker.Options{QueueTotalBytes: 2*8 + 1}, []int{0, 1}, broker.DropQueueBudget, "queue-total-bytes", 17},
		{"unlimited", broker.Options{QueueMessages: -1, QueueBytes: -1, QueueTotalBytes: -1, QueueTotalMessages: -1}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0, "", 0},
	}
	for _, q := range cases {
		t.Run(q.name, func(t *testing.T) {
			q.opts.Profile = broker.Open
			b := brokertest.Start(t, q.opts)
			sub := b.Connect("sub", brokertest.Persistent)
			sub.Subscribe("a", 1)
			sub.Disconnect()
			pub := b.Connect("pub")
			for i := range 10 {
				pub.Publish("a", fmt.Sprint(i), 1)
			}
			dropped := uint64(10 - len(q.want))
			s := b.Stats()
			if s.QueuedMessages != int64(len(q.want)) || s.QueuedBytes != int64(8*len(q.want)) {
				t.Errorf("%d messages of %d bytes are queued", s.QueuedMessages, s.QueuedBytes)
			}
			if s.Store.Queued != len(q.want) || s.Store.Messages != len(q.want) {
				t.Errorf("the store has %+v", s.Store)
			}
			if dropped > 0 {
				if s.Dropped[q.reason.String()] != dropped {
					t.Errorf("dropped %v", s.Dropped)
				}
				var last broker.Event
				for _, e := range b.Events.Of(broker.MessagesDropped) {
					if e.Client != "sub" || e.Reason != q.reason || e.Rule != q.rule || e.Limit != q.limit || e.Value <= last.Value {
						t.Errorf("event %+v", e)
					}
					last = e
				}
				if last.Value == 0 || last.Value > int64(dropped) {
					t.Errorf("the last event is %+v", last)
				}
			}
			sub = b.Dial()
			sub.Connect("sub", brokertest.Persistent)
			for i, n := range q.want {
				sub.Expect(brokertest.Publish("a", fmt.Sprint(n), 1, uint16(i+1)))
			}
			sub.Sync()
			if s := b.Stats(); s.QueuedMessages != 0 || s.QueuedBytes != 0 {
				t.Errorf("%d messages of %d bytes are queued", s.QueuedMessages, s.QueuedBytes)
			}
		})
	}
}

// The bound on what waits for all sockets together: who has something waiting already must wait in the
// session, who has nothing still gets its messages, one after the other.
func TestOutboundTotalBytes(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, OutboundBytes: 4000, OutboundTotalBytes: 6000})
	pub := b.Connect("pub")
	var slow []*brokertest.Client
	for i := range 4 {
		c := b.Connect(fmt.Sprint("slow", i))
		c.Subscribe("a", 1)
		slow = append(slow, c)
	}
	quick := b.Connect("quick")
	quick.Subscribe("b", 1)
	payload := strings.Repeat("x", 500)
	for range 50 {
		pub.Publish("a", payload, 1)
	}
	if s := b.Stats(); s.OutboundBytes > 6000+4*512 || s.OutboundBytes < 6000-512 || s.QueuedMessages < 150 || s.Bounds.OutboundTotalBytes != 6000 {
		t.Errorf("%d bytes wait for sockets, %d messages in sessions", s.OutboundBytes, s.QueuedMessages)
	}
	for i := range 50 {
		pub.Publish("b", fmt.Sprint(i), 1)
	}
	for i := range 50 {
		quick.Expect(brokertest.Publish("b", fmt.Sprint(i), 1, uint16(i+1)))
	}
	quick.Sync()
	for _, c := range slow {
		for i := range 50 {
			c.Expect(brokertest.Publish("a", payload, 1, uint16(i+1)))
		}
		c.Sync()
	}
	eventually(t, "nothing waits", func() bool { return b.Stats().OutboundBytes == 0 })
}

// A client that takes nothing for WriteStall is cut off, and only that one. Time is that of the bubble: a
// socket's deadlines are the system's.
func TestWriteStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, WriteStall: 30 * time.Second, Clock: broker.SystemClock})
		stalled := b.Connect("stalled", brokertest.Persistent, brokertest.KeepAlive(0))
		pub := b.Connect("pub", brokertest.KeepAlive(0))
		stalled.Subscribe("a", 1)
		start := time.Now()
		payload := strings.Repeat("x", 60_000)
		pub.Publish("a", payload, 1)
		if d := time.Since(start); d != 0 {
			t.Errorf("the publisher was held up for %v", d)
		}
		time.Sleep(30*time.Second - 1)
		synctest.Wait()
		if i, _ := b.Client("stalled"); !i.Connected {
			t.Error("the client was cut off too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if i, _ := b.Client("stalled"); i.Connected {
			t.Errorf("the stalled client is still connected after %v", time.Since(start))
		}
		e := b.Events.WaitFor(t, broker.Disconnected, "stalled")
		if e.Reason != broker.SlowConsumer || e.Limit != 30_000 {
			t.Errorf("event %+v", e)
		}
		pub.Publish("a", "later", 0)
		// Its message was in flight and is not lost.
		again := b.Dial()
		again.Connect("stalled", brokertest.Persistent)
		again.Expect(brokertest.Again("a", payload, 1))
	})
}

// A publisher that does not read its acknowledgements is not read from any more: what it costs is bounded.
// When it reads again it goes on.
func TestPublisherThatDoesNotRead(t *testing.T) {
	const most = 2000
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, OutboundBytes: most})
	pub := b.Connect("pub")
	sent := make(chan int)
	const total = 60_000
	go func() { // ends when everything is sent
		for i := range total {
			if pub.TrySend(brokertest.Publish("a", "", 1, uint16(i%65535)+1)) != nil {
				break
			}
		}
		close(sent)
	}()
	eventually(t, "the publisher is not read from any more", func() bool { return b.Stats().OutboundBytes >= most })
	// What one read can hold more is answered, too.
	if n := b.Stats().OutboundBytes; n > most+64<<10 {
		t.Errorf("%d bytes of answers wait", n)
	}
	for i := range total {
		var ack packet.Ack
		if err := ack.Decode(pub.Next(), nil); err != nil || ack.ID != uint16(i%65535)+1 {
			t.Fatalf("PUBACK %d, want %d (%v)", ack.ID, uint16(i%65535)+1, err)
		}
	}
	<-sent
	pub.Sync()
}

// A client that answers nothing else but takes its messages is not slow.
func TestFullWindowIsNotSlow(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Window: 3, QueueMessages: 5})
	sub, pub := b.Connect("sub"), b.Connect("pub")
	sub.Subscribe("a", 1)
	for i := range 20 {
		pub.Publish("a", fmt.Sprint(i), 1)
	}
	for i := range 3 {
		sub.Expect(brokertest.Publish("a", fmt.Sprint(i), 1, uint16(i+1)))
	}
	sub.Sync()
	for i := range 3 {
		sub.Send(brokertest.Puback(uint16(i + 1)))
	}
	for i := range 3 {
		sub.Expect(brokertest.Publish("a", fmt.Sprint(15+i), 1, uint16(i+4)))
	}
	sub.Sync()
	if s := b.Stats(); s.Dropped["queue-full"] != 12 {
		t.Errorf("dropped %v", s.Dropped)
	}
}
