package model

import (
	"strings"
	"time"

	"sampan/packet"
)

// Model is a broker with its clients' connections. Connections are numbered by the caller; a number whose
// connection has ended is used for the next one.
type Model struct {
	rules    Rules
	limits   [packet.Level311 + 1]*packet.Limits // of the rules, by level; made when first needed
	now      time.Duration                       // since the beginning
	conns    map[int]*conn
	sessions []*session            // in the order in which they came to be
	retained map[string][]*message // by topic: one, or those that it may be
	buried   []*message            // Wills that DISCONNECT has discarded
	names    int                   // given to clients without one
	messages int                   // published so far
	late     bool                  // the store does not say that anything holds
	pauses   int                   // of reading, so far
	routed   []*message            // since Routed was asked last
}

// New returns a broker that nobody has connected to.
func New(r Rules) *Model {
	return &Model{rules: r, conns: make(map[int]*conn), retained: make(map[string][]*message)}
}

// limitsFor returns the restrictions on packets of a connection that has settled on a level, or on none yet.
func (m *Model) limitsFor(level byte) *packet.Limits {
	if m.limits[level] == nil {
		m.limits[level] = m.rules.limits(level)
	}
	return m.limits[level]
}

// Rules returns what the broker was made with.
func (m *Model) Rules() *Rules { return &m.rules }

// conn is a network connection, from its beginning until the next with its number.
type conn struct {
	model     *Model
	opened    time.Duration
	heard     time.Duration // when its last packet had arrived
	in        []byte        // of a packet that has not arrived as a whole
	last      []byte        // the last packet
	level     byte          // settled by CONNECT; 0 before
	keepAlive time.Duration // 0: none
	session   *session      // nil before CONNECT is accepted
	will      *message

	ended   string // the statement by which the connection ends; empty: it is open
	may     int    // what it has sent so far for which the broker may close it, but need not
	settled int    // of that, what came before a PINGREQ that was answered: the broker has not
	closed  bool   // the broker was seen to close it
	cut     bool   // the client has closed it
	greeted bool   // CONNACK was seen
	joining bool   // CONNACK waits for the store
	expects []*expect
	got     []*delivery // seen on this connection, not acknowledged

	published   int           // messages so far
	pausedUntil time.Duration // nothing is read before
	ends        time.Duration // when its lifetime is over; 0: never

	slow slow // what waits while the client does not read
	mute bool // the client answers PUBREC and PUBREL only when the script says so
}

func (c *conn) open() bool { return c.ended == "" && !c.closed && !c.cut }

// Open reports whether there is a connection with this number.
func (m *Model) Open(i int) bool { c := m.conns[i]; return c != nil && c.open() }

// Accepted reports whether that connection's CONNECT was accepted.
func (m *Model) Accepted(i int) bool { return m.Open(i) && m.conns[i].session != nil }

// Quiet reports whether a PINGREQ now would not be a packet of its own, since a part of another has been sent.
func (m *Model) Quiet(i int) bool { c := m.conns[i]; return c != nil && len(c.in) > 0 }

// Known reports whether there has been a connection with this number, and so perhaps something to observe.
func (m *Model) Known(i int) bool { return m.conns[i] != nil }

// dial returns the connection with this number, a new one if there is none.
func (m *Model) dial(i int) *conn {
	c := m.conns[i]
	if c == nil || !c.open() {
		c = &conn{model: m, opened: m.now, heard: m.now}
		m.conns[i] = c
	}
	return c
}

// Dial makes a connection without sending anything, if there is none with this number.
func (m *Model) Dial(i int) { m.dial(i) }

// Split cuts what a client is about to send into pieces that end where its packets end. Beginning with the
// rest of a packet whose first part was sent before.
func (m *Model) Split(i int, raw []byte) (pieces [][]byte) {
	var have []byte
	if c := m.conns[i]; c != nil && c.open() {
		have = c.in
	}
	whole := raw
	if len(have) > 0 {
		whole = append(have[:len(have):len(have)], raw...)
	}
	for from := len(have); ; {
		_, n, _, err := packet.Next(whole, &packet.Limits{Level: packet.Level31})
		if err != nil || n == 0 || n >= len(whole) {
			return append(pieces, raw)
		}
		if n <= from { // a whole packet that the broker does not read yet
			whole, from = whole[n:], from-n
			continue
		}
		end := n - from
		pieces = append(pieces, raw[:end])
		raw, whole, from = raw[end:], whole[n:], 0
	}
}

