package model

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"sampan/packet"
)

// Deviation is a broken rule.
type Deviation struct {
	Rule string // the statement's id: MQTT-..., or IOT-... where the rule is not the standard's
	Conn int    // the connection on which it showed
	Text string // what is wrong
	Got  []byte // the packet that shows it, if it is one
	Want string // what was expected instead, if something was
}

func (d *Deviation) String() string {
	s := fmt.Sprintf("[%s] connection %c: %s", d.Rule, 'A'+d.Conn, d.Text)
	if d.Got != nil {
		s += "\n  got  " + Describe(d.Got)
	}
	if d.Want != "" {
		s += "\n  want " + d.Want
	}
	return s
}

// Observe tells what packet the broker has sent on a connection. It returns what the client has to send by
// return, if the packet asks for it, or the rule that the packet breaks.
func (m *Model) Observe(i int, raw []byte) (answer []byte, dev *Deviation) {
	c := m.conns[i]
	bad := func(rule, text string, want *expect) ([]byte, *Deviation) {
		d := &Deviation{Rule: rule, Conn: i, Text: text, Got: bytes.Clone(raw)}
		if want != nil {
			d.Want = want.String()
		}
		return nil, d
	}
	if c.closed {
		return bad(cmp.Or(c.ended, ruleStays), "a packet after the connection was closed", nil)
	}
	limits := &packet.Limits{Level: c.level, Types: packet.FromServer | packet.FirstFromServer}
	f, n, _, err := packet.Next(raw, limits)
	if err == nil && n != len(raw) {
		return bad("MQTT-2.2.3", "not one whole packet", nil)
	}
	if err != nil {
		return bad(string(err.(*packet.Error).Rule), err.Error(), nil)
	}
	if f.Type() == packet.TypePublish {
		return m.observePublish(i, c, f, bad)
	}
	got := &expect{kind: f.Type()}
	switch f.Type() {
	case packet.TypeConnack:
		var p packet.Connack
		if err = p.Decode(f, &packet.Limits{Level: packet.Level311}); err == nil {
			got.code, got.present = p.Code, p.SessionPresent
		}
	case packet.TypeSuback:
		var p packet.Suback
		if err = p.Decode(f, limits); err == nil {
			got.id, got.codes = p.ID, bytes.Clone(p.Codes)
		}
	case packet.TypePingresp:
	default:
		var p packet.Ack
		if err = p.Decode(f, limits); err == nil {
			got.id = p.ID
		}
	}
	if err != nil {
		return bad(string(err.(*packet.Error).Rule), err.Error(), nil)
	}
	if rule := c.firstIsConnack(got.kind); rule != "" {
		return bad(rule, "the first packet is not CONNACK", nil)
	}
	for _, e := range c.expects {
		if e.done || e.kind != got.kind || e.id != got.id {
			continue
		}
		if rule, text := e.differs(got); rule != "" {
			return bad(rule, text, e)
		}
		if e.kind == packet.TypePuback && m.rules.Strict {
			if before := c.owed(packet.TypePuback); before != e {
				return bad("MQTT-4.6.0-2", "PUBACKs out of order", before)
			}
		}
		if e.kind == packet.TypeConnack && c.joining && c.open() {
			return bad(ruleHolds, "a session is promised before the store has it", nil)
		}
		e.done = true
		c.greeted = c.greeted || e.kind == packet.TypeConnack
		c.settled = max(c.settled, e.settles)
		if e.lower {
			m.grant(c, e.filters, got.codes)
		}
		return m.byReturn(c, got), nil
	}
	if c.ended != "" {
		return bad(c.ended, "the broker goes on with a connection that it has to close", nil)
	}
	return bad(strayRules[got.kind], "nothing asks for this "+got.kind.String(), nil)
}

// strayRules is which statement an answer to nothing breaks.
var strayRules = map[packet.Type]string{
	packet.TypeConnack: "MQTT-3.2.0-1", packet.TypePuback: "MQTT-2.3.1-6", packet.TypePubrec: "MQTT-2.3.1-6",
	packet.TypePubrel: "MQTT-2.3.1-6", packet.TypePubcomp: "MQTT-4.3.3-2",
	packet.TypeSuback: "MQTT-2.3.1-7", packet.TypeUnsuback: "MQTT-2.3.1-7", packet.TypePingresp: "MQTT-3.12.4-1",
}

// byReturn is the client's part in QoS 2.
func (m *Model) byReturn(c *conn, got *expect) []byte {
	switch {
	case c.mute:
	case got.kind == packet.TypePubrec:
		a := packet.Ack{Type: packet.TypePubrel, ID: got.id}
		return a.AppendTo(nil)
	case got.kind == packet.TypePubrel:
		a := packet.Ack{Type: packet.TypePubcomp, ID: got.id}
		return a.AppendTo(nil)
	}
	return nil
}

