package model

import (
	"fmt"
	"slices"
	"time"

	"sampan/packet"
)

// message is a publication.
type message struct {
	number         int // in the order of publication
	topic, payload string
	qos            byte
	retain         bool // as the publisher has set it
	from           *conn
	will           bool          // it was one
	at             time.Duration // when it was published
	unreleased     bool          // QoS 2: PUBREL has not come, and a broker may deliver it now or then
	abandoned      bool          // nor can it come any more: the session is gone
}

// delivery is a message on its way to one session.
type delivery struct {
	m      *message
	qos    byte
	retain bool   // sent because of a new subscription [MQTT-3.3.1-8]
	copies []byte // QoS of the further copies that the broker may send
	id     uint16 // 0 until one was seen
	sent   bool   // the broker has sent it, or should have
	seen   bool   // it was seen
	doubt  bool   // a broker may have sent it where nobody could see it
	unsure bool   // a broker need not have it for this session
	phase2 bool   // QoS 2: PUBREC was sent
}

// publish handles PUBLISH.
func (m *Model) publish(c *conn, p *packet.Publish) {
	if p.Ignored&packet.IgnoredPublish != 0 {
		return // QoS 2, dropped by configuration
	}
	rule := m.rules.beyond(string(p.Topic))
	if most := m.rules.Limits.Payload; most > 0 && len(p.Payload) > most {
		rule = string(packet.RuleLimitPayload)
	}
	if rule != "" { // whatever package packet makes of it
		m.end(c, rule)
		return
	}
	if m.overQuota(c) {
		return // dropped without an answer (platform: over-limit PUBLISH)
	}
	if m.rules.CloseForbidden && m.rules.forbidden(string(p.Topic)) {
		m.end(c, "MQTT-3.3.5-2")
		return
	}
	switch p.QoS { // [MQTT-3.3.4-1]
	case 1: // behind what the client itself receives of it
		defer c.owe(&expect{kind: packet.TypePuback, id: p.ID, rule: "MQTT-4.3.2-2"})
	case 2:
		c.owe(&expect{kind: packet.TypePubrec, id: p.ID, rule: "MQTT-4.3.3-2"})
		if c.session.received[p.ID] != nil {
			return // the same message again [MQTT-4.3.3-2]
		}
	}
	topic := string(p.Topic)
	if !m.rules.Strict && m.reserved(topic) {
		c.may++
	}
	msg := &message{topic: topic, payload: string(p.Payload), qos: p.QoS, retain: p.Retain, unreleased: p.QoS == 2}
	if p.QoS == 2 {
		c.session.receive(p.ID, msg)
	}
	if m.rules.forbidden(topic) {
		return // acknowledged and dropped [MQTT-3.3.5-2]
	}
	if m.taken(topic, p.QoS) {
		return
	}
	m.route(msg, c)
}

// route adds a message to every session that has a matching subscription [MQTT-4.5.0-1].
func (m *Model) route(msg *message, from *conn) {
	m.number(msg, from)
	if msg.retain && m.rules.Retain {
		m.keepRetained(msg)
	}
	m.routed = append(m.routed, msg)
	for _, s := range m.sessions {
		granted, others, found := s.match(msg.topic)
		if !found || m.noEcho(msg.topic, from, s) {
			continue
		}
		m.deliver(s, &delivery{m: msg, qos: m.qos(msg, granted), copies: m.copies(msg, others)})
	}
}

// number gives a message its place.
func (m *Model) number(msg *message, from *conn) {
	m.messages++
	msg.number, msg.at, msg.from = m.messages, m.now, from
}

// qos is the QoS at which a message goes out under a subscription [MQTT-3.8.4-6].
func (m *Model) qos(msg *message, granted byte) byte {
	if !m.rules.LowerQoS {
		return msg.qos // platform: the subscription's QoS is not supported
	}
	return min(msg.qos, granted)
}

// copies is what else a broker may send for overlapping subscriptions (section 3.3.5).
func (m *Model) copies(msg *message, granted []byte) (qos []byte) {
	if m.rules.Strict {
		return nil
	}
	for _, g := range granted {
		qos = append(qos, m.qos(msg, g))
	}
	return qos
}

// deliver sends a message to a session's connection, or keeps it.
func (m *Model) deliver(s *session, d *delivery) {
	switch {
	case d.qos == 0:
		if s.here() {
			// What waited for a client that has just begun to read may still be there.
			d.unsure = d.unsure || s.conn.slow.catchingUp && m.rules.Outbound > 0
			if s.conn.room(d.size()) { // or it is dropped: a slow client harms nobody else
				m.send(s, d)
			}
		} else if !m.rules.Strict { // nobody is there to have it, but a broker may keep it
			s.maybe = append(s.maybe, d)
		}
	case s.here() && len(s.queue) == 0 && m.windowOpen(s) && s.conn.room(d.size()):
		m.send(s, d)
	default: // [MQTT-3.1.2-5]
		if most := m.rules.Queue; most > 0 && len(s.queue) >= most {
			if m.rules.DropNewest {
				return
			}
			s.queue = s.queue[1:]
		}
		s.queue = append(s.queue, d)
	}
}

// here reports whether the client has a connection that gets messages.
func (s *session) here() bool { return s.conn != nil && !s.conn.joining }

func (m *Model) windowOpen(s *session) bool {
	return m.rules.Window == 0 || len(s.flight) < m.rules.Window
}

