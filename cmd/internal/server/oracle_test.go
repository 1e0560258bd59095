package server

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// MQTT-3.1.2-23 MQTT-3.14.4-2: the oracle has a line for each connection on which a client has done what it may not, be
// it a packet, a silence, or what it does in the end.
func TestOracle(t *testing.T) {
	connect := brokertest.ConnectPacket("c", brokertest.KeepAlive(10))
	cut := brokertest.Publish("a", "message", 0, 0).AppendTo(nil)[:5]
	for name, c := range map[string]struct {
		does func(b *brokertest.Broker, c *brokertest.Client)
		want violation // Time, Connection, Addr and Detail aside
	}{
		"a reserved type first": {func(_ *brokertest.Broker, c *brokertest.Client) {
			c.Send(brokertest.Bytes{0, 0})
			c.ExpectClosed()
		}, violation{Rule: "MQTT-2.2.1", Packet: "RESERVED-0"}},
		"a reserved type": {func(_ *brokertest.Broker, c *brokertest.Client) {
			c.Connect("c")
			c.Send(brokertest.Bytes{0, 0})
			c.ExpectClosed()
		}, violation{Client: "c", ClientID: "c", Rule: "MQTT-2.2.1", Packet: "RESERVED-0"}},
		"a first packet that is too long": {func(_ *brokertest.Broker, c *brokertest.Client) {
			c.Send(brokertest.Bytes{0x10, 0xff, 0x1f})
			c.ExpectClosed()
		}, violation{Rule: "connect-size", Packet: "CONNECT", Limit: 4096, Value: 4098}},
		"a silence": {func(b *brokertest.Broker, c *brokertest.Client) {
			c.Send(connect, brokertest.Pingreq)
			c.Expect(&packet.Connack{}, brokertest.Pingresp)
			b.Clock.Advance(15 * time.Second)
			c.ExpectClosed()
		}, violation{Client: "c", ClientID: "c", Rule: "MQTT-3.1.2-23", Packet: "PINGREQ", Limit: 10_000, Value: 15_000}},
		"more behind DISCONNECT": {func(_ *brokertest.Broker, c *brokertest.Client) {
			c.Send(connect, brokertest.Disconnect, brokertest.Pingreq)
			c.Expect(&packet.Connack{})
			c.ExpectClosed()
		}, violation{Client: "c", ClientID: "c", Rule: "MQTT-3.14.4-2", Packet: "DISCONNECT", Offset: 2, Value: 2}},
		"a packet that is cut off": {func(_ *brokertest.Broker, c *brokertest.Client) {
			c.Send(connect, brokertest.Bytes(cut))
			c.Expect(&packet.Connack{})
			c.Close()
		}, violation{Client: "c", ClientID: "c", Rule: "MQTT-2.2.3", Packet: "PUBLISH", Offset: 5, Value: 5}},
		"a CONNECT that is cut off": {func(_ *brokertest.Broker, c *brokertest.Client) {
			c.Send(brokertest.Bytes{0x10})
			c.Close()
		}, violation{Rule: "MQTT-2.2.3", Packet: "CONNECT", Offset: 1, Value: 1}},
		"a client that ends as it may": {func(_ *brokertest.Broker, c *brokertest.Client) {
			c.Send(connect, brokertest.Publish("a", "m", 0, 0), brokertest.Disconnect)
			c.Expect(&packet.Connack{})
			c.ExpectClosed()
		}, violation{}},
		"a client that just goes": {func(_ *brokertest.Broker, c *brokertest.Client) {
			c.Connect("c")
			c.Close()
		}, violation{}},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, broker.Options{Profile: broker.Open}, c.does, c.want)
		})
	}
	t.Run("a silence that the client has not promised to break", func(t *testing.T) {
		o := broker.Options{Profile: broker.Open, KeepAliveMax: 10 * time.Second, ClampKeepAlive: true}
		eachWay(t, o, func(b *brokertest.Broker, c *brokertest.Client) {
			c.Connect("c", brokertest.KeepAlive(60))
			c.Sync()
			b.Clock.Advance(15 * time.Second)
			c.ExpectClosed()
		}, violation{})
	})
}

// eachWay looks for the line about what a client does, over a connection in memory and over TCP. A want without a rule
// is no line.
func eachWay(t *testing.T, options broker.Options, does func(*brokertest.Broker, *brokertest.Client), want violation) {
	t.Helper()
	for _, tcp := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "oracle.jsonl")
		o, err := openOracle(path)
		if err != nil {
			t.Fatal(err)
		}
		options.Observer = o
		b := brokertest.Start(t, options)
		var c *brokertest.Client
		if tcp {
			c = b.DialTCP(b.Listen())
		} else {
			c = b.Dial()
		}
		does(b, c)
		b.Events.Wait(t, "the end", func(e broker.Event) bool { return e.Kind == broker.Disconnected || e.Kind == broker.Refused })
		if err := o.close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if want.Rule == "" {
			if len(text) > 0 {
				t.Errorf("TCP %v: %s", tcp, text)
			}
			continue
		}
		var got violation
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("TCP %v: %v: %q", tcp, err, text)
		}
		for _, key := range []string{"packet", "offset", "limit", "value"} {
			if !bytes.Contains(text, []byte(`"`+key+`":`)) {
				t.Errorf("no %s: %s", key, text)
			}
		}
		got.Time, got.Connection, got.Addr, got.Detail = time.Time{}, 0, "", ""
		if got != want {
			t.Errorf("TCP %v: got %+v, want %+v", tcp, got, want)
		}
	}
}
