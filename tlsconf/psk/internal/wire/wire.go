// Package wire holds the handshake messages of TLS 1.2 that a pre-shared-key
// handshake uses, as bytes: decoding into views, and appending.
//
// It knows no connection, no key and no state. Decoders are total: any input
// gives either a complete message or an *Error, never a panic. The byte slices
// in a decoded message alias the input and live as long as it does.
//
// Sources: RFC 5246 section 7.4 (messages), RFC 4279 and RFC 5489 (key
// exchange), RFC 5746, RFC 6066, RFC 7366, RFC 7627, RFC 8422 (extensions).
package wire

// Handshake message types, RFC 5246 section 7.4.
const (
	TypeHelloRequest      = 0
	TypeClientHello       = 1
	TypeServerHello       = 2
	TypeServerKeyExchange = 12
	TypeServerHelloDone   = 14
	TypeClientKeyExchange = 16
	TypeFinished          = 20
)

// HeaderLen is the length of a handshake message's header: one byte of type,
// three of length.
const HeaderLen = 4

// RandomLen is the length of the random value in either hello.
const RandomLen = 32

// Version12 is TLS 1.2 on the wire.
const Version12 = 0x0303

// FinishedLen is the length of a Finished message's verify data in TLS 1.2.
const FinishedLen = 12

// MessageName names a handshake message type for errors and logs.
func MessageName(typ byte) string {
	switch typ {
	case TypeHelloRequest:
		return "HelloRequest"
	case TypeClientHello:
		return "ClientHello"
	case TypeServerHello:
		return "ServerHello"
	case TypeServerKeyExchange:
		return "ServerKeyExchange"
	case TypeServerHelloDone:
		return "ServerHelloDone"
	case TypeClientKeyExchange:
		return "ClientKeyExchange"
	case TypeFinished:
		return "Finished"
	}
	return "unknown handshake message"
}

// Kind classes what is wrong with a message; it decides the alert.
type Kind uint8

const (
	// Malformed: lengths do not fit (alert decode_error).
	Malformed Kind = iota
	// Illegal: well formed, but the value is not allowed (illegal_parameter).
	Illegal
	// Renegotiating: a first handshake that claims to be another one
	// (handshake_failure, RFC 5746 sections 3.4 and 3.6).
	Renegotiating
	// Unsolicited: an extension in a ServerHello that this side never offers
	// (unsupported_extension).
	Unsolicited
)

// Error is why a message was not decoded.
type Error struct {
	Message byte // handshake message type
	Kind    Kind
	Reason  string
}

func (e *Error) Error() string { return MessageName(e.Message) + ": " + e.Reason }

// header appends a message header whose length is filled in by finish.
func header(dst []byte, typ byte) (out []byte, start int) {
	return append(dst, typ, 0, 0, 0), len(dst)
}

// finish writes the body length of the message that starts at start.
func finish(dst []byte, start int) []byte {
	n := len(dst) - start - HeaderLen
	dst[start+1], dst[start+2], dst[start+3] = byte(n>>16), byte(n>>8), byte(n)
	return dst
}

func append16(dst []byte, v uint16) []byte { return append(dst, byte(v>>8), byte(v)) }

// appendVec8 appends v with a one-byte length.
func appendVec8(dst, v []byte) []byte { return append(append(dst, byte(len(v))), v...) }

// appendVec16 appends v with a two-byte length.
func appendVec16(dst, v []byte) []byte { return append(append16(dst, uint16(len(v))), v...) }

// AppendServerHelloDone appends the whole message.
func AppendServerHelloDone(dst []byte) []byte {
	return append(dst, TypeServerHelloDone, 0, 0, 0)
}

// AppendFinished appends the whole message around the verify data.
func AppendFinished(dst []byte, verify []byte) []byte {
	dst, start := header(dst, TypeFinished)
	return finish(append(dst, verify...), start)
}