// send makes the broker owe a delivery to a connection.
func (m *Model) send(s *session, d *delivery) {
	again := d.sent
	d.sent = true
	if d.qos > 0 && !again {
		s.flight = append(s.flight, d)
	}
	e := &expect{kind: packet.TypePublish, d: d, again: again, rule: "MQTT-4.5.0-1"}
	switch {
	case again:
		e.rule = "MQTT-4.4.0-1"
	case d.retain:
		e.rule = "MQTT-3.3.1-6"
	case d.m.will:
		e.rule = "MQTT-3.1.2-8"
	}
	e.late = d.m.unreleased || d.unsure
	e.optional = e.late || !m.rules.Strict && s.conn.ended == "" && m.reserved(d.m.topic)
	s.conn.owe(e)
	if !again {
		for _, qos := range d.copies {
			c := &delivery{m: d.m, qos: qos, retain: d.retain, sent: true}
			s.conn.owe(&expect{kind: packet.TypePublish, d: c, rule: e.rule, optional: true, copied: true})
		}
	}
}

// reserved reports topics that a broker may keep for its own use (section 4.7.2).
func (m *Model) reserved(topic string) bool { return topic[0] == '$' }

// resume sends what was in flight again, in its order [MQTT-4.4.0-1, MQTT-4.6.0-1], and then what has
// waited.
func (m *Model) resume(s *session) {
	for _, d := range s.flight {
		if d.phase2 {
			s.conn.owe(&expect{kind: packet.TypePubrel, id: d.id, rule: "MQTT-4.4.0-1"})
		} else {
			m.send(s, d)
		}
	}
	for _, d := range s.maybe {
		s.conn.owe(&expect{kind: packet.TypePublish, d: d, optional: true, copied: true})
	}
	s.maybe = nil
	m.pump(s)
}

// pump sends what waits, as far as the window allows.
func (m *Model) pump(s *session) {
	for s.conn != nil && len(s.queue) > 0 && m.windowOpen(s) && s.conn.room(1) {
		d := s.queue[0]
		s.queue = s.queue[1:]
		if t := m.rules.MessageExpiry; t > 0 && m.now >= d.m.at+t {
			continue // platform: QoS 1 messages are stored for 7 days
		}
		m.send(s, d)
	}
}

// acknowledge handles the client's PUBACK, and PUBREC and PUBCOMP where QoS 2 is supported. An
// acknowledgement of nothing is ignored; a general broker may also close.
func (m *Model) acknowledge(c *conn, p *packet.Ack) {
	s := c.session
	i := slices.IndexFunc(s.flight, func(d *delivery) bool { return d.id == p.ID })
	if p.Type == packet.TypePubrel {
		m.release(c, p.ID)
		return
	}
	if i < 0 || (p.Type == packet.TypePuback) != (s.flight[i].qos == 1) {
		if !m.rules.Strict { // the standard is silent
			c.may++
			if p.Type == packet.TypePubrec {
				c.owe(&expect{kind: packet.TypePubrel, id: p.ID, optional: true, late: true})
			}
		}
		return
	}
	d := s.flight[i]
	if p.Type == packet.TypePubrec {
		d.phase2 = true
		c.owe(&expect{kind: packet.TypePubrel, id: p.ID, rule: "MQTT-4.3.3-1"})
		return
	}
	s.flight = slices.Delete(s.flight, i, i+1) // the identifier is free again [MQTT-2.3.1-3]
	s.acked = d.id
	c.got = slices.DeleteFunc(c.got, func(o *delivery) bool { return o == d })
	m.pump(s)
}

// size is how many bytes the PUBLISH has.
func (d *delivery) size() int { return len((&expect{kind: packet.TypePublish, d: d}).packet()) }

// Acknowledge returns the packet that acknowledges the n-th, from 0, of the messages that a connection has
// received and not acknowledged. It is nil if there are fewer.
func (m *Model) Acknowledge(i, n int) []byte {
	c := m.conns[i]
	if c == nil || !c.open() {
		return nil
	}
	for _, d := range c.got {
		if d.phase2 {
			continue
		}
		if n > 0 {
			n--
			continue
		}
		a := packet.Ack{Type: packet.TypePuback, ID: d.id}
		if d.qos == 2 {
			a.Type = packet.TypePubrec
		}
		return a.AppendTo(nil)
	}
	return nil
}

// AcknowledgeAgain returns a second packet for the message of QoS 1 that was acknowledged last, which is one of
// nothing now. It is nil if there is none, or if the broker may have given the identifier to another.
func (m *Model) AcknowledgeAgain(i int) []byte {
	if !m.Accepted(i) {
		return nil
	}
	s := m.conns[i].session
	taken := func(d *delivery) bool { return d.id == 0 || d.id == s.acked }
	if s.acked == 0 || slices.ContainsFunc(s.flight, taken) {
		return nil
	}
	a := packet.Ack{Type: packet.TypePuback, ID: s.acked}
	return a.AppendTo(nil)
}

// Routed is the messages that somebody in the broker's own process gets who has subscribed to all topics, each as
// text, since it was asked last.
func (m *Model) Routed() (all []string) {
	for _, msg := range m.routed {
		if Matches("#", msg.topic) {
			all = append(all, fmt.Sprintf("%s q%d %q", msg.topic, msg.qos, msg.payload))
		}
	}
	m.routed = m.routed[:0]
	return all
}
