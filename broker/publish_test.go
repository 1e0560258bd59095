package broker_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// MQTT-3.8.4-6 MQTT-4.3.1-1 MQTT-4.3.2-1: the QoS of what is delivered, for every QoS of publisher and
// subscription, by both policies.
func TestDeliveredQoS(t *testing.T) {
	cases := []struct {
		name string
		opts broker.Options
		want [2][2]byte // by publisher's QoS, by subscription's
	}{
		{"open profile", broker.Options{Profile: broker.Open}, [2][2]byte{{0, 0}, {0, 1}}},
		{"platform profile", broker.Options{}, [2][2]byte{{0, 0}, {1, 1}}},
		{"open, publisher's", broker.Options{Profile: broker.Open, DeliveredQoS: broker.PublishersQoS}, [2][2]byte{{0, 0}, {1, 1}}},
		{"platform, lower", broker.Options{DeliveredQoS: broker.LowerQoS}, [2][2]byte{{0, 0}, {0, 1}}},
	}
	for _, q := range cases {
		t.Run(q.name, func(t *testing.T) {
			q.opts.Authenticator = believe(nil)
			b := brokertest.Start(t, q.opts)
			pub := b.Connect("pub")
			for sub := range byte(2) {
				for _, option := range []brokertest.ConnectOption{brokertest.MQTT31, brokertest.Persistent} {
					c := b.Connect("sub", option)
					c.Subscribe("a/b", sub)
					id := uint16(0)
					for published := range byte(2) {
						pub.Publish("a/b", "x", published)
						delivered := q.want[published][sub]
						want := brokertest.Publish("a/b", "x", delivered, 0)
						if delivered > 0 {
							id++
							want.ID = id
						}
						c.Expect(want)
					}
					c.Sync()
				}
			}
		})
	}
}

// Messages of both QoS and of several topics in one read, to subscriptions of both QoS: nothing of one gets
// into another.
func TestMixedQoSInOneChunk(t *testing.T) {
	b := open(t)
	zero, one := b.Connect("zero"), b.Connect("one")
	zero.Subscribe("#", 0)
	one.Subscribe("#", 1)
	pub := b.Connect("pub")
	for round := range 20 {
		var script []brokertest.Packet
		var atZero, atOne []brokertest.Packet
		for i := range 30 {
			topic := fmt.Sprint("topic/number/", (i/3)%5)
			payload := strings.Repeat(fmt.Sprint(round, "-", i, " "), i%7)
			qos := byte((i / 2) % 2)
			if qos == 0 {
				script = append(script, brokertest.Publish(topic, payload, 0, 0))
				atOne = append(atOne, brokertest.Publish(topic, payload, 0, 0))
			} else {
				script = append(script, brokertest.Publish(topic, payload, 1, uint16(i+1)))
				one.ID()
				atOne = append(atOne, brokertest.Publish(topic, payload, 1, 0))
			}
			atZero = append(atZero, brokertest.Publish(topic, payload, 0, 0))
		}
		pub.Send(script...)
		for i := range 30 {
			if (i/2)%2 == 1 {
				pub.Expect(brokertest.Puback(uint16(i + 1)))
			}
		}
		zero.Expect(atZero...)
		for _, p := range atOne {
			got := one.NextPublish()
			want := p.(*packet.Publish)
			if !bytes.Equal(got.Topic, want.Topic) || !bytes.Equal(got.Payload, want.Payload) || got.QoS != want.QoS {
				t.Fatalf("got %q %q QoS %d, want %q %q QoS %d", got.Topic, got.Payload, got.QoS, want.Topic, want.Payload, want.QoS)
			}
			if got.QoS > 0 {
				one.Send(brokertest.Puback(got.ID))
			}
		}
	}
}

// MQTT-3.3.5-1: overlapping subscriptions of one client get a message once, at the highest QoS.
func TestOverlappingSubscriptions(t *testing.T) {
	b := open(t)
	pub := b.Connect("pub")
	for i, filters := range [][]string{{"a/#", "a/b", "a/+"}, {"a/b", "#", "+/b"}, {"+/+", "a/+", "a/b/#"}} {
		for high := range filters {
			c := b.Connect(fmt.Sprint("c", i, high))
			for n, f := range filters {
				qos := byte(0)
				if n == high {
					qos = 1
				}
				c.Subscribe(f, qos)
			}
			pub.Publish("a/b", "once", 1)
			c.Expect(brokertest.Publish("a/b", "once", 1, 1))
			c.Sync()
			c.Unsubscribe(filters[high])
			pub.Publish("a/b", "lower", 1)
			c.Expect(brokertest.Publish("a/b", "lower", 0, 0))
			c.Sync()
			c.Disconnect()
		}
	}
}

