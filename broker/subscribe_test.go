package broker_test

import (
	"fmt"
	"strings"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// MQTT-3.8.4-1 MQTT-3.8.4-2 MQTT-3.8.4-4 MQTT-3.8.4-5 MQTT-3.9.3-1 MQTT-3.9.3-2 MQTT-2.3.1-7: one SUBACK with
// the identifier of the SUBSCRIBE and a code for each filter, in their order.
func TestSubackCodes(t *testing.T) {
	b := platform(t)
	c := b.Connect("c")
	p := &packet.Subscribe{ID: 0xfffe}
	for _, f := range []struct {
		filter string
		qos    byte
	}{
		{"a", 1}, {"b", 0}, {"c", 2}, {strings.Repeat("x", 129), 1}, {"1/2/3/4/5/6/7/8", 0}, {"1/2/3/4/5/6/7/8/9", 0},
		{strings.Repeat("y", 128), 0}, {"a", 0}, {"ninth", 1}, {"tenth", 0},
	} {
		p.Add([]byte(f.filter), f.qos)
	}
	c.Send(p)
	c.Expect(suback(0xfffe, 1, 0, 1, 0x80, 0, 0x80, 0, 0, 0x80, 0x80))
	if i, _ := b.Client("c"); i.Subscriptions != 5 {
		t.Errorf("client %+v", i)
	}
	refused := b.Events.Of(broker.SubscribeRefused)
	want := []struct {
		rule         string
		limit, value int64
	}{{"IOT-TOPIC-LENGTH", 128, 129}, {"IOT-TOPIC-LEVELS", 7, 8}, {"IOT-FILTERS", 8, 9}, {"IOT-FILTERS", 8, 10}}
	if len(refused) != len(want) {
		t.Fatalf("events %+v", refused)
	}
	for i, w := range want {
		if e := refused[i]; e.Rule != w.rule || e.Limit != w.limit || e.Value != w.value || e.Count != uint64(i+1) {
			t.Errorf("event %+v, want %+v", e, w)
		}
	}
	if s := b.Stats(); s.SubscribeRefused != 4 || s.IgnoredFields != 1 {
		t.Errorf("stats %+v", s)
	}
	c.Sync()
}

// A QoS 2 subscription is granted with 1, and gets messages with 1.
func TestSubscribeQoS2(t *testing.T) {
	b := open(t)
	c := b.Connect("c")
	c.Send(brokertest.SubscribePacket(5, 2, "a"))
	c.Expect(suback(5, 1))
	b.Connect("pub").Publish("a", "x", 1)
	c.Expect(brokertest.Publish("a", "x", 1, 1))
	if e := b.Events.WaitFor(t, broker.FieldIgnored, "c"); e.Rule != "qos2" {
		t.Errorf("event %+v", e)
	}
}

// MQTT-3.8.4-3: the same filter again replaces the QoS, without an interruption and without a second
// delivery.
func TestSubscribeAgain(t *testing.T) {
	b := open(t)
	c, pub := b.Connect("c"), b.Connect("pub")
	for i, qos := range []byte{0, 1, 1, 0, 1} {
		c.Subscribe("a/+", qos)
		pub.Publish("a/b", "x", 1)
		p := c.NextPublish()
		if p.QoS != qos {
			t.Errorf("after SUBSCRIBE %d with QoS %d: delivered with %d", i, qos, p.QoS)
		}
		c.Sync()
		if s := b.Stats(); s.Subscriptions != 1 {
			t.Errorf("%d subscriptions", s.Subscriptions)
		}
	}
	// The same filter twice in one packet: the last one counts.
	twice := brokertest.SubscribePacket(77, 1, "a/+")
	twice.Add([]byte("a/+"), 0)
	c.Send(twice)
	c.Expect(suback(77, 1, 0))
	pub.Publish("a/b", "x", 1)
	c.Expect(brokertest.Publish("a/b", "x", 0, 0))
	c.Sync()
}

// MQTT-3.10.4-1 MQTT-3.10.4-2 MQTT-3.10.4-4 MQTT-3.10.4-5 MQTT-3.10.4-6 MQTT-2.3.1-7: UNSUBSCRIBE removes the
// filters that are exactly the same, and is answered in any case.
func TestUnsubscribe(t *testing.T) {
	b := open(t)
	c, pub := b.Connect("c"), b.Connect("pub")
	for _, f := range []string{"a/b", "a/+", "A/b", "a/#"} {
		c.Subscribe(f, 0)
	}
	steps := []struct {
		remove []string
		left   int64
		comes  bool
	}{
		{[]string{"a", "a/B", "a/b/", "#", "+/b", "a/+/#", "nothing"}, 4, true},
		{[]string{"a/b"}, 3, true},
		{[]string{"a/b"}, 3, true},
		{[]string{"a/+", "a/#"}, 1, false},
		{[]string{"a/+", "A/b", "a/#", "A/b"}, 0, false},
	}
	for i, s := range steps {
		p := &packet.Unsubscribe{ID: uint16(65535 - i)}
		for _, f := range s.remove {
			p.Add([]byte(f))
		}
		c.Send(p)
		c.Expect(brokertest.Unsuback(p.ID))
		if got := b.Stats().Subscriptions; got != s.left {
			t.Errorf("after %q: %d subscriptions, want %d", s.remove, got, s.left)
		}
		pub.Publish("a/b", fmt.Sprint(i), 1)
		if s.comes {
			c.Expect(brokertest.Publish("a/b", fmt.Sprint(i), 0, 0))
		}
		c.Sync()
	}
}

// MQTT-3.10.4-3: a delivery that has begun is completed after UNSUBSCRIBE, also on the next connection.
func TestUnsubscribeWithMessagesInFlight(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Window: 1})
	c, pub := b.Connect("c", brokertest.Persistent), b.Connect("pub")
	c.Subscribe("a", 1)
	pub.Publish("a", "1", 1)
	pub.Publish("a", "2", 1)
	c.Expect(brokertest.Publish("a", "1", 1, 1))
	c.Unsubscribe("a")
	pub.Publish("a", "3", 1)
	c.Close()
	eventually(t, "the client is away", func() bool { i, _ := b.Client("c"); return !i.Connected })
	c = b.Dial()
	c.Connect("c", brokertest.Persistent)
	c.Expect(brokertest.Again("a", "1", 1))
	c.Send(brokertest.Puback(1))
	c.Expect(brokertest.Publish("a", "2", 1, 2))
	c.Send(brokertest.Puback(2))
	c.Sync()
}

