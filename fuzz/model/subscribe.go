package model

import "sampan/packet"

// subscribe handles SUBSCRIBE: each filter by itself [MQTT-3.8.4-4], one code for each [MQTT-3.8.4-5], in
// their order [MQTT-3.9.3-1].
func (m *Model) subscribe(c *conn, p *packet.Subscribe, f packet.Frame) {
	s := c.session
	asked := m.asked(c, f)
	e := &expect{kind: packet.TypeSuback, id: p.ID, rule: "MQTT-3.8.4-1"}
	for raw, qos := range p.All() {
		filter := string(raw)
		_, had := s.subs[filter]
		most := m.rules.MaxSubscriptions
		refused := qos == packet.SubackFailure || m.rules.forbidden(filter) || most > 0 && len(s.subs) >= most && !had
		code := qos
		switch {
		case !refused:
			s.subs[filter] = qos // a new one, or in the place of the old [MQTT-3.8.4-3]
		case c.level < packet.Level311: // MQTT 3.1 cannot say no
			code = asked[len(e.codes)]
		default:
			code = packet.SubackFailure
		}
		e.codes = append(e.codes, code)
		if !refused {
			m.sendRetained(s, filter, qos)
		}
	}
	c.owe(e)
}

// asked returns the QoS of each filter as the client has asked for it, at most 1.
func (m *Model) asked(c *conn, f packet.Frame) (asked []byte) {
	l := *m.limitsFor(c.level)
	l.Topic, l.Slashes, l.Filters, l.SubscribeQoS2 = 0, 0, 0, packet.Ignore
	var p packet.Subscribe
	if p.Decode(f, &l) == nil {
		for _, qos := range p.All() {
			asked = append(asked, qos)
		}
	}
	return asked
}

// unsubscribe handles UNSUBSCRIBE: a filter that is there character by character is deleted
// [MQTT-3.10.4-1], and the answer is the same if none is [MQTT-3.10.4-5].
func (m *Model) unsubscribe(c *conn, p *packet.Unsubscribe) {
	for filter := range p.All() {
		delete(c.session.subs, string(filter))
	}
	c.owe(&expect{kind: packet.TypeUnsuback, id: p.ID, rule: "MQTT-3.10.4-4"})
}
