package load

import (
	"bytes"
	"encoding/binary"

	"sampan/bench/fault"
	"sampan/bench/proof"
	"sampan/packet"
)

// publishes takes a run of whole PUBLISH packets where they lie. It looks at
// each once and copies nothing; what is the same for neighbours, such as the
// stream and the send time, is booked for all of them together. It stops at
// the first packet that it cannot take.
func (c *conn) publishes(b []byte, now int64) (used int) {
	var (
		l    = c.lane
		seal = l.engine.seal
		t    = tally{lane: l, now: proof.Ticks(now)}
	)
	for {
		f := b[used:]
		if c.ref != nil {
			if n := c.repeated(f, &t); n > 0 {
				used += n
				continue
			}
		}
		if len(f) < 4 || f[0]&0xf0 != 0x30 {
			break
		}
		// The remaining length: one or two bytes nearly always.
		head, rest := 2, int(f[1])
		if rest >= 0x80 {
			if head, rest = remaining(f); head == 0 {
				break
			}
		}
		end := head + rest
		if end > len(f) || rest < 2 {
			break
		}
		qos := f[0] >> 1 & 3
		topicEnd := head + 2 + int(binary.BigEndian.Uint16(f[head:]))
		payload := topicEnd
		if qos > 0 {
			payload += 2
		}
		if payload > end || qos > 1 || topicEnd == head+2 {
			break
		}
		topic := f[head+2 : topicEnd]
		m, whole := seal.Open(f[payload:end])
		if c.client.Answers {
			c.answer(f[0], topic, f[payload:end], whole)
		} else if s := l.engine.find(m.Stream); !whole || s == nil || s.Deliver != qos ||
			s.Size != end-payload || !s.expects(topic, m.Seq) {
			c.wrong(f[:end], topic, f[payload:end], m, whole)
		} else {
			c.delivery(&t, s, m, f[:end], topicEnd)
		}
		if qos > 0 {
			l.acks = append(l.acks, byte(packet.TypePuback)<<4, 2, f[topicEnd], f[topicEnd+1])
		}
		used += end
	}
	t.book()
	if len(l.acks) > 0 {
		if c.phase != gone {
			c.write(l.acks)
		}
		l.acks = l.acks[:0]
	}
	return used
}

// remaining decodes a remaining length of two bytes and more; head is 0 if it
// is not complete or too long.
func remaining(f []byte) (head, rest int) {
	for i := 1; i < min(len(f), 5); i++ {
		rest |= int(f[i]&0x7f) << (7 * (i - 1))
		if f[i] < 0x80 {
			return i + 1, rest
		}
	}
	return 0, 0
}

// tally gathers what neighbouring messages have in common.
type tally struct {
	lane   *lane
	now    uint64 // ticks
	stream *stream
	fresh  int64  // messages of stream that came for the first time
	sent   uint64 // ticks
}

// add counts n messages that came for the first time.
func (t *tally) add(s *stream, sent uint64, n int64) {
	if s != t.stream || sent != t.sent {
		t.book()
		t.stream, t.sent = s, sent
	}
	t.fresh += n
}

// book puts the sums where they belong.
func (t *tally) book() {
	if t.fresh == 0 {
		return
	}
	l := t.lane
	l.delivered(t.sent, proof.Between(t.sent, t.now), uint64(t.fresh))
	t.stream.arrived(t.fresh, l)
	t.fresh = 0
}