// firstIsConnack returns the statement that is broken by a packet of this kind as the first one.
func (c *conn) firstIsConnack(kind packet.Type) string {
	if !c.greeted && kind != packet.TypeConnack {
		return "MQTT-3.2.0-1"
	}
	return ""
}

// owed is the first packet of a kind that has not come.
func (c *conn) owed(kind packet.Type) *expect {
	for _, e := range c.expects {
		if !e.done && e.kind == kind {
			return e
		}
	}
	return nil
}

// differs compares the contents of an answer with what is expected.
func (e *expect) differs(got *expect) (rule, text string) {
	switch {
	case e.kind == packet.TypeConnack && e.code != got.code:
		return e.rule, fmt.Sprintf("CONNACK code %d", got.code)
	case e.kind == packet.TypeConnack && e.present != got.present && !e.anyPresent:
		if e.code != packet.Accepted {
			return "MQTT-3.2.2-4", "session present in a refusal"
		}
		return e.rule, fmt.Sprintf("session present %t", got.present)
	case e.refusal && bytes.IndexByte(got.codes, packet.SubackFailure) < 0:
		return e.rule, "a filter that is none is granted"
	case e.refusal:
	case e.kind == packet.TypeSuback && len(e.codes) != len(got.codes):
		return "MQTT-3.8.4-5", fmt.Sprintf("%d codes for %d filters", len(got.codes), len(e.codes))
	case e.kind == packet.TypeSuback && e.lower:
		for i, code := range got.codes {
			if code != packet.SubackFailure && code > e.codes[i] {
				return "MQTT-3.8.4-6", "a higher QoS than was asked for is granted"
			}
		}
	case e.kind == packet.TypeSuback && !bytes.Equal(e.codes, got.codes):
		return "MQTT-3.9.3-1", "other codes than granted"
	}
	return "", ""
}

// observePublish looks for the delivery that a PUBLISH is.
func (m *Model) observePublish(i int, c *conn, f packet.Frame, bad func(string, string, *expect) ([]byte, *Deviation)) ([]byte, *Deviation) {
	var p packet.Publish
	if err := p.Decode(f, &packet.Limits{Level: packet.Level311}); err != nil {
		return bad(string(err.(*packet.Error).Rule), err.Error(), nil)
	}
	if rule := c.firstIsConnack(packet.TypePublish); rule != "" {
		return bad(rule, "the first packet is not CONNACK", nil)
	}
	topic := string(p.Topic)
	if m.rules.Foreign != nil && m.rules.Foreign(topic) {
		return m.foreign(&p), nil
	}
	var same, match *expect // of the same message; and also with the same fields
	for _, e := range c.expects {
		if e.done || e.d == nil || e.d.m.topic != topic || e.d.m.payload != string(p.Payload) {
			continue
		}
		if same == nil {
			same = e
		}
		sameQoS := e.d.qos == p.QoS || p.QoS < e.d.qos && !e.again && c.asks(topic)
		if sameQoS && e.d.retain == p.Retain && (!e.again || e.d.id == 0 || e.d.id == p.ID) {
			match = e
			break
		}
	}
	if same == nil && c.ended != "" {
		return bad(c.ended, "the broker goes on with a connection that it has to close", nil)
	}
	if same == nil {
		rule, text := m.stray(c, topic, string(p.Payload))
		return bad(rule, text, nil)
	}
	if match == nil {
		return bad(same.wrongField(&p))
	}
	d := match.d
	c.session.lower(d, p.QoS)
	switch {
	case p.Dup && !match.again && !d.doubt:
		return bad("MQTT-3.3.1-3", "DUP on a message that was not sent before", match)
	case !p.Dup && match.again && d.seen && !d.doubt:
		return bad("MQTT-3.3.1-1", "no DUP on a message that is sent again", match)
	case p.QoS > 0 && c.session.inFlight(p.ID, d):
		return bad("MQTT-2.3.1-4", "an identifier that is in use", match)
	}
	if before := m.overtaken(c, match); before != nil {
		rule := "MQTT-4.6.0-6"
		if match.again && before.again {
			rule = "MQTT-4.6.0-1"
		}
		return bad(rule, "a message that overtakes another", before)
	}
	match.done = true
	if p.QoS > 0 {
		if match.copied {
			c.session.flight = append(c.session.flight, d)
		}
		d.id, d.seen = p.ID, true
		if !slices.Contains(c.got, d) {
			c.got = append(c.got, d)
		}
	}
	return nil, nil
}

// foreign is what a client answers to a message that the script knows nothing of.
func (m *Model) foreign(p *packet.Publish) []byte {
	a := packet.Ack{ID: p.ID}
	switch p.QoS {
	case 1:
		a.Type = packet.TypePuback
	case 2:
		a.Type = packet.TypePubrec
	}
	return a.AppendTo(nil)
}

