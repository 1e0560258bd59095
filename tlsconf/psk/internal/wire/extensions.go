package wire

// Extension types this package understands.
const (
	extMaxFragmentLength    = 1      // RFC 6066
	extSupportedGroups      = 10     // RFC 8422
	extPointFormats         = 11     // RFC 8422
	extEncryptThenMAC       = 22     // RFC 7366
	extExtendedMasterSecret = 23     // RFC 7627
	extSupportedVersions    = 43     // RFC 8446
	extRenegotiationInfo    = 0xff01 // RFC 5746
)

// suiteRenegotiationSCSV stands for an empty renegotiation_info, RFC 5746.
const suiteRenegotiationSCSV = 0x00ff

// maxExtensions bounds the extensions of one hello. Clients in use send fewer
// than 25; the bound keeps the search for duplicates short.
const maxExtensions = 64

// pointUncompressed is the only point format TLS 1.2 clients still use.
const pointUncompressed = 0

// extensions walks an extension block, refusing duplicates and more than
// maxExtensions:
//
//	x := extensions{message: typ, rest: reader{b: block}}
//	for x.next() {
//		... x.typ, x.body ...
//	}
//	if x.err != nil ...
type extensions struct {
	message byte // handshake message type, for errors
	rest    reader
	typ     uint16 // of the current extension
	body    reader // of the current extension
	err     *Error
	seen    [maxExtensions]uint16
	n       int // extensions seen
}

func (x *extensions) next() bool {
	if x.rest.empty() {
		return false
	}
	x.typ = x.rest.u16()
	x.body = reader{b: x.rest.vec16()}
	if x.rest.bad {
		x.err = &Error{x.message, Malformed, "extensions do not fit their lengths"}
		return false
	}
	if x.n == maxExtensions {
		x.err = &Error{x.message, Illegal, "too many extensions"}
		return false
	}
	for _, s := range x.seen[:x.n] {
		if s == x.typ {
			x.err = &Error{x.message, Illegal, "extension sent twice"}
			return false
		}
	}
	x.seen[x.n] = x.typ
	x.n++
	return true
}

// list16 reads a list of 16-bit values with a two-byte length, at least one
// value long, that fills the extension.
func (r *reader) list16() []byte {
	v := r.vec16()
	if len(v) == 0 || len(v)%2 != 0 || !r.ended() {
		r.bad = true
	}
	return v
}

// extensionBlock appends the block's length around what fill appends, or
// nothing if fill appends nothing: old clients refuse an empty block.
func extensionBlock(dst []byte, fill func([]byte) []byte) []byte {
	start := len(dst)
	dst = fill(append(dst, 0, 0))
	n := len(dst) - start - 2
	if n == 0 {
		return dst[:start]
	}
	dst[start], dst[start+1] = byte(n>>8), byte(n)
	return dst
}

// appendExtension appends one extension.
func appendExtension(dst []byte, typ uint16, body ...byte) []byte {
	return appendVec16(append16(dst, typ), body)
}
