package packet

// What follows can build packets that nobody may send. It is for those who test
// a codec or a broker: fuzzers, conformance suites, this package's own tests.
// The AppendTo methods help them, too: they write what a value says, such as a
// PUBLISH with QoS 3, a wildcard in its topic name or the identifier 0.

// AppendFrame appends a packet with any first byte and any body, and the right
// remaining length in its shortest form. A body of more than MaxRemaining bytes
// appends nothing.
func AppendFrame(dst []byte, first byte, body []byte) []byte {
	if len(body) > MaxRemaining {
		return dst
	}
	return append(appendHeader(dst, first, len(body)), body...)
}

// AppendClaim appends a packet whose remaining length is claim, whatever the
// body's length is, in width bytes: 1 to 4 as the standard has them (of a claim
// too large for them the lower bits), 5 or more as it forbids them. A claim that
// needs fewer bytes is padded to the width.
func AppendClaim(dst []byte, first byte, claim, width int, body []byte) []byte {
	dst = append(dst, first)
	for ; width > 1; width-- {
		dst = append(dst, byte(claim)|0x80)
		claim >>= 7
	}
	dst = append(dst, byte(claim)&0x7f)
	return append(dst, body...)
}

// AppendField appends s behind a two-byte length that says claim, as CONNECT,
// PUBLISH, SUBSCRIBE and UNSUBSCRIBE hold their fields. The right claim is
// len(s).
func AppendField(dst, s []byte, claim int) []byte {
	dst = append(dst, byte(claim>>8), byte(claim))
	return append(dst, s...)
}
