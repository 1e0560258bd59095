package broker_test

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// The log lines of a client's life, to the letter.
func TestLogLines(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Authorizer: topics{"mine/"}, MaxSubscriptions: 1})})
	c := b.Connect("dev|x=1|", brokertest.Persistent, brokertest.MQTT31, brokertest.KeepAlive(30),
		func(p *packet.Connect) { p.Will, p.WillTopic = true, []byte("w") })
	c.Subscribe("mine/a", 1)
	c.Send(brokertest.SubscribePacket(2, 1, "mine/b", "yours"))
	c.Expect(suback(2, 1, 1))
	for range 5 {
		c.Publish("yours", "", 1)
	}
	c.Unsubscribe("mine/a")
	b.Clock.Advance(45 * time.Second)
	c.ExpectClosed()
	connections(t, b, 0)
	c = b.Dial()
	c.Connect("dev|x=1|")
	c.Disconnect()
	connections(t, b, 0)
	c = b.Dial()
	c.Send(brokertest.Bytes{0xc0, 0})
	c.ExpectClosed()
	connections(t, b, 0)
	want := []string{
		`level=INFO msg="field ignored" conn=1 clientID="dev|x=1|" addr=pipe rule=will lastPacket=CONNECT`,
		`level=INFO msg=connected conn=1 client="dev|x=1|" addr=pipe lastPacket=CONNECT level=3 clean=false sessionPresent=false keepAlive=30s`,
		`level=DEBUG msg=subscribed conn=1 client="dev|x=1|" addr=pipe limit=0 value=1 topic=mine/a lastPacket=SUBSCRIBE`,
		`level=WARN msg="subscribe refused" conn=1 client="dev|x=1|" addr=pipe rule=max-subscriptions detail="MQTT 3.1 has no code for this: answered as granted, delivers nothing" limit=1 value=2 topic=mine/b lastPacket=SUBSCRIBE`,
		`level=WARN msg="subscribe refused" conn=1 client="dev|x=1|" addr=pipe rule=not-mine detail="MQTT 3.1 has no code for this: answered as granted, delivers nothing" topic=yours lastPacket=SUBSCRIBE count=2`,
		`level=WARN msg="publish refused" conn=1 client="dev|x=1|" addr=pipe reason=forbidden rule=not-mine topic=yours lastPacket=PUBLISH`,
		`level=WARN msg="publish refused" conn=1 client="dev|x=1|" addr=pipe reason=forbidden rule=not-mine topic=yours lastPacket=PUBLISH count=2`,
		`level=WARN msg="publish refused" conn=1 client="dev|x=1|" addr=pipe reason=forbidden rule=not-mine topic=yours lastPacket=PUBLISH count=4`,
		`level=DEBUG msg=unsubscribed conn=1 client="dev|x=1|" addr=pipe topic=mine/a lastPacket=UNSUBSCRIBE`,
		`level=INFO msg=disconnected conn=1 client="dev|x=1|" addr=pipe reason=keep-alive-timeout rule=MQTT-3.1.2-24 limit=45000 value=45000 lastPacket=UNSUBSCRIBE idle=45s`,
		`level=INFO msg="session discarded" conn=0 client="dev|x=1|" rule=MQTT-3.1.2-6`,
		`level=INFO msg=connected conn=2 client="dev|x=1|" addr=pipe lastPacket=CONNECT level=4 clean=true sessionPresent=false keepAlive=1m0s`,
		`level=INFO msg=disconnected conn=2 client="dev|x=1|" addr=pipe reason=client-disconnected lastPacket=DISCONNECT idle=0s`,
		`level=WARN msg=refused conn=3 addr=pipe reason=protocol-violation rule=MQTT-3.1.0-1 detail="PINGREQ: fixed header: the first packet of a client is not CONNECT (MQTT-3.1.0-1) at byte 0: 12" limit=0 value=12 lastPacket=PINGREQ`,
	}
	got := b.Log.Lines()
	for i := range max(len(want), len(got)) {
		var w, g string
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			t.Errorf("line %d\n got %s\nwant %s", i+1, g, w)
		}
	}
}