// The bound on a client's subscriptions: replacing is always possible.
func TestMaxSubscriptions(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: authenticate(func(r *broker.ConnectRequest) (*broker.Principal, error) {
		p := &broker.Principal{Key: r.ClientID}
		if r.ClientID == "three" {
			p.MaxSubscriptions = 3
		}
		return p, nil
	})})
	for _, client := range []struct {
		id    string
		limit int
	}{{"c", 100}, {"three", 3}} {
		c := b.Connect(client.id)
		for i := range client.limit {
			c.Subscribe(fmt.Sprint("t/", i), 1)
		}
		c.Send(brokertest.SubscribePacket(7, 1, "t/0", "one/more", "t/1"))
		c.Expect(suback(7, 1, 0x80, 1))
		e := b.Events.WaitFor(t, broker.SubscribeRefused, client.id)
		if e.Rule != "max-subscriptions" || e.Limit != int64(client.limit) || e.Value != e.Limit+1 || e.Topic != "one/more" {
			t.Errorf("event %+v", e)
		}
		c.Unsubscribe("t/1")
		c.Subscribe("one/more", 0)
	}
	if n := b.Stats().Bounds.Subscriptions; n != 100 {
		t.Errorf("bound %d", n)
	}
}

// With MQTT 3.1 a refused filter is answered with the QoS that was asked for, delivers nothing, and the log
// says so.
func TestRefusedFilterWithMQTT31(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{
		Authorizer: topics{"mine/"}, MaxSubscriptions: 2})})
	c := b.Connect("old", brokertest.MQTT31)
	long := "mine/" + strings.Repeat("x", 124)
	p := &packet.Subscribe{ID: 3, Dup: true}
	for _, f := range []struct {
		filter string
		qos    byte
	}{{"yours/a", 0}, {"yours/b", 1}, {"yours/c", 2}, {long, 0}, {long, 1}, {"mine/a", 1}, {"mine/b", 0}, {"mine/c", 0}, {"mine/ninth", 0}, {"tenth", 1}} {
		p.Add([]byte(f.filter), f.qos)
	}
	c.Send(p)
	c.Expect(suback(3, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1))
	pub := b.Connect("pub")
	for _, topic := range []string{"yours/a", "yours/b", "yours/c", "mine/c", "mine/ninth", "tenth"} {
		b.Broker.Publish(t.Context(), topic, nil, 0)
	}
	pub.Publish("mine/a", "x", 0)
	c.Expect(brokertest.Publish("mine/a", "x", 0, 0))
	c.Sync()
	if i, _ := b.Client("old"); i.Subscriptions != 2 {
		t.Errorf("client %+v", i)
	}
	if n := len(b.Log.Lines("subscribe refused", "client=old", "topic=yours/a", "rule=not-mine", "answered as granted")); n != 1 {
		t.Errorf("log:\n%s", b.Log)
	}
	// With 3.1.1 the same packet without DUP gets failure codes.
	p.Dup = false
	c = b.Connect("new")
	c.Send(p)
	c.Expect(suback(3, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0, 0x80, 0x80, 0x80))
}

