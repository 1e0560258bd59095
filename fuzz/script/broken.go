package script

import (
	"bytes"

	"sampan/packet"
)

// brokenKinds is how many ways there are to break a packet.
const brokenKinds = 24

// broken makes a packet that nobody may send. The number chooses among the variants of a kind.
func broken(kind, n byte) []byte {
	publish := func(p packet.Publish) []byte { return p.AppendTo(nil) }
	topic := topics[n&15]
	switch kind % brokenKinds {
	case 0: // QoS 3 [MQTT-3.3.1-4]
		return publish(packet.Publish{Topic: []byte(topic), QoS: 3, ID: 1})
	case 1: // a wildcard in a topic name [MQTT-3.3.2-2]
		return publish(packet.Publish{Topic: []byte(filters[2+n%7]), Payload: []byte("x")})
	case 2: // the identifier 0 [MQTT-2.3.1-1]
		return publish(packet.Publish{Topic: []byte(topic), QoS: 1})
	case 3: // DUP at QoS 0 [MQTT-3.3.1-2]
		return publish(packet.Publish{Topic: []byte(topic), Dup: true})
	case 4: // an empty topic name [MQTT-4.7.3-1]
		return publish(packet.Publish{Payload: []byte("x")})
	case 5: // U+0000 [MQTT-1.5.3-2]
		return publish(packet.Publish{Topic: []byte("a\x00b")})
	case 6: // no UTF-8, a surrogate, an overlong form [MQTT-1.5.3-1]
		return publish(packet.Publish{Topic: [][]byte{{'a', 0xff}, {0xed, 0xa0, 0x80}, {0xc0, 0x80}, {0xf4, 0x90, 0x80, 0x80}}[n&3]})
	case 7: // SUBSCRIBE without a filter [MQTT-3.8.3-3]
		p := packet.Subscribe{ID: 1}
		return p.AppendTo(nil)
	case 8: // requested QoS 3, or reserved bits [MQTT-3.8.3-4]
		return packet.AppendFrame(nil, 0x82, append(packet.AppendField([]byte{0, 1}, []byte("a"), 1), n|3))
	case 9: // a filter that is none [MQTT-4.7.1-2, MQTT-4.7.1-3]
		p := packet.Subscribe{ID: 1}
		p.Add([]byte([]string{"a#", "#/a", "a+", "+a/b", "a/#/b", "", "a/b+", "##"}[n&7]), 1)
		return p.AppendTo(nil)
	case 10: // wrong flags [MQTT-2.2.2-2, MQTT-3.8.1-1, MQTT-3.10.1-1]
		p := packet.Subscribe{ID: 1}
		p.Add([]byte("a"), 0)
		raw := p.AppendTo(nil)
		raw[0] = 0x80 | n&13
		return raw
	case 11: // UNSUBSCRIBE without a filter [MQTT-3.10.3-2]
		p := packet.Unsubscribe{ID: 1}
		return p.AppendTo(nil)
	case 12: // UNSUBSCRIBE with the identifier 0 [MQTT-2.3.1-1]
		p := packet.Unsubscribe{}
		p.Add([]byte("a"))
		return p.AppendTo(nil)
	case 13: // a second CONNECT [MQTT-3.1.0-2]
		p := packet.Connect{ClientID: []byte("alice"), CleanSession: n&1 == 0, KeepAlive: 60}
		return p.AppendTo(nil)
	case 14: // packets of a server
		return [][]byte{{0x20, 2, 0, 0}, {0xd0, 0}, {0x90, 3, 0, 1, 0}, {0xb0, 2, 0, 1}}[n&3]
	case 15: // types that are reserved
		return []byte{[]byte{0x00, 0xf0}[n&1], 0}
	case 16: // a remaining length of five bytes
		return []byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x7f}
	case 17: // a topic that is longer than the packet
		return packet.AppendFrame(nil, 0x30, packet.AppendField(nil, []byte("a"), 2+int(n)))
	case 18: // an acknowledgement that is too long, or too short
		return packet.AppendFrame(nil, 0x40, make([]byte, n%5))
	case 19: // PINGREQ or DISCONNECT with a body, or flags
		return [][]byte{{0xc0, 1, 0}, {0xe0, 1, 0}, {0xc1, 0}, {0xe1, 0}}[n&3]
	case 20: // QoS 2 packets without a QoS 2 exchange
		a := packet.Ack{Type: []packet.Type{packet.TypePubrec, packet.TypePubrel, packet.TypePubcomp}[n%3], ID: uint16(n) + 1}
		return a.AppendTo(nil)
	case 21: // PUBACK of nothing
		a := packet.Ack{Type: packet.TypePuback, ID: 1000 + uint16(n)}
		return a.AppendTo(nil)
	case 22: // SUBSCRIBE with the identifier 0
		p := packet.Subscribe{}
		p.Add([]byte("a"), 0)
		return p.AppendTo(nil)
	}
	// A good packet with one bit changed.
	raw := publish(packet.Publish{Topic: []byte("a/b"), Payload: []byte("bit"), QoS: 1, ID: 7})
	raw = bytes.Clone(raw)
	raw[int(n>>3)%len(raw)] ^= 1 << (n & 7)
	return raw
}

// brokenConnect makes a first packet that nobody may send. Where a variant is about the bytes of CONNECT, they
// are those of p.
func brokenConnect(p packet.Connect, n byte) []byte {
	level, name := 8, 4 // where they are in a CONNECT of level 4
	p.Level = packet.Level311
	put := func(at int, with byte) []byte {
		raw := p.AppendTo(nil)
		raw[at] = with
		return raw
	}
	switch n % 16 {
	case 0: // levels that are not known [MQTT-3.1.2-2]
		return put(level, []byte{5, 0, 2, 0x84}[n>>4&3])
	case 1: // that of the other name
		return put(level, packet.Level31)
	case 2: // another name [MQTT-3.1.2-1]
		return put(name, 'm')
	case 3: // the reserved flag [MQTT-3.1.2-3]
		return put(level+1, 0x01|n>>4&1<<1)
	case 4: // a QoS of no Will [MQTT-3.1.2-13]
		p.Will, p.WillQoS = false, 1
	case 5: // RETAIN of no Will [MQTT-3.1.2-15]
		p.Will, p.WillRetain = false, true
	case 6: // QoS 3 of a Will [MQTT-3.1.2-14]
		p.Will, p.WillTopic, p.WillQoS = true, []byte("a"), 3
	case 7: // a password without a user name [MQTT-3.1.2-22]
		p.HasPassword, p.Password = true, []byte("x")
	case 8: // a user name that is missing, or too much
		return put(level+1, 0x82)
	case 9:
		p.Username = []byte("u")
		raw := append(p.AppendTo(nil), 0, 0)
		raw[1] += 2
		return raw
	case 10: // no UTF-8, U+0000 [MQTT-1.5.3-1, MQTT-1.5.3-2]
		p.ClientID = [][]byte{{'a', 0xff}, {0xed, 0xa0, 0x80}, {0}, {'a', 0}}[n>>4&3]
	case 11: // no client identifier at all
		return packet.AppendFrame(nil, 0x10, []byte{0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60})
	case 12: // flags of the fixed header
		return put(0, 0x10|1<<(n>>4&3))
	case 13: // something else first [MQTT-3.1.0-1]
		return packet.AppendPingreq(nil)
	case 14:
		return (&packet.Publish{Topic: []byte("a"), Payload: []byte("x")}).AppendTo(nil)
	case 15:
		return packet.AppendDisconnect(nil)
	}
	return p.AppendTo(nil)
}
