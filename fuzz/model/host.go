package model

import (
	"fmt"
	"strings"
)

// Verb is what a program does with the broker in its process.
type Verb uint8

// What it can do.
const (
	HostPublish     Verb = iota // send a message to everybody who has subscribed
	HostDeliver                 // send a message to one client, whether it has subscribed or not
	HostOffer                   // send a message to one client, if it has subscribed
	HostSubscribe               // subscribe for a client
	HostUnsubscribe             // and take that back
	HostDisconnect              // close a client's connection
	HostDiscard                 // end its session, too
	Verbs                       // how many there are
)

// Call is a call of the program in whose process the broker is. Clients have no say in it: neither their
// permissions nor the bounds of their subscriptions count.
type Call struct {
	Verb    Verb
	Client  string
	Topic   string // or the filter
	QoS     byte
	Payload string
}

// What a Call returns, if it is not a number of receivers.
const (
	Done    = "done"
	Refused = "refused" // no message that could be sent
	Offline = "offline" // the client is not there, and no session keeps the message
	Full    = "full"    // the client does not read
	Nothing = "nothing" // there is nothing to do it with
)

// Call tells what the program does, and returns what it is told.
func (m *Model) Call(c *Call) string {
	msg := &message{topic: c.Topic, payload: c.Payload, qos: c.QoS}
	if c.Verb == HostPublish {
		if m.noMessage(msg) {
			return Refused
		}
		n := 0
		for _, s := range m.sessions {
			if _, _, found := s.match(c.Topic); found {
				n++
			}
		}
		m.route(msg, nil)
		return fmt.Sprint(n)
	}
	s := m.find(c.Client)
	switch c.Verb {
	case HostDeliver, HostOffer:
		if s == nil {
			return Offline
		}
		if _, _, found := s.match(c.Topic); !found && c.Verb == HostOffer {
			return Nothing
		}
		return m.deliverTo(s, msg)
	}
	if s == nil || c.Verb == HostSubscribe && illFilter(c.Topic) != "" {
		return Nothing
	}
	switch c.Verb {
	case HostSubscribe:
		s.subs[c.Topic] = c.QoS
	case HostUnsubscribe:
		delete(s.subs, c.Topic)
	case HostDisconnect:
		if s.conn == nil {
			return Nothing
		}
		m.end(s.conn, ruleHost)
	case HostDiscard:
		if s.conn != nil {
			m.end(s.conn, ruleHost)
		}
		m.forget(s)
	}
	return Done
}

// deliverTo sends a message to one session, at its own QoS.
func (m *Model) deliverTo(s *session, msg *message) string {
	d := &delivery{m: msg, qos: msg.qos}
	switch {
	case s.conn == nil && (msg.qos == 0 || !s.persistent):
		return Offline
	case m.noMessage(msg):
		return Refused
	case msg.qos == 0 && !s.conn.room(d.size()):
		return Full
	}
	m.number(msg, nil)
	m.deliver(s, d)
	return Done
}

// noMessage reports whether no PUBLISH could carry a message, or none of QoS 1 that the broker takes.
func (m *Model) noMessage(msg *message) bool {
	most := m.rules.Limits.Payload
	return msg.qos > 1 || illTopic(msg.topic) != "" || strings.ContainsAny(msg.topic, "+#") ||
		m.rules.beyond(msg.topic) != "" || most > 0 && len(msg.payload) > most
}