// A client that does the same wrong thing again and again is logged the 1st, 2nd, 4th, 8th, ... time, and
// observed each time that is logged.
func TestSparseLogging(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Authorizer: topics{}})})
	c := b.Connect("c")
	for range 1000 {
		c.Publish("a", "", 0)
		c.Send(brokertest.SubscribePacket(1, 0, "a"))
		c.Expect(suback(1, 0x80))
	}
	for _, kind := range []string{"publish refused", "subscribe refused"} {
		if n := len(b.Log.Lines(kind)); n != 10 {
			t.Errorf("%d lines %q for 1,000 times", n, kind)
		}
	}
	if s := b.Stats(); s.Dropped["forbidden"] != 1000 || s.SubscribeRefused != 1000 {
		t.Errorf("stats %+v", s)
	}
}

// The sequence of events in a client's life, and what they carry.
func TestEvents(t *testing.T) {
	b := open(t)
	c := b.Connect("c", brokertest.Persistent, brokertest.Credentials("user", "secret"))
	c.Subscribe("a/#", 1)
	c.Unsubscribe("a/#")
	b.Clock.Advance(3 * time.Second)
	c.Close()
	connections(t, b, 0)
	b.Connect("c", brokertest.Persistent).Disconnect()
	connections(t, b, 0)
	var got []string
	for _, e := range b.Events.All() {
		if e.Client != "c" || e.ClientID != "c" || e.Addr != "pipe" || e.Level != 4 || e.Time.IsZero() {
			t.Errorf("event %+v", e)
		}
		if strings.Contains(fmt.Sprintf("%+v", e), "secret") {
			t.Errorf("an event carries the password: %+v", e)
		}
		got = append(got, fmt.Sprintf("%d %v %v %q %d %v %v %v %v", e.Connection, e.Kind, e.Reason, e.Topic, e.Value, e.LastPacket, e.Idle, e.Clean, e.Present))
	}
	want := []string{
		`1 connected none "" 0 CONNECT 0s false false`,
		`1 subscribed none "a/#" 1 SUBSCRIBE 0s false false`,
		`1 unsubscribed none "a/#" 0 UNSUBSCRIBE 0s false false`,
		`1 disconnected connection-lost "" 0 UNSUBSCRIBE 3s false false`,
		`2 connected none "" 0 CONNECT 0s false true`,
		`2 disconnected client-disconnected "" 0 DISCONNECT 0s false false`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if strings.Contains(b.Log.String(), "secret") {
		t.Error("the log carries the password")
	}
}

// Every kind of event and every reason has a name of its own.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for k := broker.Connected; k <= broker.ConnectionShed; k++ {
		if s := k.String(); s == "" || seen[s] {
			t.Errorf("event kind %d is called %q", k, s)
		} else {
			seen[s] = true
		}
	}
	for r := broker.ClientDisconnected; r <= broker.DropHandlerBehind; r++ {
		if s := r.String(); s == "" || seen[s] {
			t.Errorf("reason %d is called %q", r, s)
		} else {
			seen[s] = true
		}
	}
	for s, name := range map[fmt.Stringer]string{broker.Open: "open", broker.Platform: "platform", broker.Plain: "plain",
		broker.PSK: "psk", broker.TLS: "tls", broker.Chip: "chip"} {
		if s.String() != name {
			t.Errorf("%v is called %q", name, s)
		}
	}
}

