package model

import (
	"strings"
	"time"

	"sampan/packet"
)

// Principal is what the program around the broker says of every client, whoever it is. Of the zero value it says
// nothing.
type Principal struct {
	Own     string // a filter that the broker subscribes to for the client, at QoS 1, whenever it connects
	Welcome string // the topic of a message that it gets right behind CONNACK, unasked
	NoEcho  string // a prefix of topics whose messages do not come back to their publisher
	Taken   string // a prefix of topics whose messages of QoS 1 the program takes: they are acknowledged and go no further

	// Quota makes every so manieth message of a connection one too many: it is dropped without an answer. 0: none.
	Quota int
	// Pause is for how long nothing is read from a client behind every second such message, and a microsecond longer
	// each time, so that no two clients are read from again at the same instant.
	Pause time.Duration

	Lifetime time.Duration // after which a connection ends; 0: never
}

// Principals is a program that has something to say of clients.
func Principals() Principal {
	return Principal{
		Own: "a/b/#", Welcome: "hello", NoEcho: "a/c", Taken: "sensor/1",
		Quota: 3, Pause: 50 * time.Second, Lifetime: 2*time.Minute + 500*time.Microsecond,
	}
}

// begins reports whether a topic begins with a prefix that there is.
func begins(topic, prefix string) bool { return prefix != "" && strings.HasPrefix(topic, prefix) }

// overQuota counts a message of a client and reports whether it is one too many. Then nothing may be read for a
// while.
func (m *Model) overQuota(c *conn) bool {
	over := m.tooMany(c)
	c.published++
	if p := &m.rules.Principal; over && p.Pause > 0 && c.published%(2*p.Quota) == 0 {
		m.pauses++
		c.pausedUntil = m.now + p.Pause + time.Duration(m.pauses)*time.Microsecond
	}
	return over
}

// tooMany reports whether the next message of a client will be one too many.
func (m *Model) tooMany(c *conn) bool {
	quota := m.rules.Principal.Quota
	return quota > 0 && (c.published+1)%quota == 0
}

// Paused reports whether nothing is read from a client, since it has sent too much.
func (m *Model) Paused(i int) bool { c := m.conns[i]; return c != nil && c.open() && c.paused() }

func (c *conn) paused() bool { return c.model.now < c.pausedUntil }

// unpause makes the broker read again. What it could not see does not count against the client.
func (m *Model) unpause(c *conn) {
	c.heard = m.now
	m.take(c)
}

// noEcho reports whether a message does not go to a session, since it comes from there.
func (m *Model) noEcho(topic string, from *conn, s *session) bool {
	return from != nil && from.session == s && begins(topic, m.rules.Principal.NoEcho)
}

// taken reports whether the program takes a client's message.
func (m *Model) taken(topic string, qos byte) bool {
	return qos == 1 && begins(topic, m.rules.Principal.Taken)
}

// enter is what a client gets behind CONNACK.
func (m *Model) enter(s *session) {
	if topic := m.rules.Principal.Welcome; topic != "" {
		msg := &message{topic: topic, payload: "welcome"}
		m.number(msg, nil)
		s.conn.owe(&expect{kind: packet.TypePublish, d: &delivery{m: msg, sent: true}, rule: rulePrincipal})
	}
	m.resume(s)
}