// Send tells that a client sends bytes. A connection is made if there is none with this number.
func (m *Model) Send(i int, raw []byte) {
	c := m.dial(i)
	c.in = append(c.in, raw...)
	m.take(c)
}

// take handles what has arrived, packet by packet, as long as the broker reads.
func (m *Model) take(c *conn) {
	for c.open() && len(c.in) > 0 && !c.heldUp() {
		f, n, need, err := packet.Next(c.in, m.limitsFor(c.level))
		if err != nil {
			m.violation(c, err)
			return
		}
		if n == 0 {
			if most := m.rules.Limits.Connect; c.level == 0 && most > 0 && len(c.in)+need > most {
				m.end(c, "IOT-PACKET-SIZE")
			}
			return
		}
		c.in, c.last = c.in[n:], f.Raw
		if m.nearlyOver(c) {
			c.may++
		}
		c.heard = m.now
		rule := illFormed(f.Raw, c.level)
		if rule != "" && m.rules.Strict { // whatever package packet makes of it
			code, answered := refusal(rule)
			m.end(c, rule)
			if answered {
				c.owe(&expect{kind: packet.TypeConnack, code: code, rule: rule})
			}
			return
		}
		if err := m.receive(c, f); err != nil {
			if pe := err.(*packet.Error); rule == "" && m.rules.Strict && !strings.HasPrefix(string(pe.Rule), "IOT-") {
				continue // the standard has nothing against it
			}
			m.violation(c, err)
		}
	}
}

// receive handles a packet.
func (m *Model) receive(c *conn, f packet.Frame) error {
	limits := m.limitsFor(c.level)
	switch f.Type() {
	case packet.TypeConnect:
		var p packet.Connect
		if err := p.Decode(f, limits); err != nil {
			return err
		}
		m.connect(c, &p)
	case packet.TypePublish:
		var p packet.Publish
		if err := p.Decode(f, limits); err != nil {
			return err
		}
		m.publish(c, &p)
	case packet.TypeSubscribe:
		var p packet.Subscribe
		if err := p.Decode(f, limits); err != nil {
			return err
		}
		m.subscribe(c, &p, f)
	case packet.TypeUnsubscribe:
		var p packet.Unsubscribe
		if err := p.Decode(f, limits); err != nil {
			return err
		}
		m.unsubscribe(c, &p)
	case packet.TypePingreq:
		c.owe(&expect{kind: packet.TypePingresp, rule: "MQTT-3.12.4-1", settles: c.may})
	case packet.TypeDisconnect:
		if c.will != nil { // [MQTT-3.14.4-3]
			m.buried = append(m.buried, c.will)
			c.will = nil
		}
		m.end(c, ruleDisconnect)
	default:
		var p packet.Ack
		if err := p.Decode(f, limits); err != nil {
			return err
		}
		if f.Type() != packet.TypePuback && !m.rules.QoS2 {
			m.end(c, "MQTT-4.8.0-1") // there is no QoS 2, so nothing that this could belong to
			return nil
		}
		m.acknowledge(c, &p)
	}
	return nil
}

// violation ends a connection for a packet that may not be [MQTT-4.8.0-1], with a CONNACK where the
// standard has a code for it.
func (m *Model) violation(c *conn, err error) {
	pe := err.(*packet.Error)
	if !m.rules.Strict && m.arguable(c, pe) {
		return
	}
	code, answered := pe.Connack()
	m.end(c, string(pe.Rule))
	if answered && c.session == nil {
		c.owe(&expect{kind: packet.TypeConnack, code: code, rule: string(pe.Rule), optional: !m.rules.Strict && otherStandard(c.last)})
	}
}

