package broker_test

import (
	"bytes"
	"errors"
	"fmt"
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

// MQTT-3.1.4-4 MQTT-3.2.0-1 MQTT-3.2.2-1 MQTT-3.2.2-3 MQTT-7.1.1-1: a good CONNECT is answered with CONNACK
// 0, before anything else. MQTT-7.0.0-2: it needs nothing that is not in the standard.
func TestConnectIsAccepted(t *testing.T) {
	b := open(t)
	for _, level := range []byte{packet.Level31, packet.Level311} {
		for _, clean := range []bool{true, false} {
			c := b.Dial()
			p := brokertest.ConnectPacket(fmt.Sprint("client", level, clean))
			p.Level, p.CleanSession = level, clean
			c.Send(p, brokertest.Pingreq)
			c.Expect(&packet.Connack{}, brokertest.Pingresp)
		}
	}
}

// However the bytes of the first packets are cut, they mean the same.
func TestConnectInPieces(t *testing.T) {
	b := open(t)
	script := brokertest.ConnectPacket("pieces", brokertest.Credentials("user", "password")).AppendTo(nil)
	script = brokertest.SubscribePacket(1, 0, "a/b").AppendTo(script)
	script = brokertest.Publish("a/b", "hello", 1, 7).AppendTo(script)
	for cut := range script {
		c := b.Dial()
		c.Send(brokertest.Bytes(script[:cut]))
		c.Send(brokertest.Bytes(script[cut:]))
		c.Expect(&packet.Connack{}, suback(1, 0), brokertest.Publish("a/b", "hello", 0, 0), brokertest.Puback(7))
		c.Disconnect()
	}
	c := b.Dial()
	for i := range script {
		c.Send(brokertest.Bytes(script[i : i+1]))
	}
	c.Expect(&packet.Connack{}, suback(1, 0), brokertest.Publish("a/b", "hello", 0, 0), brokertest.Puback(7))
}

// MQTT-3.1.0-1 MQTT-4.8.0-1: a first packet that is not CONNECT closes the connection, from its first byte.
func TestFirstPacketIsNotConnect(t *testing.T) {
	b := open(t)
	for _, p := range []brokertest.Packet{
		brokertest.Pingreq, brokertest.Disconnect, brokertest.Publish("a", "", 0, 0), brokertest.Publish("a", "", 1, 1),
		brokertest.SubscribePacket(1, 0, "a"), brokertest.Puback(1), brokertest.Bytes{0x30}, brokertest.Bytes{0x00},
		brokertest.Bytes{0xf0}, brokertest.Bytes("GET / HTTP/1.1\r\n\r\n"), &packet.Connack{},
	} {
		c := b.Dial()
		c.TrySend(p)
		c.ExpectClosed()
	}
	connections(t, b, 0)
	if s := b.Stats(); s.Ended["protocol-violation"] != 11 {
		t.Errorf("%d protocol violations were counted", s.Ended["protocol-violation"])
	}
	for _, rule := range []string{"rule=MQTT-3.1.0-1", "rule=MQTT-2.2.1"} {
		if lines := b.Log.Lines("refused", rule, "reason=protocol-violation"); len(lines) == 0 {
			t.Errorf("no log line with %s in\n%s", rule, b.Log)
		}
	}
}

// MQTT-3.1.0-2: a second CONNECT on one connection closes it; nothing of it is done.
func TestSecondConnect(t *testing.T) {
	b := open(t)
	for _, second := range []string{"first", "second"} {
		c := b.Connect("first", brokertest.Persistent)
		c.Send(brokertest.ConnectPacket(second))
		c.ExpectClosed()
		if e := b.Events.WaitFor(t, broker.Disconnected, "first"); e.Rule != "MQTT-3.1.0-2" || e.Reason != broker.ProtocolViolation {
			t.Errorf("the connection ended because of %v, %s", e.Reason, e.Rule)
		}
		if _, ok := b.Client("second"); ok {
			t.Error("the second CONNECT made a session")
		}
		if i, ok := b.Client("first"); !ok || !i.Persistent {
			t.Errorf("the session of the first CONNECT is gone: %+v", i)
		}
	}
}

// A CONNECT that never comes, or never ends, is waited for no longer than ConnectTimeout.
func TestConnectTimeout(t *testing.T) {
	for name, said := range map[string][]byte{
		"nothing":  nil,
		"one byte": {0x10},
		"half":     brokertest.ConnectPacket("half").AppendTo(nil)[:12],
	} {
		t.Run(name, func(t *testing.T) {
			b := brokertest.Start(t, broker.Options{Profile: broker.Open, ConnectTimeout: 7 * time.Second})
			c := b.Dial()
			// The deadline is set before the first byte is read; net.Pipe hands bytes over only to a reader.
			c.Send(brokertest.Bytes(append([]byte(nil), said...)))
			eventually(t, "the deadline is set", func() bool { return b.Stats().Deadlines == 1 })
			b.Clock.Advance(7*time.Second - 1)
			if n := b.Stats().Connections; n != 1 {
				t.Fatalf("%d connections a nanosecond before the timeout", n)
			}
			b.Clock.Advance(1)
			c.ExpectClosed()
			e := b.Events.WaitFor(t, broker.Refused, "")
			if e.Reason != broker.ConnectTimeout || e.Rule != "connect-timeout" || e.Limit != 7000 {
				t.Errorf("refused because of %v, %s, limit %d", e.Reason, e.Rule, e.Limit)
			}
		})
	}
}

// The time for CONNECT includes the authenticator's.
func TestConnectTimeoutDuringAuthentication(t *testing.T) {
	asked := make(chan struct{})
	b := brokertest.Start(t, broker.Options{Authenticator: broker.AuthenticatorFunc(
		func(ctx ctx, _ *broker.ConnectRequest) (*broker.Principal, error) {
			close(asked)
			<-ctx.Done()
			return &broker.Principal{Key: "late"}, nil
		})})
	c := b.Dial()
	c.Send(brokertest.ConnectPacket("slow"))
	<-asked
	b.Clock.Advance(10 * time.Second)
	c.ExpectClosed()
	if e := b.Events.WaitFor(t, broker.Refused, ""); e.Reason != broker.ConnectTimeout {
		t.Errorf("refused because of %v", e.Reason)
	}
	if _, ok := b.Client("late"); ok {
		t.Error("there is a session in spite of the timeout")
	}
}

// MQTT-3.1.2-2: a protocol level that the broker does not know is answered with 1.
// MQTT-3.1.2-1: a wrong protocol name gets nothing.
func TestProtocolNameAndLevel(t *testing.T) {
	b := open(t)
	connect := func(name string, level byte) []byte {
		body := append([]byte{0, byte(len(name))}, name...)
		body = append(body, level, 2, 0, 60, 0, 1, 'c')
		return append([]byte{0x10, byte(len(body))}, body...)
	}
	cases := []struct {
		name  string
		level byte
		code  packet.ReturnCode
		close bool
	}{
		{"MQTT", 4, packet.Accepted, false},
		{"MQIsdp", 3, packet.Accepted, false},
		{"MQTT", 5, packet.RefusedProtocolLevel, true},
		{"MQTT", 0, packet.RefusedProtocolLevel, true},
		{"MQTT", 3, packet.RefusedProtocolLevel, true},
		{"MQIsdp", 4, packet.RefusedProtocolLevel, true},
		{"MQTT", 0x84, packet.RefusedProtocolLevel, true},
	}
	for _, p := range cases {
		c := b.Dial()
		c.Send(brokertest.Bytes(connect(p.name, p.level)))
		c.Expect(&packet.Connack{Code: p.code})
		if p.close {
			c.ExpectClosed()
		} else {
			c.Sync()
		}
	}
	for _, name := range []string{"mqtt", "MQTT ", "MQT", "", "HTTP"} {
		c := b.Dial()
		c.Send(brokertest.Bytes(connect(name, 4)))
		c.ExpectClosed()
	}
	only := packet.DefaultLimits()
	only.Levels = packet.AcceptLevel4
	b = brokertest.Start(t, broker.Options{Profile: broker.Open, Limits: &only})
	c := b.Dial()
	c.Send(brokertest.Bytes(connect("MQIsdp", 3)))
	c.Expect(&packet.Connack{Code: packet.RefusedProtocolLevel})
	c.ExpectClosed()
}

// MQTT-3.1.3-5 MQTT-3.1.3-2: the identifiers that every server accepts, and the longer ones of devices, also
// with MQTT 3.1.
func TestClientIdentifiers(t *testing.T) {
	b := open(t)
	ids := []string{
		"a", "Z", "0", strings.Repeat("x", 23), strings.Repeat("y", 24), strings.Repeat("z", 1000),
		"0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ",
		"a1B2c3D4e5.dev1|timestamp=2524608000000,_ss=1,_v=sdk-c-4.2.0,securemode=3,signmethod=hmacsha256,ext=3,_conn=tcp_1|",
		"设备", "\ufeff", "a b/+#",
	}
	for _, id := range ids {
		for _, option := range []brokertest.ConnectOption{brokertest.Persistent, brokertest.MQTT31} {
			b.Connect(id, option)
			if i, ok := b.Client(id); !ok || i.ClientID != id {
				t.Errorf("no session for %q", id)
			}
		}
	}
}

// MQTT-3.1.3-6 MQTT-3.1.3-7: without a client identifier a client gets one of its own, for this connection.
func TestEmptyClientIdentifier(t *testing.T) {
	b := open(t)
	one, other := b.Dial(), b.Dial()
	one.Connect("")
	other.Connect("")
	one.Sync()
	other.Sync()
	keys := map[string]bool{}
	b.Clients(func(i broker.ClientInfo) bool {
		keys[i.Key] = true
		return i.Key != "" && !i.Persistent && i.ClientID == ""
	})
	if len(keys) != 2 {
		t.Errorf("the clients are known as %v", keys)
	}
	one.Disconnect()
	other.Disconnect()
	eventually(t, "the sessions have ended", func() bool { return b.Stats().Sessions == 0 })
}

// MQTT-3.1.3-8 MQTT-3.1.3-9: an empty client identifier with CleanSession 0 is answered with 2.
func TestEmptyClientIdentifierWithKeptSession(t *testing.T) {
	b := open(t)
	for _, options := range [][]brokertest.ConnectOption{
		{brokertest.Persistent}, {brokertest.MQTT31}, {brokertest.MQTT31, brokertest.Persistent},
	} {
		c := b.Dial()
		if ack := c.TryConnect(brokertest.ConnectPacket("", options...)); ack.Code != packet.RefusedIdentifier || ack.SessionPresent {
			t.Errorf("CONNACK %+v", ack)
		}
		c.ExpectClosed()
	}
	// An authenticator that names nobody.
	b = brokertest.Start(t, broker.Options{Authenticator: authenticate(func(*broker.ConnectRequest) (*broker.Principal, error) {
		return &broker.Principal{}, nil
	})})
	c := b.Dial()
	if ack := c.TryConnect(brokertest.ConnectPacket("somebody")); ack.Code != packet.RefusedIdentifier {
		t.Errorf("CONNACK %+v", ack)
	}
	c.ExpectClosed()
}

// MQTT-3.1.2-3: the reserved connect flag; MQTT-3.1.4-1: what breaks the rules of CONNECT gets no CONNACK.
// MQTT-3.1.2-11 MQTT-3.1.2-13 MQTT-3.1.2-14 MQTT-3.1.2-15 MQTT-3.1.2-22
func TestConnectFlags(t *testing.T) {
	b := open(t)
	for _, flags := range []byte{0x01, 0x03, 0x0a, 0x12, 0x22, 0x1e, 0x1c, 0x40, 0x42} {
		raw := brokertest.ConnectPacket("flags").AppendTo(nil)
		raw[9] = flags
		c := b.Dial()
		c.Send(brokertest.Bytes(raw))
		c.ExpectClosed()
	}
	connections(t, b, 0)
	if n := b.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// MQTT-3.1.4-5 MQTT-3.2.2-4 MQTT-3.2.2-5 MQTT-3.2.2-6: each way to refuse a CONNECT. What the client has sent
// behind it is not looked at.
func TestRefusals(t *testing.T) {
	cases := []struct {
		err  error
		code packet.ReturnCode
		rule string
	}{
		{&broker.Refusal{Code: packet.RefusedProtocolLevel, Rule: "one"}, 1, "one"},
		{&broker.Refusal{Code: packet.RefusedIdentifier, Rule: "two"}, 2, "two"},
		{&broker.Refusal{Code: packet.RefusedUnavailable, Rule: "three"}, 3, "three"},
		{&broker.Refusal{Code: packet.RefusedCredentials, Rule: "four"}, 4, "four"},
		{&broker.Refusal{Code: packet.RefusedNotAuthorized, Rule: "five"}, 5, "five"},
		{fmt.Errorf("wrapped: %w", &broker.Refusal{Code: packet.RefusedUnavailable, Rule: "wrapped"}), 3, "wrapped"},
		{errors.New("who is this?"), 4, "authenticator"},
		{&broker.Refusal{Rule: "silent"}, 0, "silent"},
		{nil, 4, "authenticator"}, // neither a principal nor an error
	}
	for _, r := range cases {
		t.Run(r.rule, func(t *testing.T) {
			b := brokertest.Start(t, broker.Options{Authenticator: authenticate(
				func(*broker.ConnectRequest) (*broker.Principal, error) { return nil, r.err })})
			heard := 0
			if _, err := b.Subscribe("#", func(broker.Message) { heard++ }); err != nil {
				t.Fatal(err)
			}
			c := b.Dial()
			c.Send(brokertest.ConnectPacket("refused", brokertest.Persistent),
				brokertest.SubscribePacket(1, 1, "a"), brokertest.Publish("a", "unheard", 1, 2))
			if r.code != packet.Accepted {
				c.Expect(&packet.Connack{Code: r.code})
			}
			c.ExpectClosed()
			connections(t, b, 0)
			e := b.Events.WaitFor(t, broker.Refused, "")
			if e.Reason != broker.ConnectRefused || e.Rule != r.rule || e.ClientID != "refused" {
				t.Errorf("event %+v", e)
			}
			if s := b.Stats(); s.Sessions != 0 || s.Received[1] != 0 || s.Ended["connect-refused"] != 1 {
				t.Errorf("stats %+v", s)
			}
			if lines := b.Log.Lines("level=WARN", "refused", "reason=connect-refused", "rule="+r.rule, "clientID=refused"); len(lines) != 1 {
				t.Errorf("log:\n%s", b.Log)
			}
		})
	}
}

// What the authenticator is told.
// MQTT-3.1.2-18 MQTT-3.1.2-19 MQTT-3.1.2-20 MQTT-3.1.2-21 MQTT-3.1.3-1 MQTT-3.1.3-3 MQTT-3.1.3-4 MQTT-3.1.3-11
func TestConnectRequest(t *testing.T) {
	var got broker.ConnectRequest
	b := brokertest.Start(t, broker.Options{Authenticator: authenticate(func(r *broker.ConnectRequest) (*broker.Principal, error) {
		got = *r
		got.Password = bytes.Clone(r.Password)
		return &broker.Principal{Key: "k"}, nil
	})})
	b.Connect("id", brokertest.Credentials("", "\x00\xff"), brokertest.KeepAlive(77), brokertest.MQTT31)
	if got.ClientID != "id" || !got.HasUsername || got.Username != "" || !got.HasPassword ||
		string(got.Password) != "\x00\xff" || got.Level != 3 || !got.CleanSession || got.KeepAlive != 77*time.Second {
		t.Errorf("told %+v", got)
	}
	if got.Channel.Security != broker.Plain || got.Channel.Remote == nil || got.Channel.Listener != "" {
		t.Errorf("channel %+v", got.Channel)
	}
	b.Connect("id", brokertest.Persistent)
	if got.HasUsername || got.HasPassword || got.Username != "" || len(got.Password) != 0 || got.Level != 4 || got.CleanSession {
		t.Errorf("told %+v", got)
	}
}

// A CONNECT that is larger than MaxConnectBytes is refused from its fixed header, before its body is read.
func TestMaxConnectBytes(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MaxConnectBytes: 100})
	exact := brokertest.ConnectPacket(strings.Repeat("x", 100-12))
	if n := exact.Size(); n != 102 {
		t.Fatalf("the packet has %d bytes", n)
	}
	c := b.Dial()
	c.Send(exact)
	c.Expect(&packet.Connack{})
	c = b.Dial()
	c.TrySend(brokertest.ConnectPacket(strings.Repeat("x", 101-12)))
	c.ExpectClosed()
	c = b.Dial()
	c.Send(brokertest.Bytes{0x10, 0xff, 0xff, 0x7f})
	c.ExpectClosed()
	for _, e := range b.Events.Of(broker.Refused) {
		if e.Limit != 100 || e.Value <= 100 || e.Rule == "" {
			t.Errorf("event %+v", e)
		}
	}
}