// delivery follows a message that is what it should be; its packet has its
// identifier, if any, at id.
func (c *conn) delivery(t *tally, s *stream, m proof.Stamp, packet []byte, id int) {
	i, ok := c.client.receiving(m.Stream)
	if !ok {
		c.lane.count.Misrouted++
		c.lane.engine.faults.Add(fault.Misrouted, "message %d of topic %q at client %q, which did not subscribe to it", m.Seq, s.Topic, c.name())
		return
	}
	if g := c.client.group; g != nil {
		if g.first(m) {
			t.add(s, m.Sent, 1)
		} else {
			c.doubled(s, m, packet[0])
		}
		return
	}
	tr := &c.client.trackers[i]
	if tr.Expected(m.Seq) {
		t.add(s, m.Sent, 1)
		if r := c.lane.referenceFor(s); r != nil {
			if s.Deliver == 0 {
				id = 0
			}
			r.learn(packet, m, id)
			c.ref = r
		}
		return
	}
	count := &c.lane.count
	switch a, missing := tr.Unexpected(m.Seq); a {
	case proof.Ahead:
		count.Missing += int64(missing)
		t.add(s, m.Sent, 1)
	case proof.Late:
		count.Missing--
		count.Reordered++
		c.lane.engine.faults.Add(fault.Reordered, "message %d of topic %q came to client %q after a later one", m.Seq, s.Topic, c.name())
		t.add(s, m.Sent, 1)
	case proof.Doubled:
		c.doubled(s, m, packet[0])
	}
}

// doubled counts a message that came before. At QoS 1 a broker may send again
// what was not acknowledged before the connection changed, and says so with
// DUP (MQTT-4.4.0-1); what is still in the pipe of the older connection is
// excused as well.
func (c *conn) doubled(s *stream, m proof.Stamp, first byte) {
	const dup = 0x08
	if s.Deliver > 0 && c.client.connects > 1 && (first&dup != 0 || c.old) {
		c.lane.count.Redelivered++
		return
	}
	c.lane.count.Doubled++
	c.lane.engine.faults.Add(fault.Doubled, "message %d of topic %q at client %q", m.Seq, s.Topic, c.name())
}

// wrong finds out what is wrong with a message.
func (c *conn) wrong(frame, topic, payload []byte, m proof.Stamp, whole bool) {
	e := c.lane.engine
	s := e.byTopic(topic)
	switch {
	case s == nil && !whole:
		c.lane.count.Foreign++
		e.faults.Add(fault.Foreign, "client %q was sent topic %q, not of this run", c.name(), topic)
	case s == nil:
		c.corrupted("topic %q around a message of another topic", topic)
	case len(payload) != s.Size:
		c.corrupted("topic %q: payload of %d bytes instead of %d: %s", topic, len(payload), s.Size, fault.Show(payload))
	case !whole:
		c.corrupted("topic %q: payload %s", topic, fault.Show(payload))
	case int(m.Stream) != int(s.index):
		c.corrupted("topic %q around a message of another topic", topic)
	default:
		c.corrupted("topic %q: delivered at QoS %d instead of %d", topic, frame[0]>>1&3, s.Deliver)
	}
}

// corrupted counts a message that came changed.
func (c *conn) corrupted(format string, args ...any) {
	c.lane.count.Corrupted++
	c.lane.engine.faults.Add(fault.Corrupted, "client %q: "+format, append([]any{c.name()}, args...)...)
}

// strange finds what is wrong with a whole PUBLISH that publishes left.
func (c *conn) strange(f packet.Frame) {
	var p packet.Publish
	if err := p.Decode(f, nil); err != nil {
		c.fail(fault.Garbage, "%v: %s", err, fault.Show(f.Raw))
		return
	}
	c.fail(fault.Violation, "PUBLISH at QoS %d, which was not asked for", p.QoS)
}

// The parts of an RRPC topic that tell a request from its answer.
var (
	request  = []byte("/request/")
	response = []byte("/response/")
)

// answer sends a request back as a device does: the same payload, QoS 0, on
// the topic of the response.
func (c *conn) answer(first byte, topic, payload []byte, whole bool) {
	l := c.lane
	at := bytes.LastIndex(topic, request)
	if at < 0 || !whole {
		c.corrupted("topic %q is no request of this run: payload %s", topic, fault.Show(payload))
		return
	}
	l.count.Answered++
	l.scratch = append(append(append(l.scratch[:0], topic[:at]...), response...), topic[at+len(request):]...)
	p := packet.Publish{Topic: l.scratch, Payload: payload}
	l.begin(c)
	l.out = p.AppendTo(l.out)
}
