package network

import (
	"bytes"
	"maps"
	"slices"

	"sampan/fuzz/script"
	"sampan/packet"
)

// halves makes a third of the QoS 1 messages of a script QoS 2 ones, and lets clients go on with exchanges that
// were broken off halfway as the standard asks of them: a message is sent again as it was, with DUP, and an
// identifier that is in use is not given to another [MQTT-2.3.1-2]. In the place of a PINGREQ, which the target
// sends anyhow, comes the PUBREL that is due.
func halves(s *script.Script) {
	var (
		on   [script.Conns]string // the client of a connection
		held [script.Conns]bool
		open = make(map[string]map[uint16][]byte) // by client: PUBLISH packets without their PUBREL
	)
	for i := range s.Steps {
		st := &s.Steps[i]
		if st.Kind == script.Hold {
			held[st.Conn] = true
		}
		if st.Kind != script.Send {
			continue
		}
		if p, ok := connectOf(st.Raw); ok {
			on[st.Conn], held[st.Conn] = string(p.ClientID), false
			if p.CleanSession || open[on[st.Conn]] == nil {
				open[on[st.Conn]] = make(map[uint16][]byte)
			}
			continue
		}
		mine := open[on[st.Conn]]
		f, n, _, err := packet.Next(st.Raw, nil)
		if mine == nil || err != nil || n != len(st.Raw) {
			continue
		}
		var p packet.Publish
		switch {
		case (f.Type() == packet.TypeSubscribe || f.Type() == packet.TypeUnsubscribe) && len(f.Body()) >= 2:
			body := len(st.Raw) - len(f.Body())
			if id := uint16(st.Raw[body])<<8 | uint16(st.Raw[body+1]); mine[id] != nil {
				st.Raw = bytes.Clone(st.Raw)
				st.Raw[body] = 1 // one that no message of a script has
			}
		case f.Type() == packet.TypePingreq && len(mine) > 0:
			id := slices.Min(slices.Collect(maps.Keys(mine)))
			a := packet.Ack{Type: packet.TypePubrel, ID: id}
			st.Raw = a.AppendTo(nil)
			delete(mine, id)
		case f.Type() == packet.TypePublish && p.Decode(f, nil) == nil && p.QoS > 0:
			if p.ID%3 == 0 {
				p.QoS = 2
			}
			if first := mine[p.ID]; first != nil {
				f, _, _, _ := packet.Next(first, nil)
				p.Decode(f, nil)
				p.Dup = true
			}
			st.Raw = p.AppendTo(nil)
			switch {
			case p.QoS == 2 && held[st.Conn]:
				mine[p.ID] = st.Raw
			case p.QoS == 2:
				delete(mine, p.ID) // the client goes on by itself
			}
		}
	}
}