// wrongField says in which field a PUBLISH differs from the delivery that it must be.
func (e *expect) wrongField(p *packet.Publish) (rule, text string, want *expect) {
	switch {
	case p.QoS != e.d.qos && p.QoS < e.d.qos:
		return "MQTT-3.3.5-1", fmt.Sprintf("delivered at QoS %d", p.QoS), e
	case p.QoS != e.d.qos:
		return "MQTT-3.8.4-6", fmt.Sprintf("delivered at QoS %d", p.QoS), e
	case p.Retain && !e.d.retain:
		return "MQTT-3.3.1-9", "RETAIN on a message for an existing subscription", e
	case !p.Retain && e.d.retain:
		return "MQTT-3.3.1-8", "no RETAIN on a retained message", e
	}
	return "MQTT-2.3.1-3", "sent again under another identifier", e
}

// stray says which statement a delivery breaks that nobody expects.
func (m *Model) stray(c *conn, topic, payload string) (rule, text string) {
	for _, e := range c.expects {
		if e.done && e.d != nil && e.d.m.topic == topic && e.d.m.payload == payload {
			return "MQTT-3.3.5-1", "delivered more than once"
		}
	}
	for _, d := range c.got {
		if d.m.topic == topic && d.m.payload == payload {
			return "MQTT-4.3.2-1", "sent again without a new connection"
		}
	}
	for _, w := range m.buried {
		if w.topic == topic && w.payload == payload {
			return "MQTT-3.14.4-3", "a Will that DISCONNECT has discarded"
		}
	}
	if _, _, found := c.session.match(topic); !found {
		for filter := range c.session.subs {
			if topic[0] == '$' && Matches(filter, "S"+topic[1:]) {
				return "MQTT-4.7.2-1", "a wildcard in the first place matches no topic that begins with $"
			}
		}
		return "MQTT-3.3.2-3", "no subscription matches this topic"
	}
	return "MQTT-4.5.0-1", "no such message is on its way to this client"
}

// overtaken returns what should have come before e and has not. What need not come at all is passed over,
// and can no longer come.
func (m *Model) overtaken(c *conn, e *expect) *expect {
	for _, o := range c.expects {
		if o == e {
			break
		}
		if !o.done && !o.optional && m.sameLane(o, e) {
			return o
		}
	}
	return nil
}

// sameLane reports whether two deliveries must come in their order: what is sent again [MQTT-4.6.0-1], and
// messages of one publisher, topic and QoS [MQTT-4.6.0-6]. A strict broker keeps all of one QoS in order.
func (m *Model) sameLane(a, b *expect) bool {
	if a.d == nil || b.d == nil || a.d.qos != b.d.qos {
		return false
	}
	if m.rules.Strict || a.again && b.again {
		return true
	}
	return a.d.m.topic == b.d.m.topic && a.d.m.from == b.d.m.from && !a.d.retain && !b.d.retain && a.again == b.again &&
		!a.copied && !b.copied
}

// Closed tells that the broker has closed a connection.
func (m *Model) Closed(i int) *Deviation {
	c := m.conns[i]
	if c == nil || c.closed || c.cut {
		return nil
	}
	defer func() { c.closed, c.slow = true, slow{} }()
	if c.ended != "" {
		return nil
	}
	if c.may > c.settled || m.nearlyOver(c) {
		m.end(c, "MQTT-4.8.0-1")
		return nil
	}
	d := &Deviation{Rule: ruleStays, Conn: i, Text: "the broker closed a connection that has broken no rule"}
	if e := c.first(); e != nil {
		d.Want = e.String()
	}
	return d
}

// first is the first packet that has to come and has not.
func (c *conn) first() *expect {
	for _, e := range c.expects {
		if !e.done && !e.optional {
			return e
		}
	}
	return nil
}

// Missing returns the rule that is broken when nothing more comes on a connection: a packet is owed, or it
// should have been closed. nil: all is as it should be.
func (m *Model) Missing(i int) *Deviation {
	c := m.conns[i]
	if c == nil || c.cut || c.unseen() {
		return nil
	}
	e := c.first()
	switch {
	case e == nil:
	case c.mayWait(e):
		return nil
	default:
		d := &Deviation{Rule: e.rule, Conn: i, Text: "a packet that has not come", Want: e.String()}
		for _, o := range c.expects {
			if o.done && o.copied && e.d != nil && o.d.m == e.d.m {
				d.Rule, d.Text = "MQTT-3.3.5-1", "delivered, but not at the highest QoS of the subscriptions"
			}
		}
		return d
	}
	if c.ended != "" && !c.closed && (m.rules.Strict || c.ended != ruleDisconnect) {
		return &Deviation{Rule: c.ended, Conn: i, Text: "the connection is still open", Want: "the connection closed"}
	}
	return nil
}

// Settle forgets what has come, and what may have come but has not, on every connection.
func (m *Model) Settle() {
	for _, c := range m.conns {
		if c.slow.stalled {
			continue // nobody looks
		}
		c.expects = slices.DeleteFunc(c.expects, func(e *expect) bool { return e.done || !e.late && !c.mayWait(e) })
	}
}
