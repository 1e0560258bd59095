package packet

// IDOffset returns where the packet identifier stands in the encoded p, in bytes
// from its first one; 0 if p has none. With it a server encodes a message once
// and patches the identifier of each receiver into the copy.
func (p *Publish) IDOffset() int {
	if p.QoS == 0 {
		return 0
	}
	return 1 + remainingSize(p.remaining()) + 2 + len(p.Topic)
}

// Patch sets packet identifier and DUP in raw, a whole encoded PUBLISH with QoS 1
// or 2, in place. It reports whether raw is one; if not, nothing is changed.
// A message that is sent again keeps its identifier and has DUP set
// (MQTT-2.3.1-3, MQTT-3.3.1-1).
func Patch(raw []byte, id uint16, dup bool) bool {
	f, n, _, err := Next(raw, nil)
	if err != nil || n != len(raw) || n == 0 || f.Type() != TypePublish || f.First&6 == 0 {
		return false
	}
	_, i, ok := field(f.Body(), 0)
	if i += int(f.head); !ok || i+2 > len(raw) {
		return false
	}
	raw[i], raw[i+1] = byte(id>>8), byte(id)
	raw[0] &^= 8
	if dup {
		raw[0] |= 8
	}
	return true
}