// topics is an Authorizer that allows the topics and filters that begin with a prefix.
type topics []string

func (p topics) may(topic []byte) broker.Verdict {
	for _, prefix := range p {
		if strings.HasPrefix(string(topic), prefix) {
			return broker.Allowed
		}
	}
	return broker.Verdict{Rule: "not-mine"}
}

func (p topics) MayPublish(topic []byte) broker.Verdict    { return p.may(topic) }
func (p topics) MaySubscribe(filter []byte) broker.Verdict { return p.may(filter) }

// A message published behind SUBSCRIBE in one piece reaches the new subscription.
func TestSubscribeAndPublishInOnePiece(t *testing.T) {
	b := open(t)
	c := b.Connect("c")
	gone := &packet.Unsubscribe{ID: 3}
	gone.Add([]byte("a/b"))
	c.Send(brokertest.SubscribePacket(1, 0, "a/b"), brokertest.Publish("a/b", "1", 0, 0),
		brokertest.SubscribePacket(2, 1, "a/b"), brokertest.Publish("a/b", "2", 1, 9),
		gone, brokertest.Publish("a/b", "3", 0, 0))
	c.Expect(suback(1, 0), brokertest.Publish("a/b", "1", 0, 0), suback(2, 1), brokertest.Publish("a/b", "2", 1, 1),
		brokertest.Unsuback(3), brokertest.Puback(9))
	c.Sync()
}

// MQTT-3.12.4-1: each PINGREQ is answered.
func TestPing(t *testing.T) {
	b := open(t)
	c := b.Connect("c")
	for n := 1; n < 1000; n *= 3 {
		var pings, pongs []brokertest.Packet
		for range n {
			pings = append(pings, brokertest.Pingreq)
			pongs = append(pongs, brokertest.Pingresp)
		}
		c.Send(pings...)
		c.Expect(pongs...)
	}
}

// MQTT-3.8.4-3: while the same filter is subscribed to again and again, no message is lost and none comes twice.
func TestSubscribeAgainDoesNotInterrupt(t *testing.T) {
	const total = 2000
	for _, option := range []brokertest.ConnectOption{brokertest.KeepAlive(0), brokertest.Persistent} {
		b := open(t)
		c, pub := b.Connect("c", option), b.Connect("pub")
		c.Subscribe("a", 1)
		go func() { // ends when everything is published
			for i := range total {
				pub.TrySend(brokertest.Publish("a", fmt.Sprint(i), 1, uint16(i+1)))
				pub.Receive()
			}
		}()
		for next, id := 0, uint16(0); next < total; {
			id++
			c.Send(brokertest.SubscribePacket(id, 1, "a"))
			for answered := false; !answered; {
				f := c.Next()
				if f.Type() == packet.TypeSuback {
					answered = true
					continue
				}
				var p packet.Publish
				if err := p.Decode(f, nil); err != nil {
					t.Fatal(err)
				}
				if string(p.Payload) != fmt.Sprint(next) {
					t.Fatalf("message %s, want %d", p.Payload, next)
				}
				next++
				c.Send(brokertest.Puback(p.ID))
			}
		}
		c.Sync()
	}
}

// MQTT-3.8.4-3: what waits for a client keeps waiting when it subscribes to the same filter again.
func TestSubscribeAgainKeepsWhatWaits(t *testing.T) {
	for _, qos := range []byte{1, 0} {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, Window: 1})
		c, pub := b.Connect("c", brokertest.Persistent), b.Connect("pub")
		c.Subscribe("a", 1)
		for i := range 3 {
			pub.Publish("a", fmt.Sprint(i), 1)
		}
		c.Expect(brokertest.Publish("a", "0", 1, 1))
		c.Subscribe("a", qos)
		for i := range 2 {
			c.Send(brokertest.Puback(uint16(i + 1)))
			c.Expect(brokertest.Publish("a", fmt.Sprint(i+1), 1, uint16(i+2)))
		}
	}
}
