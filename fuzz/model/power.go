package model

import "sampan/packet"

// Restart tells that the broker is stopped and started again: connections end, sessions stay if they
// outlive connections [MQTT-4.1.0-1].
func (m *Model) Restart() {
	for i := range maxConns {
		c := m.conns[i]
		if c == nil {
			continue
		}
		c.slow = slow{}
		if c.will != nil && !m.rules.Strict {
			c.will.unreleased = true // whether a broker that stops publishes it is its own affair
		}
		if c.open() {
			m.end(c, ruleRestart)
		}
	}
}

// PowerCut is Restart without a warning: what was acknowledged must be there afterwards. That a message was
// sent need not have been noted, so that one which was not may come with DUP.
func (m *Model) PowerCut() {
	for _, s := range m.sessions {
		if s.conn == nil {
			continue
		}
		for _, d := range s.queue {
			d.doubt = true
		}
	}
	m.Restart()
}

// Promises tells whether an acknowledgement of a packet says that something will be there after a power cut:
// a session, its subscriptions, a message for it. It is asked before the packet is sent, and reports false
// where that depends on more than the packet.
func (m *Model) Promises(i int, raw []byte) bool {
	level := byte(0)
	c := m.conns[i]
	if c != nil && c.open() {
		if c.slow.stalled || c.paused() || len(c.in) > 0 {
			return false
		}
		level = c.level
	}
	limits := m.limitsFor(level)
	f, n, _, err := packet.Next(raw, limits)
	if err != nil || n != len(raw) {
		return false
	}
	switch f.Type() {
	case packet.TypeConnect:
		var p packet.Connect
		if level != 0 || p.Decode(f, limits) != nil || p.CleanSession {
			return false
		}
		code, _ := m.refuses(&p)
		return code == packet.Accepted
	case packet.TypePublish:
		var p packet.Publish
		if level == 0 || p.Decode(f, limits) != nil || p.QoS == 0 || p.Ignored != 0 || m.rules.forbidden(string(p.Topic)) ||
			m.taken(string(p.Topic), p.QoS) || m.tooMany(c) {
			return false
		}
		for _, s := range m.sessions {
			granted, _, found := s.match(string(p.Topic))
			if found && s.persistent && !m.noEcho(string(p.Topic), c, s) && m.qos(&message{qos: p.QoS}, granted) > 0 {
				return true
			}
		}
	case packet.TypeUnsubscribe:
		var p packet.Unsubscribe
		if level == 0 || p.Decode(f, limits) != nil || !c.session.persistent {
			return false
		}
		for filter := range p.All() {
			if _, had := c.session.subs[string(filter)]; had {
				return true
			}
		}
	case packet.TypeSubscribe:
		var p packet.Subscribe
		if level == 0 || p.Decode(f, limits) != nil || !c.session.persistent {
			return false
		}
		for filter, qos := range p.All() {
			if granted, had := c.session.subs[string(filter)]; had && qos != packet.SubackFailure && granted != qos {
				return true
			}
		}
		free := m.rules.MaxSubscriptions - len(c.session.subs)
		for filter, qos := range p.All() {
			_, had := c.session.subs[string(filter)]
			if !had && qos != packet.SubackFailure && free > 0 && !m.rules.forbidden(string(filter)) {
				return true
			}
		}
	}
	return false
}

// BrokenPromise returns the rule that is broken by what the broker has done on a connection after a packet, although
// its disk had nothing of it. nil: it has acknowledged nothing, and closed the connection. A CONNECT is refused.
func BrokenPromise(i int, raw, said []byte, closed bool) *Deviation {
	refused := packet.Type(raw[0]>>4) != packet.TypeConnect
	limits := &packet.Limits{Level: packet.Level31}
	for len(said) > 0 {
		f, n, _, err := packet.Next(said, limits)
		if err != nil || n == 0 {
			return nil
		}
		promise := f.Type() == packet.TypePuback || f.Type() == packet.TypeSuback || f.Type() == packet.TypeUnsuback
		if f.Type() == packet.TypeConnack {
			var p packet.Connack
			promise = p.Decode(f, limits) == nil && p.Code == packet.Accepted
			refused = refused || p.Code == packet.RefusedUnavailable
		}
		if promise {
			return &Deviation{Rule: ruleHolds, Conn: i, Text: "acknowledged before it was on disk", Got: said[:n]}
		}
		said = said[n:]
	}
	switch {
	case !closed:
		return &Deviation{Rule: ruleHolds, Conn: i, Text: "neither acknowledged nor refused", Want: "the connection closed"}
	case !refused:
		return &Deviation{Rule: "MQTT-3.2.0-1", Conn: i, Text: "closed without an answer", Want: "CONNACK 3"}
	}
	return nil
}
