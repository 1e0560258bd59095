package model

import (
	"fmt"
	"slices"
	"time"

	"sampan/packet"
)

// session is a client's state, from its CONNECT on [MQTT-4.1.0-2].
type session struct {
	key        string
	persistent bool
	subs       map[string]byte     // filter: granted QoS
	flight     []*delivery         // sent above QoS 0 and not acknowledged, in the order of sending
	queue      []*delivery         // not yet sent
	maybe      []*delivery         // messages that a broker may have kept while the client was away
	received   map[uint16]*message // QoS 2 messages of the client, by identifier, until their PUBREL
	acked      uint16              // the identifier that was acknowledged last
	conn       *conn               // nil: the client is away
	left       time.Duration       // when its connection ended
}

func (m *Model) find(key string) *session {
	for _, s := range m.sessions {
		if s.key == key {
			return s
		}
	}
	return nil
}

// forget ends a session.
func (m *Model) forget(s *session) {
	m.sessions = slices.DeleteFunc(m.sessions, func(o *session) bool { return o == s })
	for _, msg := range s.received {
		m.abandon(msg)
	}
}

// connect handles CONNECT.
func (m *Model) connect(c *conn, p *packet.Connect) {
	if code, rule := m.refuses(p); code != packet.Accepted {
		m.end(c, "MQTT-3.2.2-5") // closed after the CONNACK
		c.owe(&expect{kind: packet.TypeConnack, code: code, rule: rule})
		return
	}
	key := string(p.ClientID)
	if key == "" { // with CleanSession 1, or it would not have been decoded [MQTT-3.1.3-6, MQTT-3.1.3-7]
		m.names++
		key = fmt.Sprintf("\x00%d", m.names)
	}

	s := m.find(key)
	if s != nil && s.conn != nil { // the older connection of the same client [MQTT-3.1.4-2]
		m.end(s.conn, "MQTT-3.1.4-2")
		s = m.find(key)
	}
	discarded := s != nil && s.persistent && p.CleanSession
	if s != nil && p.CleanSession { // [MQTT-3.1.2-6]
		m.forget(s)
		s = nil
	}
	present := s != nil // [MQTT-3.1.2-4]
	c.joining = m.late && (discarded || !p.CleanSession)
	if s == nil {
		s = &session{key: key, subs: make(map[string]byte)}
		m.sessions = append(m.sessions, s)
	}
	for filter := range s.subs { // the permissions of today count, also for what the program has subscribed to for it
		if m.rules.forbidden(filter) {
			delete(s.subs, filter)
		}
	}
	if own := m.rules.Principal.Own; own != "" {
		s.subs[own] = 1
	}
	s.persistent = !p.CleanSession
	s.conn = c
	c.session, c.level, c.keepAlive = s, p.Level, keepAlive(p)
	if d := m.rules.Principal.Lifetime; d > 0 {
		c.ends = m.now + d
	}
	if p.Will && m.rules.Will {
		c.will = &message{topic: string(p.WillTopic), payload: string(p.WillMessage), qos: p.WillQoS, retain: p.WillRetain, will: true}
	}

	e := &expect{kind: packet.TypeConnack, code: packet.Accepted, rule: "MQTT-3.1.4-4"}
	if p.Level >= packet.Level311 { // MQTT 3.1 has no such bit
		e.present, e.rule = present, "MQTT-3.2.2-3"
		switch {
		case p.CleanSession:
			e.rule = "MQTT-3.2.2-1"
		case present:
			e.rule = "MQTT-3.2.2-2"
		}
	} else {
		e.anyPresent = !m.rules.Strict
	}
	c.owe(e)
	if !c.joining {
		m.enter(s)
	}
}

// refuses returns the code with which a CONNECT is refused, and the rule that asks for it.
func (m *Model) refuses(p *packet.Connect) (code packet.ReturnCode, rule string) {
	alive, low, high := keepAlive(p), m.rules.KeepAliveMin, m.rules.KeepAliveMax
	switch {
	case m.rules.Password != "" && string(p.Password) != m.rules.Password:
		return packet.RefusedCredentials, ruleCredentials
	case alive < low && !(alive == 0 && m.rules.NoKeepAlive), high > 0 && alive > high:
		return packet.RefusedIdentifier, ruleKeepAlive
	}
	return packet.Accepted, ""
}

func keepAlive(p *packet.Connect) time.Duration { return time.Duration(p.KeepAlive) * time.Second }

// leave takes a connection from its session, which stays or ends with it.
func (m *Model) leave(c *conn) {
	s := c.session
	if s != nil && s.conn == c {
		s.conn, s.left = nil, m.now
		if !s.persistent {
			m.forget(s) // [MQTT-3.1.2-6]
		}
	}
	if w := c.will; w != nil { // [MQTT-3.1.2-8]
		c.will = nil
		m.route(w, c)
		if s != nil && !m.rules.Strict { // a client may see its own, if the connection is still there
			m.ownWill(c, s, w)
		}
	}
}

// ownWill allows the Will to reach the client that has left it, on the connection that ends.
func (m *Model) ownWill(c *conn, s *session, w *message) {
	granted, others, found := s.match(w.topic)
	if !found {
		return
	}
	for _, g := range append(others, granted) {
		d := &delivery{m: w, qos: m.qos(w, g)}
		c.owe(&expect{kind: packet.TypePublish, d: d, optional: true, copied: true, late: true})
	}
	for _, d := range s.queue {
		d.doubt = d.doubt || d.m == w
	}
}
