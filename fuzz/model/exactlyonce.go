package model

import (
	"slices"

	"sampan/packet"
)

// receive notes the first half of an exchange that a client has begun: its identifier is in use until PUBREL.
func (s *session) receive(id uint16, msg *message) {
	if s.received == nil {
		s.received = make(map[uint16]*message)
	}
	s.received[id] = msg
}

// release handles PUBREL, which ends an exchange [MQTT-4.3.3-2]. Where a broker delivers the message only now,
// it goes to those that have a subscription now.
func (m *Model) release(c *conn, id uint16) {
	msg := c.session.received[id]
	if msg == nil { // of no exchange: the standard is silent
		c.may++
		c.owe(&expect{kind: packet.TypePubcomp, id: id, optional: true, late: true})
		return
	}
	delete(c.session.received, id)
	c.owe(&expect{kind: packet.TypePubcomp, id: id, rule: "MQTT-4.3.3-2"})
	msg.unreleased = false
	if m.rules.forbidden(msg.topic) {
		return
	}
	if kept := m.retained[msg.topic]; len(kept) > 1 && kept[len(kept)-1] == msg {
		m.keepRetained(msg) // the others cannot be it any more, but for those without PUBREL
	}
	for _, s := range m.sessions {
		granted, _, found := s.match(msg.topic)
		switch d := m.deliveryOf(s, msg); {
		case d != nil && found && !d.unsure:
			m.due(s, d)
		case d != nil:
			d.unsure = d.unsure || !found // it was for a subscription that is gone
		case found: // it is for a subscription that was not there
			d := &delivery{m: msg, qos: m.qos(msg, granted)}
			if s.conn == nil {
				s.maybe = append(s.maybe, d)
			} else {
				s.conn.owe(&expect{kind: packet.TypePublish, d: d, optional: true, copied: true, late: true})
			}
		}
	}
}

// abandon notes that the PUBREL of a message cannot come any more. Whether it is the retained message of its topic
// was decided when it came, if there is a later one, and else never will be.
func (m *Model) abandon(msg *message) {
	msg.abandoned = true
	kept := m.retained[msg.topic]
	i := slices.Index(kept, msg)
	switch {
	case i < 0:
	case slices.ContainsFunc(kept[i+1:], func(o *message) bool { return !o.unreleased }):
		m.setRetained(msg.topic, slices.Delete(kept, i, i+1))
	case i == 0:
		m.setRetained(msg.topic, slices.Insert(kept, 0, &message{topic: msg.topic})) // or none is
	}
}

// deliveryOf returns the delivery of a message to a session, nil if there is none, or it is done.
func (m *Model) deliveryOf(s *session, msg *message) *delivery {
	is := func(d *delivery) bool { return d.m == msg && !d.retain }
	for _, list := range [][]*delivery{s.flight, s.queue, s.maybe} {
		if i := slices.IndexFunc(list, is); i >= 0 {
			return list[i]
		}
	}
	if s.conn != nil {
		for _, e := range s.conn.expects {
			if e.d != nil && is(e.d) && !e.copied {
				return e.d
			}
		}
	}
	return nil
}

// due makes a delivery that might have come one that must.
func (m *Model) due(s *session, d *delivery) {
	if s.conn == nil || !s.conn.open() {
		return
	}
	for _, e := range s.conn.expects {
		if e.d == d && !e.done && !e.copied {
			e.optional, e.late = !m.rules.Strict && m.reserved(d.m.topic), false
		}
	}
}
