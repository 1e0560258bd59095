package model

import "sampan/packet"

// StoreWaits tells that the broker's store takes notes but does not say that they hold, until StoreGoesOn. What
// acknowledges something may come later meanwhile; a CONNECT whose session is kept is not answered, and its client
// gets nothing until it is.
func (m *Model) StoreWaits() { m.late = true }

// StoreGoesOn tells that everything holds now.
func (m *Model) StoreGoesOn() {
	m.late = false
	for i := range maxConns {
		if c := m.conns[i]; c != nil && c.joining {
			if c.joining = false; c.open() {
				m.enter(c.session)
			}
		}
	}
}

// Late reports whether the store waits.
func (m *Model) Late() bool { return m.late }

// Unready reports whether a client had better not send some bytes: the broker does not read them, since it is still
// busy with a CONNECT of this connection, or of this client.
func (m *Model) Unready(i int, raw []byte) bool {
	if !m.late {
		return false
	}
	if c := m.conns[i]; c != nil && c.open() && (c.joining || len(c.in) > 0) {
		return true
	}
	f, n, _, err := packet.Next(raw, nil)
	var p packet.Connect
	if err != nil || n == 0 || f.Type() != packet.TypeConnect || p.Decode(f, nil) != nil {
		return false
	}
	s := m.find(string(p.ClientID))
	return s != nil && s.conn != nil && s.conn.joining
}

// mayWait reports whether a packet may wait for the store.
func (c *conn) mayWait(e *expect) bool {
	return c.model.late && e.kind != packet.TypePublish && e.kind != packet.TypePingresp
}
