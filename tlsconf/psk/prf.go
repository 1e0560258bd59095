package psk

import (
	"crypto/hmac"
	"crypto/sha256"
)

const masterLen = 48

// prf fills out with PRF(secret, label, seed...) of TLS 1.2 with SHA-256,
// RFC 5246 section 5, and returns it.
func prf(out, secret []byte, label string, seed ...[]byte) []byte {
	h := hmac.New(sha256.New, secret)
	writeSeed := func() {
		h.Write([]byte(label))
		for _, s := range seed {
			h.Write(s)
		}
	}
	writeSeed()
	var a, block [sha256.Size]byte
	h.Sum(a[:0])
	for done := 0; done < len(out); {
		h.Reset()
		h.Write(a[:])
		writeSeed()
		done += copy(out[done:], h.Sum(block[:0]))
		h.Reset()
		h.Write(a[:])
		h.Sum(a[:0])
	}
	return out
}

// premaster joins the other secret and the pre-shared key, RFC 4279 section 2.
// Without an agreed secret the other one is zeros of the key's length.
func premaster(agreed, key []byte) []byte {
	if agreed == nil {
		agreed = make([]byte, len(key))
	}
	b := make([]byte, 0, 2+len(agreed)+2+len(key))
	b = append(append(b, byte(len(agreed)>>8), byte(len(agreed))), agreed...)
	return append(append(b, byte(len(key)>>8), byte(len(key))), key...)
}
