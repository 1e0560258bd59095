package credential

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"sync"
)

// blockSize is the block of all three hashes, in bytes.
const blockSize = 64

// largestSum is the longest code, in bytes.
const largestSum = sha256.Size

// signer computes HMACs (RFC 2104) one after another. crypto/hmac ties a state to one key and allocates
// five times for it; here every CONNECT has another key, so the hash is kept and the key is not.
type signer struct {
	hash hash.Hash
	pad  [blockSize]byte
	sum  [largestSum]byte
	text []byte // scratch for what is signed
}

// longText is the size in bytes beyond which a signer's scratch is not kept for the next use.
const longText = 1024

// signers has a pool for each method.
var signers = [methods]sync.Pool{
	HMACMD5:    {New: func() any { return &signer{hash: md5.New()} }},
	HMACSHA1:   {New: func() any { return &signer{hash: sha1.New()} }},
	HMACSHA256: {New: func() any { return &signer{hash: sha256.New()} }},
}

func (m Method) signer() *signer { return signers[m].Get().(*signer) }

func (m Method) release(s *signer) {
	if cap(s.text) > longText {
		s.text = nil
	}
	signers[m].Put(s)
}

// mac returns the HMAC of text; it is valid until the next call.
func (s *signer) mac(key, text []byte) []byte {
	h := s.hash
	if len(key) > blockSize {
		h.Reset()
		h.Write(key)
		key = h.Sum(s.sum[:0])
	}
	clear(s.pad[copy(s.pad[:], key):])
	for i := range s.pad {
		s.pad[i] ^= 0x36
	}
	h.Reset()
	h.Write(s.pad[:])
	h.Write(text)
	inner := h.Sum(s.sum[:0])
	for i := range s.pad {
		s.pad[i] ^= 0x36 ^ 0x5c
	}
	h.Reset()
	h.Write(s.pad[:])
	h.Write(inner)
	clear(s.pad[:]) // a pooled signer holds no secret
	return h.Sum(s.sum[:0])
}

// matches reports whether the password is the HMAC of text in hexadecimal. The comparison takes the same
// time for every password of the right length.
func (s *signer) matches(password, key, text []byte) bool {
	var claimed [largestSum]byte
	n, ok := decodeHex(&claimed, password)
	mac := s.mac(key, text)
	return ok && subtle.ConstantTimeCompare(claimed[:n], mac) == 1
}

// Append appends the HMAC of text in bytes to dst. Neither key nor text is kept.
func (m Method) Append(dst, key, text []byte) []byte {
	s := m.signer()
	dst = append(dst, s.mac(key, text)...)
	m.release(s)
	return dst
}

// AppendHex appends the HMAC of text in lower-case hexadecimal to dst.
func (m Method) AppendHex(dst, key, text []byte) []byte {
	s := m.signer()
	dst = appendHex(dst, s.mac(key, text), lowerDigits)
	m.release(s)
	return dst
}

// Matches reports whether sign is the HMAC of text in hexadecimal of either case: the C SDKs write upper
// case, all others lower case. It takes the same time for every sign of the right length.
func (m Method) Matches(sign, key, text []byte) bool {
	s := m.signer()
	ok := s.matches(sign, key, text)
	m.release(s)
	return ok
}
