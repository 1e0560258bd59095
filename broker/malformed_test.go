package broker_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// vector is what this test needs of a file in packet/testdata/vectors.
type vector struct {
	Hex  string
	Fill *struct {
		Byte  string
		Count int
	}
}

func vectors(t *testing.T) map[string][]byte {
	files, err := filepath.Glob("../packet/testdata/vectors/*.json")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	all := make(map[string][]byte)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		raw, err := hex.DecodeString(strings.ReplaceAll(v.Hex, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if v.Fill != nil {
			fill, err := hex.DecodeString(v.Fill.Byte)
			if err != nil {
				t.Fatal(err)
			}
			raw = append(raw, bytes.Repeat(fill, v.Fill.Count)...)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = raw
	}
	return all
}

// verdict is what package packet says of bytes from a client of the platform: the error, if there is one.
func verdict(raw []byte, lim packet.Limits) *packet.Error {
	f, n, _, err := packet.Next(raw, &lim)
	if err == nil && n > 0 {
		switch f.Type() {
		case packet.TypeConnect:
			err = new(packet.Connect).Decode(f, &lim)
		case packet.TypePublish:
			err = new(packet.Publish).Decode(f, &lim)
		case packet.TypeSubscribe:
			err = new(packet.Subscribe).Decode(f, &lim)
		case packet.TypeUnsubscribe:
			err = new(packet.Unsubscribe).Decode(f, &lim)
		case packet.TypePuback:
			err = new(packet.Ack).Decode(f, &lim)
		}
	}
	var e *packet.Error
	errors.As(err, &e)
	return e
}

// Every packet that package packet refuses, through a connection: it is closed, with one log line that names
// the rule, and nobody else takes any harm. As the first packet and after CONNECT, at both protocol levels.
//
// MQTT-1.5.3-1 MQTT-1.5.3-2 MQTT-2.2.2-1 MQTT-2.2.2-2 MQTT-2.3.1-1 MQTT-3.1.4-1 MQTT-3.3.1-4 MQTT-3.3.2-1
// MQTT-3.3.2-2 MQTT-3.6.1-1 MQTT-3.8.1-1 MQTT-3.8.3-1 MQTT-3.8.3-3 MQTT-3.8.3-4 MQTT-3.10.1-1 MQTT-3.10.3-1
// MQTT-3.10.3-2 MQTT-3.14.1-1 MQTT-4.7.1-1 MQTT-4.7.1-2 MQTT-4.7.1-3 MQTT-4.7.3-1 MQTT-4.7.3-2 MQTT-4.7.3-3
// MQTT-4.8.0-1
func TestMalformedPackets(t *testing.T) {
	b := platform(t)
	witness := b.Connect("witness", brokertest.KeepAlive(60))
	witness.Subscribe("a/witness/topic", 1)
	closed := 0
	for name, raw := range vectors(t) {
		for _, level := range []byte{0, packet.Level31, packet.Level311} {
			lim := packet.DefaultLimits()
			lim.Level, lim.Types = level, packet.FromClient
			if level == 0 {
				lim.Types, lim.Connect = packet.FirstFromClient, 4<<10
			}
			want := verdict(raw, lim)
			if want == nil {
				continue
			}
			c := b.Dial()
			kind := broker.Refused
			if level > 0 {
				kind = broker.Disconnected
				c.Connect(name, func(p *packet.Connect) { p.Level = level })
			}
			before := len(b.Events.Of(kind))
			c.TrySend(brokertest.Bytes(raw))
			if code, ok := want.Connack(); ok && level == 0 {
				c.Expect(&packet.Connack{Code: code})
			}
			c.ExpectClosed()
			eventually(t, "an event", func() bool { return len(b.Events.Of(kind)) == before+1 })
			e := b.Events.Of(kind)[before]
			if e.Reason != broker.ProtocolViolation || e.Rule != string(want.Rule) || e.Detail != want.Error() ||
				e.Limit != int64(want.Limit) || e.Value != int64(want.Value) || e.Offset != want.Offset ||
				want.Type != 0 && e.LastPacket != want.Type {
				t.Errorf("%s at level %d: event %+v, want %v", name, level, e, want)
			}
			closed++
			b.Clock.Advance(50 * time.Millisecond) // more than 20 lines a second about strangers are not written
		}
	}
	if closed < 300 {
		t.Errorf("only %d packets were refused", closed)
	}
	b.Connect("pub").Publish("a/witness/topic", "still here", 1)
	witness.Expect(brokertest.Publish("a/witness/topic", "still here", 1, 1))
	witness.Sync()
	connections(t, b, 2)
	if n := int(b.Stats().Ended["protocol-violation"]); n != closed {
		t.Errorf("%d violations counted, want %d", n, closed)
	}
	if n := len(b.Log.Lines("reason=protocol-violation", "rule=")); n != closed {
		t.Errorf("%d log lines, want %d", n, closed)
	}
}

// What came before the malformed packet in the same read has been delivered. Whether its acknowledgement
// gets out before the connection is closed is a matter of luck.
func TestGoodPacketsBeforeAMalformedOne(t *testing.T) {
	b := open(t)
	sub := b.Connect("sub")
	sub.Subscribe("a/b/c", 1)
	pub := b.Connect("pub")
	pub.Send(brokertest.Publish("a/b/c", "1", 1, 1), brokertest.Publish("a/b/c", "2", 1, 2), brokertest.Bytes{0x36, 0, 0})
	sub.Expect(brokertest.Publish("a/b/c", "1", 1, 1), brokertest.Publish("a/b/c", "2", 1, 2))
	for {
		if _, err := pub.Receive(); err != nil {
			break
		}
	}
	sub.Sync()
}

// A peer that claims a large packet and sends little of it costs little: memory follows what has come.
func TestClaimedLength(t *testing.T) {
	b := open(t)
	for range 50 {
		c := b.Connect("")
		c.Send(brokertest.Bytes{0x30, 0x80, 0x80, 0x10, 0, 1, 'a'}) // 256 KB are to come
	}
	eventually(t, "everything was read", func() bool { return b.Stats().PacketsReceived == 50 })
	if n := b.Stats().Connections; n != 50 {
		t.Errorf("%d connections", n)
	}
}
