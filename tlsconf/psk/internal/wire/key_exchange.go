package wire

// curveNamed is ECCurveType named_curve, RFC 8422 section 5.4.
const curveNamed = 3

// ServerKeyExchange is RFC 4279 section 2 (plain PSK: the hint alone) and
// RFC 5489 section 2 (ECDHE_PSK: hint, group and public point).
type ServerKeyExchange struct {
	Hint  []byte
	Group uint16 // ECDHE_PSK only
	Point []byte // ECDHE_PSK only
}

// Decode reads a message body; ecdhe says which form the suite demands.
func (m *ServerKeyExchange) Decode(body []byte, ecdhe bool) error {
	*m = ServerKeyExchange{}
	r := reader{b: body}
	m.Hint = r.vec16()
	if ecdhe {
		curve := r.u8()
		m.Group = r.u16()
		m.Point = r.vec8()
		if !r.bad && curve != curveNamed {
			return &Error{TypeServerKeyExchange, Illegal, "curve is not a named one"}
		}
		if !r.bad && len(m.Point) == 0 {
			return &Error{TypeServerKeyExchange, Malformed, "empty public point"}
		}
	}
	if !r.ended() {
		return &Error{TypeServerKeyExchange, Malformed, "fields do not fit the message"}
	}
	return nil
}

// Append appends the whole message; the form follows from Point.
func (m *ServerKeyExchange) Append(dst []byte) []byte {
	dst, start := header(dst, TypeServerKeyExchange)
	dst = appendVec16(dst, m.Hint)
	if m.Point != nil {
		dst = append16(append(dst, curveNamed), m.Group)
		dst = appendVec8(dst, m.Point)
	}
	return finish(dst, start)
}

// ClientKeyExchange is RFC 4279 section 2 and RFC 5489 section 2.
type ClientKeyExchange struct {
	Identity []byte
	Point    []byte // ECDHE_PSK only
}

// Decode reads a message body; ecdhe says which form the suite demands.
func (m *ClientKeyExchange) Decode(body []byte, ecdhe bool) error {
	*m = ClientKeyExchange{}
	r := reader{b: body}
	m.Identity = r.vec16()
	if ecdhe {
		m.Point = r.vec8()
		if !r.bad && len(m.Point) == 0 {
			return &Error{TypeClientKeyExchange, Malformed, "empty public point"}
		}
	}
	if !r.ended() {
		return &Error{TypeClientKeyExchange, Malformed, "fields do not fit the message"}
	}
	return nil
}

// Append appends the whole message; the form follows from Point.
func (m *ClientKeyExchange) Append(dst []byte) []byte {
	dst, start := header(dst, TypeClientKeyExchange)
	dst = appendVec16(dst, m.Identity)
	if m.Point != nil {
		dst = appendVec8(dst, m.Point)
	}
	return finish(dst, start)
}