// MQTT-3.3.1-9 MQTT-3.3.1-10 MQTT-3.3.1-11 MQTT-3.3.1-12: RETAIN is ignored: delivered with 0, with an empty
// payload too, stored never; and reported.
func TestRetainIsIgnored(t *testing.T) {
	b := open(t)
	sub := b.Connect("sub")
	sub.Subscribe("a", 1)
	pub := b.Connect("pub")
	for i, payload := range []string{"x", "", "y"} {
		for qos := range byte(2) {
			p := brokertest.Publish("a", payload, qos, uint16(qos))
			p.Retain = true
			pub.Send(p)
			want := brokertest.Publish("a", payload, qos, 0)
			if qos > 0 {
				pub.Expect(brokertest.Puback(1))
				want.ID = uint16(i + 1)
			}
			sub.Expect(want)
		}
	}
	late := b.Connect("late")
	late.Subscribe("a", 1)
	late.Sync()
	sub.Subscribe("a", 1)
	sub.Sync()
	if s := b.Stats(); s.IgnoredFields != 6 {
		t.Errorf("%d fields were ignored", s.IgnoredFields)
	}
	if got := b.Events.Of(broker.FieldIgnored); len(got) != 3 || got[0].Rule != "retain" || got[0].Topic != "a" || got[2].Count != 4 {
		t.Errorf("events %+v", got)
	}
}

// A Will is read and ignored, and nothing is ever published because of it, however the connection ends.
// MQTT-3.1.2-9 MQTT-3.1.2-12 MQTT-3.1.3-10
func TestWillIsIgnored(t *testing.T) {
	b := open(t)
	watch := b.Connect("watch", brokertest.KeepAlive(0))
	watch.Subscribe("#", 1)
	will := func(p *packet.Connect) {
		p.Will, p.WillQoS, p.WillRetain, p.WillTopic, p.WillMessage = true, 1, true, []byte("will"), []byte("gone")
	}
	for i, end := range []func(*brokertest.Client){
		func(c *brokertest.Client) { c.Disconnect() },
		func(c *brokertest.Client) { c.Close() },
		func(c *brokertest.Client) { c.Send(brokertest.Bytes{0, 0}); c.ExpectClosed() },
		func(c *brokertest.Client) { b.Clock.Advance(1000_000_000_000); c.ExpectClosed() },
		func(c *brokertest.Client) { b.Connect("c"); c.ExpectClosed() },
		func(c *brokertest.Client) { b.Broker.Disconnect("c", "test"); c.ExpectClosed() },
	} {
		c := b.Connect("c", will)
		c.Sync()
		end(c)
		eventually(t, "the connection has ended", func() bool { return len(b.Events.Of(broker.Disconnected)) >= i+1 })
		watch.Sync()
	}
	got := b.Events.Of(broker.FieldIgnored)
	if len(got) != 6 || got[0].Rule != "will" || got[0].ClientID != "c" {
		t.Errorf("events %+v", got)
	}
}

// MQTT-3.3.1-2 MQTT-3.3.1-3: DUP on the way in says nothing about DUP on the way out. MQTT-4.3.2-2: after
// PUBACK the same identifier is a new message, whatever DUP says.
func TestDupOfThePublisher(t *testing.T) {
	b := open(t)
	sub := b.Connect("sub")
	sub.Subscribe("a", 1)
	pub := b.Connect("pub")
	for i := range 4 {
		p := brokertest.Publish("a", "same", 1, 7)
		p.Dup = i%2 == 1
		pub.Send(p)
		pub.Expect(brokertest.Puback(7))
		sub.Expect(brokertest.Publish("a", "same", 1, uint16(i+1)))
	}
	// With MQTT 3.1 DUP may come with QoS 0, too.
	old := b.Connect("old", brokertest.MQTT31)
	p := brokertest.Publish("a", "zero", 0, 0)
	p.Dup = true
	old.Send(p)
	sub.Expect(brokertest.Publish("a", "zero", 0, 0))
	// With 3.1.1 it ends the connection.
	pub.Send(p)
	pub.ExpectClosed()
	if e := b.Events.WaitFor(t, broker.Disconnected, "pub"); e.Rule != "MQTT-3.3.1-2" {
		t.Errorf("event %+v", e)
	}
}

