package model

import (
	"time"

	"sampan/packet"
)

// slow is a client that does not read. What the broker has for it waits, within bounds, and harms nobody else:
//
//   - QoS 0 messages for which there is no room are dropped,
//   - QoS 1 messages for which there is none wait in the session,
//   - answers to the client's own packets always find room, but a client that leaves more of them unread than
//     there is room for is not read from either,
//   - a client that takes nothing at all for a while is disconnected.
type slow struct {
	stalled bool
	waiting int           // bytes
	since   time.Duration // since when something has waited

	catchingUp bool // it reads again, and the broker does
}

// Stall tells that a client whose CONNECT was accepted reads nothing from now on, until Read.
func (m *Model) Stall(i int) {
	if m.Accepted(i) {
		m.conns[i].slow.stalled = true
	}
}

// Stalled reports whether that client does not read.
func (m *Model) Stalled(i int) bool { c := m.conns[i]; return c != nil && c.slow.stalled }

// Read tells that a client reads again. It gets what has waited, and what there was no room for.
func (m *Model) Read(i int) {
	c := m.conns[i]
	if c == nil {
		return
	}
	if c.brimful() {
		c.heard = m.now // it begins to listen now
	}
	c.slow = slow{catchingUp: true}
	waited := c.session
	m.take(c)
	c.slow.catchingUp = false
	switch {
	case c.open() && c.session != nil:
		m.pump(c.session)
	case waited != nil: // what it has said meanwhile ends the connection, before there was room for the rest or behind it
		for _, d := range waited.queue {
			d.doubt = true
			c.owe(&expect{kind: packet.TypePublish, d: d, optional: true, late: true})
		}
	}
}

// wait counts bytes that the broker cannot get rid of.
func (c *conn) wait(n int) {
	if c.slow.waiting == 0 {
		c.slow.since = c.model.now
	}
	c.slow.waiting += n
}

// room reports whether a message of n bytes may wait for the client. One always may.
func (c *conn) room(n int) bool {
	most := c.model.rules.Outbound
	return most == 0 || c.slow.waiting == 0 || c.slow.waiting+n <= most
}

// heldUp reports whether the broker does not read from the client, since that leaves too many answers unread, or has
// sent too much.
func (c *conn) heldUp() bool { return c.brimful() || c.paused() }

// brimful reports whether the client leaves too many answers unread.
func (c *conn) brimful() bool {
	most := c.model.rules.Outbound
	return most > 0 && c.slow.stalled && c.slow.waiting > most
}

// Full reports whether a client had better send nothing more: a packet of it waits already, since the broker
// does not read from it. What becomes of many at once would depend on who is quicker, when it reads again.
func (m *Model) Full(i int) bool {
	c := m.conns[i]
	return c != nil && c.heldUp() && len(c.in) > 0
}

// Entangled reports whether a client had better not send some bytes: the broker does not read them until it has read
// some of what waits for it, and they are a message that comes back to it. If too many messages wait for it by then,
// which of them is given up depends on who is quicker, the one who sends or the one who reads.
func (m *Model) Entangled(i int, raw []byte) bool {
	c := m.conns[i]
	if c == nil || !c.brimful() || m.rules.Queue == 0 {
		return false
	}
	limits := m.limitsFor(c.level)
	f, n, _, err := packet.Next(raw, limits)
	var p packet.Publish
	if err != nil || n == 0 || f.Type() != packet.TypePublish || p.Decode(f, limits) != nil || p.QoS == 0 {
		return false
	}
	_, _, comesBack := c.session.match(string(p.Topic))
	return comesBack
}

// blocked reports whether the broker waits for the client to take something.
func (c *conn) blocked() bool {
	return c.slow.stalled && c.slow.waiting > 0
}

// stall disconnects a client that has taken nothing for too long.
func (m *Model) stall(c *conn) {
	c.slow = slow{}
	if c.open() {
		m.end(c, ruleWriteStall)
	}
}

// unseen reports whether nobody can tell what the broker does on this connection: the client does not read,
// and the broker has no reason to close, or closes when the rest is written.
func (c *conn) unseen() bool {
	return c.slow.stalled && (c.ended == "" || c.ended == ruleDisconnect && c.slow.waiting > 0)
}

// Closing reports whether a connection has ended as far as the model knows, but may still be there, since its
// client does not read: nothing more can be sent on it.
func (m *Model) Closing(i int) bool {
	c := m.conns[i]
	return c != nil && c.ended != "" && c.blocked()
}
