package model

import (
	"fmt"
	"slices"

	"sampan/packet"
)

// expect is a packet that the broker owes a client.
type expect struct {
	kind     packet.Type
	rule     string // the statement by which it is owed
	optional bool   // it may also not come
	done     bool   // it has come, or can no longer come
	late     bool   // it is waited for also after Settle

	code       packet.ReturnCode // CONNACK
	present    bool              // CONNACK
	anyPresent bool              // CONNACK: of MQTT 3.1, which has no such bit
	id         uint16            // acknowledgements
	codes      []byte            // SUBACK
	filters    []string          // SUBACK: what it answers
	lower      bool              // SUBACK: less may be granted [MQTT-3.8.4-6]
	refusal    bool              // SUBACK: of a filter that is none; at least one failure
	settles    int               // PINGRESP: conn.may when it was asked for
	d          *delivery         // PUBLISH
	again      bool              // PUBLISH: sent before
	copied     bool              // PUBLISH: a further copy for an overlapping subscription
}

func (c *conn) owe(e *expect) {
	c.expects = append(c.expects, e)
	if c.slow.stalled {
		c.wait(len(e.packet()))
	}
}

// String describes what is expected, like Describe does for what has come.
func (e *expect) String() string {
	switch e.kind {
	case packet.TypeConnack:
		return fmt.Sprintf("CONNACK %d present %t", e.code, e.present)
	case packet.TypeSuback:
		return fmt.Sprintf("SUBACK %d codes % x", e.id, e.codes)
	case packet.TypePublish:
		return "PUBLISH " + e.d.describe(e.again)
	case packet.TypePingresp:
		return "PINGRESP"
	}
	return fmt.Sprintf("%s %d", e.kind, e.id)
}

func (d *delivery) describe(dup bool) string {
	s := fmt.Sprintf("%s q%d", d.m.topic, d.qos)
	if d.id != 0 {
		s += fmt.Sprintf(" id %d", d.id)
	}
	if dup {
		s += " dup"
	}
	if d.retain {
		s += " retain"
	}
	return s + fmt.Sprintf(" %q", d.m.payload)
}

// packet is what a broker would send.
func (e *expect) packet() []byte {
	switch e.kind {
	case packet.TypeConnack:
		p := packet.Connack{Code: e.code, SessionPresent: e.present}
		return p.AppendTo(nil)
	case packet.TypeSuback:
		p := packet.Suback{ID: e.id, Codes: e.codes}
		return p.AppendTo(nil)
	case packet.TypePublish:
		d := e.d
		p := packet.Publish{Topic: []byte(d.m.topic), Payload: []byte(d.m.payload), QoS: d.qos, ID: d.id,
			Dup: e.again, Retain: d.retain}
		return p.AppendTo(nil)
	case packet.TypePingresp:
		return packet.AppendPingresp(nil)
	}
	p := packet.Ack{Type: e.kind, ID: e.id}
	return p.AppendTo(nil)
}

// Play makes the model do its own bidding: it returns what a broker would now send on a connection, with the
// smallest free packet identifiers, and whether it then closes the connection. What may come later is left.
func (m *Model) Play(i int) (packets [][]byte, closed bool) {
	c := m.conns[i]
	if c == nil || c.unseen() || c.joining && c.open() {
		return nil, false
	}
	for {
		var next *expect
		for _, e := range c.expects {
			if !e.done && !e.optional {
				next = e
				break
			}
		}
		if next == nil {
			break
		}
		if d := next.d; d != nil && d.qos > 0 && d.id == 0 {
			for d.id = 1; c.session.inFlight(d.id, d); d.id++ {
			}
		}
		raw := next.packet()
		packets = append(packets, raw)
		answer, dev := m.Observe(i, raw)
		if dev != nil {
			panic("model: it breaks its own rule: " + dev.String()) // a mistake in this package
		}
		if answer != nil {
			m.Send(i, answer)
		}
	}
	c.expects = slices.DeleteFunc(c.expects, func(e *expect) bool { return e.done || !e.late })
	if c.ended != "" && !c.closed && !c.cut {
		c.closed = true
		return packets, true
	}
	return packets, false
}

func (s *session) inFlight(id uint16, but *delivery) bool {
	for _, d := range s.flight {
		if d != but && d.id == id {
			return true
		}
	}
	return false
}