// A publication with QoS 2 ends the connection; so do the packets of its exchange. MQTT-3.6.1-1
func TestQoS2IsRefused(t *testing.T) {
	b := open(t)
	watch := b.Connect("watch")
	watch.Subscribe("#", 0)
	for _, p := range []brokertest.Packet{
		brokertest.Publish("a", "x", 2, 1),
		brokertest.Bytes(packet.AppendPubrec(nil, 1)),
		brokertest.Bytes(packet.AppendPubrel(nil, 1)),
		brokertest.Bytes(packet.AppendPubcomp(nil, 1)),
		brokertest.Bytes{0x60, 2, 0, 1},
	} {
		c := b.Connect("c")
		c.Send(p)
		c.ExpectClosed()
	}
	watch.Sync()
	connections(t, b, 1)
	if n := b.Stats().Ended["protocol-violation"]; n != 5 {
		t.Errorf("%d protocol violations", n)
	}
	if n := len(b.Log.Lines("disconnected", "rule=IOT-QOS2", "limit=1", "value=2")); n != 1 {
		t.Errorf("log:\n%s", b.Log)
	}
}

// By configuration a QoS 2 message is dropped without an answer instead.
func TestQoS2IsIgnored(t *testing.T) {
	lim := packet.DefaultLimits()
	lim.PublishQoS2 = packet.Ignore
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Limits: &lim})
	c := b.Connect("c")
	c.Subscribe("#", 1)
	c.Send(brokertest.Publish("a", "x", 2, 1), brokertest.Publish("a", "y", 0, 0))
	c.Expect(brokertest.Publish("a", "y", 0, 0))
	c.Sync()
	if e := b.Events.WaitFor(t, broker.FieldIgnored, "c"); e.Rule != "qos2" {
		t.Errorf("event %+v", e)
	}
}

// Limits that accept everything do not make the broker do what it cannot: Accept is the default.
func TestLimitsCannotAcceptWhatIsRestricted(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Limits: &packet.Limits{}})
	c := b.Connect("c", func(p *packet.Connect) { p.Will, p.WillTopic = true, []byte("w") })
	c.Send(brokertest.SubscribePacket(1, 2, "a"))
	c.Expect(suback(1, 1))
	p := brokertest.Publish("a", "x", 0, 0)
	p.Retain = true
	c.Send(p)
	c.Expect(brokertest.Publish("a", "x", 0, 0))
	c.Send(brokertest.Publish("a", "x", 2, 1))
	c.ExpectClosed()
}

// MQTT-3.3.4-1 MQTT-2.3.1-6 MQTT-4.6.0-2 MQTT-2.3.1-5: PUBACKs come in the order of the messages, with their
// identifiers; QoS 0 gets no answer.
func TestPubackOrder(t *testing.T) {
	b := open(t)
	c := b.Connect("c")
	ids := []uint16{1, 65535, 7, 7, 256, 2, 1}
	var script []brokertest.Packet
	var want []brokertest.Packet
	for i, id := range ids {
		script = append(script, brokertest.Publish(fmt.Sprint("t", i%3), "x", 1, id), brokertest.Publish("zero", "", 0, 0))
		want = append(want, brokertest.Puback(id))
	}
	c.Send(script...)
	c.Expect(want...)
	for _, p := range script {
		c.Send(p)
	}
	c.Expect(want...)
	c.Sync()
}

// MQTT-4.6.0-5 MQTT-4.6.0-6 MQTT-3.3.2-3: each publisher's messages reach each subscriber in their order.
func TestOrderOfEachPublisher(t *testing.T) {
	b := open(t)
	const publishers, messages = 5, 300
	var subs []*brokertest.Client
	for i := range 4 {
		c := b.Connect(fmt.Sprint("sub", i))
		c.Subscribe([]string{"order/#", "+/+", "order/+", "#"}[i], byte(i%2))
		subs = append(subs, c)
	}
	for i := range publishers {
		c := b.Connect(fmt.Sprint("pub", i))
		go func() { // ends when it has published
			var script []brokertest.Packet
			for n := range messages {
				script = append(script, brokertest.Publish(fmt.Sprint("order/", i), fmt.Sprint(n), byte(i%2), uint16(i%2*(n+1))))
				if n%17 == 0 || n == messages-1 {
					c.TrySend(script...)
					script = nil
				}
			}
			for range messages * (i % 2) {
				c.Receive()
			}
		}()
	}
	for _, sub := range subs {
		next := map[string]int{}
		for range publishers * messages {
			p := sub.NextPublish()
			if want := fmt.Sprint(next[string(p.Topic)]); string(p.Payload) != want {
				t.Fatalf("%s: message %s, want %s", p.Topic, p.Payload, want)
			}
			next[string(p.Topic)]++
			if p.QoS > 0 {
				sub.Send(brokertest.Puback(p.ID))
			}
		}
		sub.Sync()
	}
}