func TestMaxConnections(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MaxConnections: 2})
	one := b.Connect("one")
	b.Dial() // counts from the start
	for range 3 {
		b.Dial().ExpectClosed()
	}
	shed := b.Events.Of(broker.ConnectionShed)
	if len(shed) != 3 || shed[2].Rule != "max-connections" || shed[2].Limit != 2 || shed[2].Value != 3 {
		t.Errorf("events %+v", shed)
	}
	if n := len(b.Log.Lines("connection shed", "rule=max-connections")); n != 3 {
		t.Errorf("%d log lines for three refusals", n)
	}
	one.Disconnect()
	eventually(t, "there is room", func() bool { return b.Stats().Connections == 1 })
	b.Connect("two").Sync()
	if s := b.Stats(); s.Ended["too-many-connections"] != 3 || s.Bounds.Connections != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestMaxSessions(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MaxSessions: 2})
	b.Connect("kept", brokertest.Persistent).Disconnect()
	two := b.Connect("two")
	c := b.Dial()
	if ack := c.TryConnect(brokertest.ConnectPacket("three")); ack.Code != packet.RefusedUnavailable {
		t.Errorf("CONNACK %+v", ack)
	}
	c.ExpectClosed()
	e := b.Events.WaitFor(t, broker.Refused, "")
	if e.Rule != "max-sessions" || e.Limit != 2 {
		t.Errorf("event %+v", e)
	}
	if present := b.Dial().Connect("kept", brokertest.Persistent); !present {
		t.Error("a session that there is already was not resumed")
	}
	two.Disconnect()
	eventually(t, "there is room", func() bool { return b.Stats().Sessions == 1 })
	b.Connect("three")
}

