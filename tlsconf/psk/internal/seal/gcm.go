package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

const (
	// GCMSaltLen is the implicit part of the nonce, from the key block.
	GCMSaltLen = 4
	// gcmExplicitLen is the part sent with each record.
	gcmExplicitLen = 8
	gcmTagLen      = 16
)

// gcm is AES-GCM as RFC 5288 uses it. The explicit nonce is the sequence
// number, which never repeats under one key.
type gcm struct {
	aead  cipher.AEAD
	seq   uint64
	nonce [GCMSaltLen + gcmExplicitLen]byte
	head  [headLen]byte
}

// NewGCMSealer makes one end from its part of the key block: a 16- or 32-byte
// key and GCMSaltLen bytes of salt. Both are copied.
func NewGCMSealer(key, salt []byte) (Sealer, error) { return newGCM(key, salt) }

// NewGCMOpener is NewGCMSealer for the other end.
func NewGCMOpener(key, salt []byte) (Opener, error) { return newGCM(key, salt) }

func newGCM(key, salt []byte) (*gcm, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	g := &gcm{aead: aead}
	copy(g.nonce[:GCMSaltLen], salt)
	return g, nil
}

func (g *gcm) Seal(dst []byte, typ byte, plain []byte) ([]byte, error) {
	putHead(&g.head, g.seq, typ, len(plain))
	explicit := g.nonce[GCMSaltLen:]
	binary.BigEndian.PutUint64(explicit, g.seq)
	g.seq++
	return g.aead.Seal(append(dst, explicit...), g.nonce[:], plain, g.head[:]), nil
}

func (g *gcm) Open(typ byte, fragment []byte) ([]byte, error) {
	n := len(fragment) - gcmExplicitLen - gcmTagLen
	if n < 0 {
		return nil, ErrBadRecord
	}
	putHead(&g.head, g.seq, typ, n)
	g.seq++
	copy(g.nonce[GCMSaltLen:], fragment)
	sealed := fragment[gcmExplicitLen:]
	plain, err := g.aead.Open(sealed[:0], g.nonce[:], sealed, g.head[:])
	if err != nil {
		return nil, ErrBadRecord
	}
	return plain, nil
}
