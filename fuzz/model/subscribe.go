package model

import (
	"slices"

	"sampan/packet"
)

// subscribe handles SUBSCRIBE: each filter by itself [MQTT-3.8.4-4], one code for each [MQTT-3.8.4-5], in
// their order [MQTT-3.9.3-1].
func (m *Model) subscribe(c *conn, p *packet.Subscribe, f packet.Frame) {
	s := c.session
	e := &expect{kind: packet.TypeSuback, id: p.ID, rule: "MQTT-3.8.4-1", lower: !m.rules.Strict}
	for i, a := range m.asked(c, f) {
		filter, qos := a.filter, a.qos
		_, had := s.subs[filter]
		most := m.rules.MaxSubscriptions
		beyond := m.rules.beyond(filter) != "" || m.rules.Limits.Filters > 0 && i >= m.rules.Limits.Filters
		refused := beyond || m.rules.forbidden(filter) || most > 0 && len(s.subs) >= most && !had
		code := qos
		switch {
		case !refused:
			s.subs[filter] = qos // a new one, or in the place of the old [MQTT-3.8.4-3]
		case c.level < packet.Level311: // MQTT 3.1 cannot say no
		default:
			code = packet.SubackFailure
		}
		e.codes, e.filters = append(e.codes, code), append(e.filters, filter)
		if !refused {
			m.sendRetained(s, filter, qos)
		}
	}
	c.owe(e)
}

// asks reports whether the answer to a subscription to a topic has not come, so that nobody knows yet what is granted.
func (c *conn) asks(topic string) bool {
	return slices.ContainsFunc(c.expects, func(e *expect) bool {
		return !e.done && e.lower && slices.ContainsFunc(e.filters, func(f string) bool { return Matches(f, topic) })
	})
}

// grant takes over what a broker has granted, which may be less than was asked for [MQTT-3.8.4-6]. What is on its way
// to the client under these subscriptions comes accordingly, or need not come at all.
func (m *Model) grant(c *conn, filters []string, codes []byte) {
	s := c.session
	for i, filter := range filters {
		switch asked, there := s.subs[filter]; {
		case !there || codes[i] == asked || c.asksFor(filter): // given up meanwhile, or asked for again
			continue
		case codes[i] == packet.SubackFailure:
			delete(s.subs, filter)
		default:
			s.subs[filter] = codes[i]
		}
		for _, e := range c.expects {
			if e.done || e.d == nil || e.again || !Matches(filter, e.d.m.topic) {
				continue
			}
			granted, _, found := s.match(e.d.m.topic)
			if !found {
				e.optional, e.late = true, true
				continue
			}
			s.lower(e.d, min(e.d.qos, m.qos(e.d.m, granted)))
		}
	}
}

// asksFor reports whether a subscription to this very filter has not been answered.
func (c *conn) asksFor(filter string) bool {
	return slices.ContainsFunc(c.expects, func(e *expect) bool { return !e.done && e.lower && slices.Contains(e.filters, filter) })
}

// lower makes a delivery one of a lower QoS than the session had asked for.
func (s *session) lower(d *delivery, qos byte) {
	if d.qos == qos {
		return
	}
	if d.qos = qos; qos == 0 {
		s.flight = slices.DeleteFunc(s.flight, func(o *delivery) bool { return o == d })
	}
}

// request is a filter of a SUBSCRIBE and the QoS that a broker may grant, as far as it is for the QoS.
type request struct {
	filter string
	qos    byte
}

// asked returns what the client has asked for, whatever package packet makes of it under the restrictions.
func (m *Model) asked(c *conn, f packet.Frame) (asked []request) {
	most := byte(1)
	if m.rules.QoS2 {
		most = 2
	}
	var p packet.Subscribe
	if p.Decode(f, &packet.Limits{Level: c.level}) == nil {
		for filter, qos := range p.All() {
			asked = append(asked, request{string(filter), min(qos, most)})
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
