package wire

import "slices"

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

// extensions walks the extensions of a hello, refusing duplicates, more than
// maxExtensions, and what does not fit its length:
//
//	x := r.extensions(typ)
//	for x.next() {
//		x.err = ... x.typ, &x.body ...
//	}
//	return x.result()
type extensions struct {
	message byte // handshake message type, for errors
	rest    reader
	typ     uint16 // of the current extension
	body    reader // of the current extension, to be read to its end
	err     *Error // ends the walk
	seen    [maxExtensions]uint16
	n       int // extensions seen
}

// extensions begins at the rest of a hello: nothing, or a block.
func (r *reader) extensions(message byte) (x extensions) {
	x.message = message
	if r.empty() {
		return x // a hello without extensions is allowed
	}
	x.rest = reader{b: r.vec16()}
	if !r.ended() {
		x.err = &Error{message, Malformed, "extension block does not fit the message"}
	}
	return x
}

func (x *extensions) next() bool {
	switch {
	case x.err != nil:
		return false
	case !x.body.ended():
		x.err = &Error{x.message, Malformed, "an extension does not fit its length"}
		return false
	case x.rest.empty():
		return false
	}
	x.typ = x.rest.u16()
	x.body = reader{b: x.rest.vec16()}
	switch {
	case x.rest.bad:
		x.err = &Error{x.message, Malformed, "extensions do not fit their lengths"}
	case x.n == maxExtensions:
		x.err = &Error{x.message, Illegal, "too many extensions"}
	case slices.Contains(x.seen[:x.n], x.typ):
		x.err = &Error{x.message, Illegal, "extension sent twice"}
	default:
		x.seen[x.n] = x.typ
		x.n++
		return true
	}
	return false
}

// result is what the walk has come to.
func (x *extensions) result() error {
	if x.err != nil {
		return x.err
	}
	return nil
}

// noRenegotiation reads the renegotiation_info of a first handshake, which is
// empty (RFC 5746 section 3.4).
func (r *reader) noRenegotiation(message byte) *Error {
	if v := r.vec8(); !r.bad && len(v) != 0 {
		return &Error{message, Renegotiating, "renegotiation_info is not empty in a first handshake"}
	}
	return nil
}

// list8 reads a list of bytes with a length of one byte, at least one long.
func (r *reader) list8() []byte {
	v := r.vec8()
	if len(v) == 0 {
		r.bad = true
	}
	return v
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
