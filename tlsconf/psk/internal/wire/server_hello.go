package wire

// ServerHello is RFC 5246 section 7.4.1.3 with the extensions a server of this
// room answers.
type ServerHello struct {
	Version     uint16
	Random      []byte // RandomLen bytes
	SessionID   []byte // at most 32 bytes
	Suite       uint16
	Compression byte

	MaxFragment          byte   // as in ClientHello, 0: not answered
	Points               []byte // nil: not answered
	EncryptThenMAC       bool
	ExtendedMasterSecret bool
	Renegotiation        bool
}

// Decode reads a message body (without the four header bytes) into m. An
// extension that no client of this room offers is an error, as RFC 5246
// section 7.4.1.4 demands.
func (m *ServerHello) Decode(body []byte) error {
	*m = ServerHello{}
	r := reader{b: body}
	m.Version = r.u16()
	m.Random = r.take(RandomLen)
	m.SessionID = r.vec8()
	m.Suite = r.u16()
	m.Compression = r.u8()
	switch {
	case r.bad:
		return &Error{TypeServerHello, Malformed, "truncated"}
	case len(m.SessionID) > 32:
		return &Error{TypeServerHello, Malformed, "session id longer than 32 bytes"}
	}
	x := r.extensions(TypeServerHello)
	for x.next() {
		x.err = m.extension(x.typ, &x.body)
	}
	return x.result()
}

func (m *ServerHello) extension(typ uint16, r *reader) *Error {
	switch typ {
	case extMaxFragmentLength:
		m.MaxFragment = r.u8()
	case extPointFormats:
		m.Points = r.list8()
	case extEncryptThenMAC:
		m.EncryptThenMAC = true
	case extExtendedMasterSecret:
		m.ExtendedMasterSecret = true
	case extRenegotiationInfo:
		if err := r.noRenegotiation(TypeServerHello); err != nil {
			return err
		}
		m.Renegotiation = true
	default:
		return &Error{TypeServerHello, Unsolicited, "extension that was not offered"}
	}
	return nil
}

// Append appends the whole message.
func (m *ServerHello) Append(dst []byte) []byte {
	dst, start := header(dst, TypeServerHello)
	dst = append16(dst, m.Version)
	dst = append(dst, m.Random...)
	dst = appendVec8(dst, m.SessionID)
	dst = append16(dst, m.Suite)
	dst = append(dst, m.Compression)
	dst = extensionBlock(dst, func(dst []byte) []byte {
		if m.Renegotiation {
			dst = appendExtension(dst, extRenegotiationInfo, 0)
		}
		if m.MaxFragment != 0 {
			dst = appendExtension(dst, extMaxFragmentLength, m.MaxFragment)
		}
		if m.Points != nil {
			dst = appendExtension(dst, extPointFormats, appendVec8(nil, m.Points)...)
		}
		if m.EncryptThenMAC {
			dst = appendExtension(dst, extEncryptThenMAC)
		}
		if m.ExtendedMasterSecret {
			dst = appendExtension(dst, extExtendedMasterSecret)
		}
		return dst
	})
	return finish(dst, start)
}
