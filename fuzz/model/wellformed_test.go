package model

import (
	"testing"

	"sampan/packet"
)

// What the standard says of whole packets of a client, by statement. Level 0: nothing has come before.
func TestIllFormed(t *testing.T) {
	connect := func(change func(*packet.Connect)) []byte {
		p := packet.Connect{Level: packet.Level311, CleanSession: true, ClientID: []byte("a"), HasUsername: true, Username: []byte("u")}
		change(&p)
		return p.AppendTo(nil)
	}
	publish := func(topic string) []byte { return (&packet.Publish{Topic: []byte(topic)}).AppendTo(nil) }
	subscribe := func(filter string) []byte {
		p := packet.Subscribe{ID: 1}
		p.Add([]byte(filter), 1)
		return p.AppendTo(nil)
	}
	for _, c := range []struct {
		name  string
		raw   []byte
		level byte
		want  string
	}{
		{"CONNECT", connect(func(*packet.Connect) {}), 0, ""},
		{"flags of no Will", connect(func(p *packet.Connect) { p.WillQoS = 1 }), 0, "MQTT-3.1.2-11"},
		{"the same in 3.1", connect(func(p *packet.Connect) { p.Level, p.WillQoS, p.WillRetain = packet.Level31, 3, true }), 0, ""},
		{"another CONNECT", connect(func(*packet.Connect) {}), packet.Level311, "MQTT-3.1.0-2"},
		{"something else first", packet.AppendPingreq(nil), 0, "MQTT-3.1.0-1"},
		{"two texts that are one together", connect(func(p *packet.Connect) { p.ClientID, p.Username = []byte("a\xc3"), []byte("\xa9b") }), 0, "MQTT-1.5.3-1"},
		{"U+0000", connect(func(p *packet.Connect) { p.Username = []byte{0} }), 0, "MQTT-1.5.3-2"},
		{"no name, kept", connect(func(p *packet.Connect) { p.ClientID, p.CleanSession = nil, false }), 0, "MQTT-3.1.3-8"},
		{"PUBLISH", publish("a/b"), packet.Level311, ""},
		{"to a wildcard", publish("a/+"), packet.Level311, "MQTT-3.3.2-2"},
		{"to nothing", publish(""), packet.Level311, "MQTT-4.7.3-1"},
		{"SUBSCRIBE", subscribe("+/a/#"), packet.Level311, ""},
		{"# that is not last", subscribe("a/#/b"), packet.Level311, "MQTT-4.7.1-2"},
		{"+ in a level", subscribe("a/b+"), packet.Level311, "MQTT-4.7.1-3"},
		{"SUBSCRIBE of nothing", []byte{0x82, 2, 0, 1}, packet.Level311, "MQTT-3.8.3-3"},
		{"a filter that ends early", []byte{0x82, 5, 0, 1, 0, 9, 'a'}, packet.Level311, "MQTT-3.8.3-1"},
		{"UNSUBSCRIBE of nothing", []byte{0xa2, 2, 0, 1}, packet.Level311, "MQTT-3.10.3-2"},
		{"a filter of it that ends early", []byte{0xa2, 5, 0, 1, 0, 9, 'a'}, packet.Level311, "MQTT-3.10.3-1"},
		{"PUBACK of nothing", []byte{0x40, 2, 0, 0}, packet.Level311, "MQTT-2.3.1-6"},
		{"PINGREQ with a body", []byte{0xc0, 1, 0}, packet.Level311, "MQTT-4.8.0-1"},
		{"CONNACK from a client", []byte{0x20, 2, 0, 0}, packet.Level311, "MQTT-4.8.0-1"},
	} {
		if got := illFormed(c.raw, c.level); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