// Principal.KeepAlive, Principal.Ephemeral and Principal.Subscriptions.
func TestPrincipal(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: authenticate(func(r *broker.ConnectRequest) (*broker.Principal, error) {
		return &broker.Principal{
			Key:           "device",
			KeepAlive:     100 * time.Second,
			Ephemeral:     r.ClientID == "ephemeral",
			Subscriptions: []session.Subscription{{Filter: "sys/+", QoS: 1}, {Filter: "all", QoS: 0}},
		}, nil
	})})
	c := b.Connect("any", brokertest.Persistent, brokertest.KeepAlive(30))
	if i, _ := b.Client("device"); i.KeepAlive != 100*time.Second || i.ClientID != "any" || i.Subscriptions != 2 || !i.Persistent {
		t.Errorf("client %+v", i)
	}
	if n, err := b.Publish(t.Context(), "sys/x", []byte("1"), 1); n != 1 || err != nil {
		t.Errorf("Publish: %d %v", n, err)
	}
	c.Expect(brokertest.Publish("sys/x", "1", 1, 1))
	c.Disconnect()
	if i, _ := b.Client("device"); i.Subscriptions != 2 {
		t.Errorf("the subscriptions did not last as long as the session: %+v", i)
	}
	c = b.Dial()
	if c.Connect("ephemeral", brokertest.Persistent) {
		t.Error("an ephemeral session was there already")
	}
	if i, _ := b.Client("device"); i.Persistent || i.Subscriptions != 2 {
		t.Errorf("client %+v", i)
	}
	c.Disconnect()
	eventually(t, "the session has ended", func() bool { _, ok := b.Client("device"); return !ok })
}

