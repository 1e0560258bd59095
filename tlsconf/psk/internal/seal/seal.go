// Package seal protects and unprotects TLS 1.2 records: AES-GCM, and AES-CBC
// with HMAC in both orders (MAC-then-encrypt of RFC 5246, encrypt-then-MAC of
// RFC 7366).
//
// It knows record types only as a byte to authenticate, and no connection. A
// record that does not verify gives ErrBadRecord and nothing else: whether the
// padding or the MAC was wrong is not told, and for MAC-then-encrypt not even
// the time differs (see blindMAC).
package seal

import (
	"encoding/binary"
	"errors"
)

// MaxPlaintext is the most bytes a record may carry, RFC 5246 section 6.2.1.
const MaxPlaintext = 1 << 14

// MaxOverhead is the most a protection here adds to a plaintext: the initial
// vector, a full block of padding and the longest MAC.
const MaxOverhead = 16 + 16 + 32

// MaxFragment bounds a protected fragment on receipt: any peer may pad up to
// 256 bytes (RFC 5246 section 6.2.3.2).
const MaxFragment = MaxPlaintext + 16 + 256 + 32

// ErrBadRecord is the one answer to a record that does not verify.
var ErrBadRecord = errors.New("record does not verify")

// Sealer protects the records of one direction. It counts them itself and is
// used by one goroutine at a time.
type Sealer interface {
	// Seal appends the protected fragment of a record to dst. plain is not
	// kept, at most MaxPlaintext bytes, and must not overlap dst's free
	// capacity. An error comes only from the source of randomness.
	Seal(dst []byte, typ byte, plain []byte) ([]byte, error)
}

// Opener is the other end of a Sealer, with the same rules.
type Opener interface {
	// Open verifies a fragment and returns its plaintext, decrypted in place:
	// it aliases fragment. The only error is ErrBadRecord.
	Open(typ byte, fragment []byte) ([]byte, error)
}

// headLen is the length of the pseudo-header that is authenticated with each
// record: sequence number, type, version, length.
const headLen = 8 + 1 + 2 + 2

// putHead fills in the pseudo-header. The sequence number cannot wrap: 2^64
// records outlast the connection.
func putHead(head *[headLen]byte, seq uint64, typ byte, length int) {
	binary.BigEndian.PutUint64(head[:], seq)
	head[8] = typ
	head[9], head[10] = 3, 3 // TLS 1.2
	head[11], head[12] = byte(length>>8), byte(length)
}