// Stats has every bound in force and a counter for every reason, also those that are zero, and they all add
// up to nothing when everybody has gone.
func TestStats(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open})
	s := b.Stats()
	if len(s.Ended) != 15 || len(s.Dropped) != 9 {
		t.Errorf("%d reasons for an end, %d for dropping", len(s.Ended), len(s.Dropped))
	}
	want := broker.Bounds{Connections: 1_000_000, AddressConnections: 10_000, AddressRate: 200, ConnectionRate: 50_000,
		Pending: 5_000, Handshakes: 500, ConnectBytes: 4 << 10, Sessions: 1_000_000, Subscriptions: 10_000, OutboundBytes: 1 << 20,
		OutboundTotalBytes: 256 << 20, QueueMessages: 10_000, QueueBytes: 16 << 20, QueueTotalMessages: 10_000_000,
		QueueTotalBytes: 1 << 30, Window: 4096,
		ConnectTimeout: 10 * time.Second, WriteStall: 30 * time.Second, SessionExpiry: 7 * 24 * time.Hour}
	if s.Bounds != want {
		t.Errorf("bounds %+v", s.Bounds)
	}
	if p := platform(t).Stats().Bounds; p.Subscriptions != 100 || p.Window != 50 {
		t.Errorf("bounds of the platform %+v", p)
	}
	c := b.Connect("c")
	c.Subscribe("a", 1)
	c.Send(brokertest.Publish("a", "12345", 1, 1))
	c.Expect(brokertest.Publish("a", "12345", 1, 1), brokertest.Puback(1))
	c.Send(brokertest.Publish("a", "12345", 0, 0))
	c.Expect(brokertest.Publish("a", "12345", 0, 0))
	c.Send(brokertest.Puback(1), brokertest.Disconnect)
	c.ExpectClosed()
	connections(t, b, 0)
	s = b.Stats()
	if s.Accepted != 1 || s.PacketsReceived != 6 || s.BytesReceived != 15+8+12+10+4+2 || s.BytesSent != 4+5+12+4+10 ||
		s.Received != [2]uint64{1, 1} || s.Sent != [2]uint64{1, 1} || s.Acknowledged != 1 || s.Ended["client-disconnected"] != 1 {
		t.Errorf("stats %+v", s)
	}
	if s.Connections != 0 || s.Connected != 0 || s.Clients != 0 || s.Sessions != 0 || s.Subscriptions != 0 ||
		s.QueuedMessages != 0 || s.QueuedBytes != 0 || s.OutboundBytes != 0 || s.Deadlines != 0 {
		t.Errorf("stats %+v", s)
	}
}

// Without a logger and an observer of its own a broker uses the default ones.
func TestDefaultLogger(t *testing.T) {
	log := brokertest.NewLog()
	before := slog.Default()
	slog.SetDefault(log.Logger())
	defer slog.SetDefault(before)
	b, err := broker.New(broker.Options{Profile: broker.Open})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := b.Dial()
	if err != nil {
		t.Fatal(err)
	}
	c := brokertest.NewClient(t, nc)
	c.Connect("c")
	c.Subscribe("a", 0)
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(log.Lines("connected", "client=c")) == 0 || len(log.Lines("disconnected", "reason=shutting-down")) != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// Mistakes in the options are all named.
func TestBadOptions(t *testing.T) {
	_, err := broker.New(broker.Options{Profile: 7, Window: 70_000, KeepAliveMin: time.Hour, KeepAliveMax: time.Minute})
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range []string{"Profile 7", "Window", "65,535", "KeepAliveMin 1h"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in %q", word, err)
		}
	}
	if _, err := broker.New(broker.Options{}); err == nil || !strings.Contains(err.Error(), "Authenticator") {
		t.Errorf("without an authenticator: %v", err)
	}
}

// An Observer may ask and act: nothing is locked while it is told something.
func TestObserverThatActs(t *testing.T) {
	var b *brokertest.Broker
	started := make(chan struct{})
	b = brokertest.Start(t, broker.Options{Profile: broker.Open, Observer: broker.ObserverFunc(func(e broker.Event) {
		<-started
		b.Stats()
		b.Clients(func(broker.ClientInfo) bool { return true })
		b.Client(e.Client)
		b.Publish(t.Context(), "events", []byte(e.Kind.String()), 0)
		if e.Kind == broker.Subscribed && e.Topic == "bad" {
			b.Broker.Disconnect(e.Client, "bad taste")
		}
	})})
	close(started)
	watch := b.Connect("watch")
	watch.Send(brokertest.SubscribePacket(1, 0, "events"))
	watch.Expect(brokertest.Publish("events", "subscribed", 0, 0), suback(1, 0))
	c := b.Connect("c", brokertest.Persistent)
	c.TrySend(brokertest.SubscribePacket(1, 0, "bad"))
	for _, kind := range []string{"connected", "subscribed", "disconnected"} {
		watch.Expect(brokertest.Publish("events", kind, 0, 0))
	}
}