// Bytes behind DISCONNECT are not looked at [MQTT-3.14.4-2], and nothing is sent because of a Will
// [MQTT-3.1.2-12].
func TestDisconnect(t *testing.T) {
	b := open(t)
	c := b.Connect("c")
	c.Send(brokertest.Publish("a", "1", 1, 9), brokertest.Disconnect, brokertest.Publish("a", "2", 1, 10), brokertest.Bytes{0, 0})
	c.Expect(brokertest.Puback(9))
	c.ExpectClosed()
	e := b.Events.WaitFor(t, broker.Disconnected, "c")
	if e.Reason != broker.ClientDisconnected || e.LastPacket != packet.TypeDisconnect || e.Rule != "MQTT-3.14.4-2" || e.Value != 10 ||
		e.Detail != "PUBLISH behind DISCONNECT" {
		t.Errorf("event %+v", e)
	}
	connections(t, b, 0)
	if s := b.Stats(); s.Received[1] != 1 {
		t.Errorf("%d PUBLISH packets received", s.Received[1])
	}
	if kinds := b.Events.All(); slices.ContainsFunc(kinds, func(e broker.Event) bool { return e.Reason == broker.ProtocolViolation }) {
		t.Errorf("events %+v", kinds)
	}
}

// MQTT-3.2.2-4: Session Present is 0 in a refusal also if the client has a session.
func TestRefusalOfAClientWithASession(t *testing.T) {
	var refuse atomic.Bool
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Authenticator: authenticate(func(r *broker.ConnectRequest) (*broker.Principal, error) {
		if refuse.Load() {
			return nil, &broker.Refusal{Code: packet.RefusedNotAuthorized, Rule: "no"}
		}
		return &broker.Principal{Key: r.ClientID}, nil
	})})
	b.Connect("c", brokertest.Persistent).Disconnect()
	refuse.Store(true)
	c := b.Dial()
	c.Send(brokertest.ConnectPacket("c", brokertest.Persistent))
	c.Expect(&packet.Connack{Code: packet.RefusedNotAuthorized})
	c.ExpectClosed()
}
