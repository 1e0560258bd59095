package detect

// Constants of TLS records and ClientHellos, RFC 5246 sections 6.2.1 and 7.4.
const (
	recordHandshake  = 22
	recordHeaderLen  = 5
	typeClientHello  = 1
	helloHeaderLen   = 4
	versionAndRandom = 2 + 32
	maxSessionID     = 32
)

// clientHello reads a ClientHello up to the end of its suites, or as far as b
// goes. It is no judge of the rest.
//
// The message may be spread over several records; few clients do that, and
// then in large pieces, so hello takes the pieces together.
func clientHello(b []byte) (kind Kind, told bool) {
	h := hello{records: b}
	typ := h.u8()
	h.skip(helloHeaderLen - 1 + versionAndRandom)
	session := h.u8()
	h.skip(session)
	n := h.u16()
	if h.bad || typ >= 0 && typ != typeClientHello || session > maxSessionID {
		return Unknown, true
	}
	psk := false
	for ; n >= 2; n -= 2 {
		switch suite := h.u16(); {
		case h.bad:
			return Unknown, true
		case h.short:
			return Unknown, false
		case isPSK(suite):
			psk = true
		case wantsCertificate(suite):
			// One is enough: a client that takes either gets the
			// certificate, which is what the platform's SDK means when it
			// lists its PSK suites too.
			return TLS, true
		}
	}
	switch {
	case h.short:
		return Unknown, false
	case psk:
		return PSK, true
	}
	return TLS, true
}

// hello reads the handshake bytes out of records.
type hello struct {
	records []byte
	left    int  // of the current record
	short   bool // the bytes have ended
	bad     bool // this is not TLS
}

// u8 is the next byte, or -1.
func (h *hello) u8() int {
	for h.left == 0 && !h.short && !h.bad {
		r := h.records
		switch {
		case len(r) > 0 && r[0] != recordHandshake, len(r) > 1 && r[1] != 3:
			h.bad = true
		case len(r) < recordHeaderLen:
			h.short = true
		default:
			h.left = int(r[3])<<8 | int(r[4])
			h.records = r[recordHeaderLen:]
			h.bad = h.left == 0 // an empty handshake record is forbidden
		}
	}
	if h.bad || h.short {
		return -1
	}
	if len(h.records) == 0 {
		h.short = true
		return -1
	}
	v := int(h.records[0])
	h.records = h.records[1:]
	h.left--
	return v
}

func (h *hello) u16() int {
	high := h.u8()
	low := h.u8()
	if low < 0 {
		return -1
	}
	return high<<8 | low
}

func (h *hello) skip(n int) {
	for range n {
		h.u8()
	}
}

// isPSK says that a suite needs a pre-shared key, by the ranges of the
// standard's registry: with or without ECDHE, DHE or an RSA certificate beside
// it.
func isPSK(suite int) bool {
	switch {
	case suite >= 0x002c && suite <= 0x002e, // NULL, RFC 4785
		suite >= 0x008a && suite <= 0x0095, // RFC 4279
		suite >= 0x00a8 && suite <= 0x00b9, // RFC 5487
		suite >= 0xc033 && suite <= 0xc03b, // ECDHE_PSK, RFC 5489
		suite >= 0xc064 && suite <= 0xc071, // ARIA, RFC 6209
		suite >= 0xc08e && suite <= 0xc09b, // Camellia, RFC 6367
		suite >= 0xc0a4 && suite <= 0xc0a7, // CCM, RFC 6655
		suite >= 0xc0a8 && suite <= 0xc0ab, // CCM_8, RFC 6655
		suite >= 0xccab && suite <= 0xccae, // ChaCha20, RFC 7905
		suite >= 0xd001 && suite <= 0xd005: // ECDHE_PSK with AEAD, RFC 8442
		return true
	}
	return false
}

// wantsCertificate says that a suite that is not a PSK one wants a
// certificate. Those of TLS 1.3 can do with either, and the values that are
// signals or noise (RFC 5746, RFC 7507, RFC 8701) are no suites.
func wantsCertificate(suite int) bool {
	switch {
	case suite >= 0x1301 && suite <= 0x13ff,
		suite == 0x00ff, suite == 0x5600,
		suite&0x0f0f == 0x0a0a && suite>>8 == suite&0xff:
		return false
	}
	return true
}
