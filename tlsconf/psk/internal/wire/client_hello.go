package wire

// ClientHello is RFC 5246 section 7.4.1.2. The lists stay as they are on the
// wire; ask Has.... Extensions that are not listed here are skipped.
type ClientHello struct {
	Version     uint16
	Random      []byte // RandomLen bytes
	SessionID   []byte // at most 32 bytes
	Suites      []byte // 16-bit values
	Compression []byte // one byte each; must hold 0

	Groups   []byte // supported_groups, 16-bit values; nil: not sent
	Points   []byte // ec_point_formats; nil: not sent
	Versions []byte // supported_versions, 16-bit values; nil: not sent

	// MaxFragment is the code of RFC 6066 section 4: 1 to 4 for 512 to 4096
	// bytes, 0 if not asked for.
	MaxFragment          byte
	EncryptThenMAC       bool
	ExtendedMasterSecret bool
	// Renegotiation: an empty renegotiation_info was sent, as an extension or
	// as the signalling suite value.
	Renegotiation bool
}

// Decode reads a message body (without the four header bytes) into m.
func (m *ClientHello) Decode(body []byte) error {
	*m = ClientHello{}
	r := reader{b: body}
	m.Version = r.u16()
	m.Random = r.take(RandomLen)
	m.SessionID = r.vec8()
	m.Suites = r.vec16()
	m.Compression = r.vec8()
	switch {
	case r.bad:
		return &Error{TypeClientHello, Malformed, "truncated"}
	case len(m.SessionID) > 32:
		return &Error{TypeClientHello, Malformed, "session id longer than 32 bytes"}
	case len(m.Suites) == 0 || len(m.Suites)%2 != 0:
		return &Error{TypeClientHello, Malformed, "cipher suite list empty or of odd length"}
	case len(m.Compression) == 0:
		return &Error{TypeClientHello, Malformed, "no compression methods"}
	}
	m.Renegotiation = m.HasSuite(suiteRenegotiationSCSV)
	x := r.extensions(TypeClientHello)
	for x.next() {
		x.err = m.extension(x.typ, &x.body)
	}
	return x.result()
}

func (m *ClientHello) extension(typ uint16, r *reader) *Error {
	switch typ {
	case extSupportedGroups:
		m.Groups = r.list16()
	case extPointFormats:
		m.Points = r.list8()
	case extSupportedVersions:
		m.Versions = r.vec8()
		if len(m.Versions) == 0 || len(m.Versions)%2 != 0 {
			r.bad = true
		}
	case extMaxFragmentLength:
		m.MaxFragment = r.u8()
		if !r.bad && (m.MaxFragment < 1 || m.MaxFragment > 4) {
			return &Error{TypeClientHello, Illegal, "max_fragment_length is none of the four codes"}
		}
	case extEncryptThenMAC:
		m.EncryptThenMAC = true
	case extExtendedMasterSecret:
		m.ExtendedMasterSecret = true
	case extRenegotiationInfo:
		if err := r.noRenegotiation(TypeClientHello); err != nil {
			return err
		}
		m.Renegotiation = true
	default:
		r.skip()
	}
	return nil
}

// HasSuite says whether the client offers the cipher suite.
func (m *ClientHello) HasSuite(id uint16) bool { return has16(m.Suites, id) }

// HasGroup says whether the client named the elliptic-curve group.
func (m *ClientHello) HasGroup(id uint16) bool { return has16(m.Groups, id) }

// HasVersion says whether the client takes the version: by supported_versions
// if that was sent, else because its highest version is not below it.
func (m *ClientHello) HasVersion(v uint16) bool {
	if m.Versions != nil {
		return has16(m.Versions, v)
	}
	return m.Version >= v
}

// HasUncompressedPoints says whether the client takes uncompressed points,
// which is assumed of one that does not say (RFC 8422 section 5.1.2).
func (m *ClientHello) HasUncompressedPoints() bool {
	if m.Points == nil {
		return true
	}
	for _, p := range m.Points {
		if p == pointUncompressed {
			return true
		}
	}
	return false
}

// HasNullCompression says whether the client takes records without compression.
func (m *ClientHello) HasNullCompression() bool {
	for _, c := range m.Compression {
		if c == 0 {
			return true
		}
	}
	return false
}

// Append appends the whole message.
func (m *ClientHello) Append(dst []byte) []byte {
	dst, start := header(dst, TypeClientHello)
	dst = append16(dst, m.Version)
	dst = append(dst, m.Random...)
	dst = appendVec8(dst, m.SessionID)
	dst = appendVec16(dst, m.Suites)
	dst = appendVec8(dst, m.Compression)
	dst = extensionBlock(dst, func(dst []byte) []byte {
		if m.Renegotiation {
			dst = appendExtension(dst, extRenegotiationInfo, 0)
		}
		if m.MaxFragment != 0 {
			dst = appendExtension(dst, extMaxFragmentLength, m.MaxFragment)
		}
		if m.Groups != nil {
			dst = appendExtension(dst, extSupportedGroups, appendVec16(nil, m.Groups)...)
		}
		if m.Points != nil {
			dst = appendExtension(dst, extPointFormats, appendVec8(nil, m.Points)...)
		}
		if m.Versions != nil {
			dst = appendExtension(dst, extSupportedVersions, appendVec8(nil, m.Versions)...)
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
