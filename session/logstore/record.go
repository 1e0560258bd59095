package logstore

import (
	"encoding/binary"
	"errors"

	"sampan/session"
	"sampan/session/internal/queue"
	"sampan/session/wal"
)

// A record of the log begins with its type. Numbers are varints, as in encoding/binary; strings have their
// length before them. Except where said otherwise, a record is an effect on a session that is known from an
// earlier record, and none if it is not: that of a checkpoint will come.
const (
	// recOpened: session, identity.
	recOpened = iota + 1

	// recMessage: Ref, expiry, length of the topic, number of sessions, topic, payload; the sessions are
	// at the end, each as the difference to the one before. With more than inlineTargets sessions, the
	// number is 0, and all are in a recTargets before.
	recMessage

	// recTargets: Ref, number of sessions, sessions. It takes effect with its recMessage.
	recTargets

	// recChanges: any number of changes: kind, session, and the fields that the kind names.
	recChanges

	// recMoved: a recMessage without sessions: the message is now here. No effect on queues.
	recMoved

	// recBegin: the highest session and Ref given. A checkpoint follows, among other records.
	recBegin

	// recPart: any number of sessions as they are here, or parts of them; see part. It makes a session
	// known, and has no effect on one that is.
	recPart

	// recEnd: the position of the recBegin. Every session open now is known to who has read from there.
	recEnd
)

// inlineTargets is for how many sessions a message has them in its own record, which each Load reads.
const inlineTargets = 16

// errRecord says that a record has its checksum, but cannot be understood.
var errRecord = errors.New("logstore: a record in the log is not one of this store's")

// decoder reads numbers and strings from the start of a record. After it has met the end, it returns zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

// bytes returns the next n bytes, which belong to the record.
func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.b, d.bad = nil, true
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes(d.uint())) }

func appendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }
func appendInt(b []byte, v int64) []byte   { return binary.AppendVarint(b, v) }

func appendString(b []byte, s string) []byte {
	return append(appendUint(b, uint64(len(s))), s...)
}

func appendOpened(b []byte, id session.ID, identity string) []byte {
	b = append(b, recOpened)
	b = appendUint(b, uint64(id))
	return appendString(b, identity)
}

// messageHead is the front of a recMessage or recMoved.
type messageHead struct {
	ref     session.Ref
	expires session.Time
	topic   int // bytes
	payload int // bytes
	targets int // sessions at the end
}

// appendMessageHead appends the front, with the type. The topic and the payload follow it, then the
// targets.
func appendMessageHead(b []byte, kind byte, h messageHead) []byte {
	b = append(b, kind)
	b = appendUint(b, uint64(h.ref))
	b = appendInt(b, int64(h.expires))
	b = appendUint(b, uint64(h.topic))
	b = appendUint(b, uint64(h.payload))
	return appendUint(b, uint64(h.targets))
}

// messageHead decodes the front, behind the type; the decoder is then at the topic.
func (d *decoder) messageHead() (h messageHead) {
	h.ref = session.Ref(d.uint())
	h.expires = session.Time(d.int())
	topic, payload := d.uint(), d.uint()
	h.targets = int(d.uint())
	if topic > 65535 || payload > maxSize || topic+payload > uint64(len(d.b)) || h.ref == 0 || h.ref > queue.MaxRef {
		d.b, d.bad = nil, true
		return messageHead{}
	}
	h.topic, h.payload = int(topic), int(payload)
	return h
}

// packetSize is the length of the PUBLISH packet that the message makes.
func (h messageHead) packetSize() int {
	remaining := 2 + h.topic + 2 + h.payload
	n := 1 + remaining
	for r := remaining; ; {
		n++
		if r >>= 7; r == 0 {
			return n
		}
	}
}

func appendTargets(b []byte, ids []session.ID) []byte {
	last := session.ID(0)
	for _, id := range ids {
		b = appendInt(b, int64(id-last))
		last = id
	}
	return b
}

// targets decodes n sessions and appends them to ids.
func (d *decoder) targets(ids []session.ID, n int) []session.ID {
	last := session.ID(0)
	for range n {
		last += session.ID(d.int())
		if d.bad {
			break
		}
		ids = append(ids, last)
	}
	return ids
}

func appendChange(b []byte, c *session.Change) []byte {
	b = append(b, byte(c.Kind))
	b = appendUint(b, uint64(c.Session))
	switch c.Kind {
	case session.Disconnected:
		b = appendInt(b, int64(c.Until))
		b = appendUint(b, uint64(c.Ref))
	case session.Subscribed:
		b = append(b, c.QoS)
		b = appendString(b, c.Filter)
	case session.Unsubscribed:
		b = appendString(b, c.Filter)
	case session.Sent:
		b = appendUint(b, uint64(c.Ref))
		b = appendUint(b, uint64(c.PacketID))
	case session.Done:
		b = appendUint(b, uint64(c.Ref))
	}
	return b
}

func (d *decoder) change() (c session.Change) {
	c.Kind = session.ChangeKind(d.byte())
	c.Session = session.ID(d.uint())
	switch c.Kind {
	case session.Closed, session.Connected:
	case session.Disconnected:
		c.Until = session.Time(d.int())
		c.Ref = session.Ref(d.uint())
	case session.Subscribed:
		c.QoS = d.byte()
		c.Filter = d.string()
	case session.Unsubscribed:
		c.Filter = d.string()
	case session.Sent:
		c.Ref = session.Ref(d.uint())
		c.PacketID = uint16(d.uint())
	case session.Done:
		c.Ref = session.Ref(d.uint())
	default:
		d.bad = true
	}
	return c
}

func appendBegin(b []byte, id session.ID, ref session.Ref) []byte {
	b = append(b, recBegin)
	b = appendUint(b, uint64(id))
	return appendUint(b, uint64(ref))
}

func appendEnd(b []byte, begin wal.Pos) []byte {
	return appendUint(append(b, recEnd), uint64(begin))
}
