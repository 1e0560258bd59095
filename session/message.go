package session

import (
	"encoding/binary"
	"time"
)

// Time is a wall-clock instant in milliseconds since 1970-01-01 UTC. Deadlines are absolute, so that they
// mean the same after a restart. Zero means "no deadline".
type Time int64

// Duration is t as a length of time: the difference of two instants.
func (t Time) Duration() time.Duration { return time.Duration(t) * time.Millisecond }

// Ref names a stored message. Refs of one store only grow, in the order of Append, and so give the order
// of every session's queue. Zero means that the message is not stored.
type Ref uint64

// Message is one QoS 1 publication on its way to sessions. It is made once per publication, is never
// changed after it was handed to a session or a store, and is shared by all its receivers.
type Message struct {
	ref     Ref
	expires Time
	topic   int    // length of the topic name in bytes
	idAt    int    // offset of the packet identifier in frame
	frame   []byte // the whole PUBLISH packet: QoS 1, DUP 0, RETAIN 0, identifier 0
}

// publishQoS1 is the first byte of a PUBLISH with QoS 1, DUP 0 and RETAIN 0; dup is the DUP bit in it.
const (
	publishQoS1 = 0x32
	dup         = 0x08
)

// NewMessage copies topic and payload into a message that is dropped if it still waits at expires; one that
// has been sent before is completed [MQTT-2.3.1-3]. The topic name must be valid: 1 to 65,535 bytes; topic and payload together must fit an MQTT
// packet (268,435,455 bytes).
func NewMessage(topic, payload []byte, expires Time) *Message {
	remaining := 2 + len(topic) + 2 + len(payload)
	m := &Message{expires: expires, topic: len(topic)}
	m.frame = make([]byte, 0, 1+4+remaining)
	m.frame = append(m.frame, publishQoS1)
	for n := remaining; ; {
		b := byte(n & 0x7f)
		if n >>= 7; n == 0 {
			m.frame = append(m.frame, b)
			break
		}
		m.frame = append(m.frame, b|0x80)
	}
	m.frame = binary.BigEndian.AppendUint16(m.frame, uint16(len(topic)))
	m.frame = append(m.frame, topic...)
	m.idAt = len(m.frame)
	m.frame = append(m.frame, 0, 0)
	m.frame = append(m.frame, payload...)
	return m
}

// Topic is the topic name. The bytes belong to the message and must not be changed.
func (m *Message) Topic() []byte { return m.frame[m.idAt-m.topic : m.idAt : m.idAt] }

// Payload is the application message. The bytes belong to the message and must not be changed.
func (m *Message) Payload() []byte { return m.frame[m.idAt+2:] }

// Size is the length of the PUBLISH packet in bytes: what the message counts against every limit.
func (m *Message) Size() int { return len(m.frame) }

// Ref is the message's name in its store, or zero if it is not stored.
func (m *Message) Ref() Ref { return m.ref }

// SetRef is for a store, which names a message once, in Append or when it reads it back, before anybody
// else sees it.
func (m *Message) SetRef(r Ref) { m.ref = r }

// Expires is the instant from which the message is not sent for the first time any more, or zero.
func (m *Message) Expires() Time { return m.expires }

// Expired reports whether the message may no longer be sent for the first time at now.
func (m *Message) Expired(now Time) bool { return m.expires != 0 && now >= m.expires }

// AppendTo appends the PUBLISH packet with the given packet identifier to dst. A redelivery has its DUP
// flag set [MQTT-3.3.1-1] and keeps its identifier [MQTT-2.3.1-3].
func (m *Message) AppendTo(dst []byte, id uint16, redelivery bool) []byte {
	at := len(dst)
	dst = append(dst, m.frame...)
	if redelivery {
		dst[at] |= dup
	}
	binary.BigEndian.PutUint16(dst[at+m.idAt:], id)
	return dst
}