// arguable handles what some brokers answer instead of closing, with an argument: a filter that is none can
// be refused in the SUBACK, and an acknowledgement with the identifier 0 is one of nothing.
func (m *Model) arguable(c *conn, e *packet.Error) bool {
	switch {
	case e.Rule == packet.RuleAckID:
	case e.Type == packet.TypeSubscribe && (e.Rule == packet.RuleHash || e.Rule == packet.RulePlus || e.Rule == packet.RuleTopicEmpty):
		f, n, _, err := packet.Next(c.last, nil)
		if err != nil || n == 0 || len(f.Body()) < 2 {
			return false
		}
		b := f.Body()
		c.owe(&expect{kind: packet.TypeSuback, id: uint16(b[0])<<8 | uint16(b[1]), refusal: true, optional: true, late: true, rule: string(e.Rule)})
	default:
		return false
	}
	c.may++
	return true
}

// otherStandard reports a CONNECT whose protocol name and level are not those of MQTT 3.1.1 or a later one. Level 3 and
// 4 are one standard each: a broker that has only one of them may close at once [MQTT-3.1.2-1].
func otherStandard(raw []byte) bool {
	r := &reader{b: raw[1:]}
	for r.byte() >= 0x80 {
	}
	return r.field() != "MQTT" || r.byte() < packet.Level311
}

// end ends a connection from the broker's side. What it is owed by now it may not get any more.
func (m *Model) end(c *conn, rule string) {
	c.ended = rule
	for _, e := range c.expects {
		e.optional = true
	}
	m.leave(c)
}

// Cut tells that a client closes its connection without a word. What it was owed is lost.
func (m *Model) Cut(i int) {
	if c := m.conns[i]; c != nil && c.open() {
		c.cut, c.slow = true, slow{}
		c.expects = nil
		m.leave(c)
	}
}

// Wait lets time pass. Strict brokers end connections and sessions at the very instant, in their order.
func (m *Model) Wait(d time.Duration) {
	until := m.now + d
	for {
		at, due := m.nextDue()
		if due == nil || at > until {
			break
		}
		m.now = at
		due()
	}
	m.now = until
}

// nextDue finds what time does next.
func (m *Model) nextDue() (at time.Duration, due func()) {
	next := func(t time.Duration, f func()) {
		if due == nil || t < at {
			at, due = t, f
		}
	}
	for i := range maxConns {
		c := m.conns[i]
		if c == nil {
			continue
		}
		if t := m.rules.WriteStall; t > 0 && c.blocked() {
			next(c.slow.since+t, func() { m.stall(c) })
		}
		if !c.open() {
			continue
		}
		if t := m.rules.ConnectTimeout; c.session == nil && t > 0 {
			next(c.opened+t, func() { m.end(c, ruleConnectTimeout) })
		}
		if c.paused() {
			next(c.pausedUntil, func() { m.unpause(c) })
		}
		if c.ends > 0 {
			next(c.ends, func() { m.end(c, rulePrincipal) })
		}
		if c.session != nil && c.keepAlive > 0 && !c.heldUp() { // [MQTT-3.1.2-24], of what the broker can see
			next(c.heard+c.keepAlive*3/2, func() { m.end(c, "MQTT-3.1.2-24") })
		}
	}
	for _, s := range m.sessions {
		if t := m.rules.SessionExpiry; s.conn == nil && t > 0 {
			next(s.left+t, func() { m.forget(s) })
		}
	}
	return at, due
}

// maxConns bounds the numbers of connections.
const maxConns = 16

// nearlyOver reports whether a broker that is a little ahead may see the keep-alive run out.
func (m *Model) nearlyOver(c *conn) bool {
	return m.rules.Slack > 0 && c.keepAlive > 0 && m.now-c.heard > c.keepAlive*3/2-m.rules.Slack
}

// Now is how much time has passed since the beginning.
func (m *Model) Now() time.Duration { return m.now }

// Hold tells that a client leaves the exchanges of QoS 2 as they are from now on: it answers PUBREC and PUBREL
// only if the script says so, until its connection ends.
func (m *Model) Hold(i int) {
	if m.Open(i) {
		m.conns[i].mute = true
	}
}