// MQTT-4.7.1-1 MQTT-4.7.1-2 MQTT-4.7.1-3 MQTT-4.7.2-1 MQTT-4.7.3-4 MQTT-3.3.2-3 MQTT-1.5.3-3: which topic
// names reach which filters. MQTT-3.8.3-2: filters with wildcards are not refused, since they are supported.
func TestFiltersAndNames(t *testing.T) {
	cases := []struct {
		filter  string
		matches []string
		others  []string
	}{
		{"a/b", []string{"a/b"}, []string{"a", "a/b/c", "A/b", "a/b/", "/a/b"}},
		{"a/+", []string{"a/b", "a/"}, []string{"a", "a/b/c", "b/a"}},
		{"a/#", []string{"a", "a/", "a/b", "a/b/c"}, []string{"ab", "b/a", "/a"}},
		{"+", []string{"a", "b c"}, []string{"a/b", "/a", "$a"}},
		{"+/+", []string{"a/b", "/b", "/"}, []string{"a", "$a/b"}},
		{"/+", []string{"/a", "/"}, []string{"a", "/a/b"}},
		{"#", []string{"a", "/", "a/b/c"}, []string{"$SYS", "$SYS/x"}},
		{"+/#", []string{"a", "a/b", "/"}, []string{"$a/b"}},
		{"$SYS/#", []string{"$SYS", "$SYS/x/y"}, []string{"SYS/x"}},
		{"$SYS/+", []string{"$SYS/x"}, []string{"$SYS/x/y"}},
		{"+/x/#", []string{"a/x", "a/x/y"}, []string{"a/y", "$a/x"}},
		{"caf\u00e9", []string{"caf\u00e9"}, []string{"cafe\u0301"}}, // no normalisation
		{"\ufeffa", []string{"\ufeffa"}, []string{"a"}},
		{"a/ /b", []string{"a/ /b"}, []string{"a//b"}},
	}
	b := open(t)
	pub := b.Connect("pub")
	for i, f := range cases {
		c := b.Connect(fmt.Sprint("c", i))
		c.Subscribe(f.filter, 0)
		for _, topic := range f.matches {
			pub.Publish(topic, "", 0)
			c.Expect(brokertest.Publish(topic, "", 0, 0))
		}
		for _, topic := range f.others {
			pub.Publish(topic, "", 0)
		}
		c.Sync()
		c.Disconnect()
	}
}

// A client that subscribes to what it publishes receives it; without an echo only the others do.
func TestOwnMessages(t *testing.T) {
	b := open(t)
	c := b.Connect("c")
	c.Subscribe("a", 1)
	c.Send(brokertest.Publish("a", "x", 1, 3))
	c.Expect(brokertest.Publish("a", "x", 1, 1), brokertest.Puback(3))
	c.Sync()
}

// Payloads up to the platform's 256 KB go through; one byte more ends the connection from the fixed header.
func TestLargestPayload(t *testing.T) {
	b := platform(t)
	sub, pub := b.Connect("sub"), b.Connect("pub")
	sub.Subscribe("a", 1)
	payload := bytes.Repeat([]byte("0123456789abcdef"), 256<<10/16)
	big := &packet.Publish{Topic: []byte("a"), Payload: payload, QoS: 1, ID: 1}
	pub.Send(big)
	pub.Expect(brokertest.Puback(1))
	sub.Expect(big)
	big.Payload = append(payload, 'x')
	pub.TrySend(big)
	pub.ExpectClosed()
	if e := b.Events.WaitFor(t, broker.Disconnected, "pub"); e.Limit == 0 || e.Value <= e.Limit || !strings.HasPrefix(e.Rule, "IOT-") {
		t.Errorf("event %+v", e)
	}
	sub.Sync()
}

// MQTT-3.3.1-2 MQTT-3.3.1-3 MQTT-3.3.1-9 MQTT-4.3.1-1: a QoS 1 message with DUP and RETAIN goes out without either when
// it is lowered to QoS 0, and when it has waited for its receiver.
func TestFlagsOfThePublisherOnEveryWayOut(t *testing.T) {
	b := open(t)
	away := b.Connect("away", brokertest.Persistent)
	away.Subscribe("a", 1)
	away.Disconnect()
	eventually(t, "the client is away", func() bool { i, _ := b.Client("away"); return !i.Connected })
	zero, pub := b.Connect("zero"), b.Connect("pub")
	zero.Subscribe("a", 0)
	for i := range 4 {
		p := brokertest.Publish("a", fmt.Sprint(i), 1, 7)
		p.Dup, p.Retain = i&1 != 0, i&2 != 0
		pub.Send(p)
		pub.Expect(brokertest.Puback(7))
		zero.Expect(brokertest.Publish("a", fmt.Sprint(i), 0, 0))
	}
	away = b.Dial()
	away.Connect("away", brokertest.Persistent)
	for i := range 4 {
		away.Expect(brokertest.Publish("a", fmt.Sprint(i), 1, uint16(i+1)))
	}
}
