package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"hash"
	"io"
)

const blockLen = aes.BlockSize

// MAC names the hash of a CBC suite's HMAC.
type MAC struct {
	New  func() hash.Hash // sha1.New or sha256.New: 64-byte blocks
	Size int
}

// CBCOptions makes one end of one direction of an AES-CBC suite.
type CBCOptions struct {
	Key    []byte // AES key, copied
	MACKey []byte // MAC.Size bytes, copied
	MAC    MAC
	// EncryptThenMAC: the MAC covers the ciphertext (RFC 7366). Otherwise it
	// covers the plaintext and is encrypted with it (RFC 5246).
	EncryptThenMAC bool
	// Rand gives initial vectors, which must be unpredictable for each record.
	// An opener needs none.
	Rand io.Reader
}

// outerMAC is the ordinary HMAC over a record's pseudo-header and data.
type outerMAC struct {
	hash hash.Hash
	head [headLen]byte
	sum  [32]byte
}

// of gives the MAC, which lasts until the following call.
func (m *outerMAC) of(seq uint64, typ byte, data []byte) []byte {
	putHead(&m.head, seq, typ, len(data))
	m.hash.Reset()
	m.hash.Write(m.head[:])
	m.hash.Write(data)
	return m.hash.Sum(m.sum[:0])
}

// chain is AES-CBC in one direction. The standard library's block mode for AES
// can take another initial vector; without that each record would need a
// fresh one, several hundred bytes.
type chain struct {
	mode   resettable
	block  cipher.Block // only if mode is nil
	create func(cipher.Block, []byte) cipher.BlockMode
}

type resettable interface {
	cipher.BlockMode
	SetIV([]byte)
}

func newChain(key []byte, create func(cipher.Block, []byte) cipher.BlockMode) (chain, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return chain{}, err
	}
	var zero [blockLen]byte
	if mode, ok := create(block, zero[:]).(resettable); ok {
		return chain{mode: mode}, nil
	}
	return chain{block: block, create: create}, nil
}

// crypt works on whole blocks in place.
func (c *chain) crypt(iv, b []byte) {
	if c.mode == nil {
		c.create(c.block, iv).CryptBlocks(b, b)
		return
	}
	c.mode.SetIV(iv)
	c.mode.CryptBlocks(b, b)
}

// cbcSealer protects with AES-CBC and an explicit initial vector per record.
type cbcSealer struct {
	chain chain
	mac   outerMAC
	etm   bool
	rand  io.Reader
	seq   uint64
}

// NewCBCSealer makes the sending end.
func NewCBCSealer(o CBCOptions) (Sealer, error) {
	c, err := newChain(o.Key, cipher.NewCBCEncrypter)
	if err != nil {
		return nil, err
	}
	return &cbcSealer{
		chain: c,
		mac:   outerMAC{hash: hmac.New(o.MAC.New, o.MACKey)},
		etm:   o.EncryptThenMAC,
		rand:  o.Rand,
	}, nil
}

func (c *cbcSealer) Seal(dst []byte, typ byte, plain []byte) ([]byte, error) {
	start := len(dst)
	var zero [blockLen]byte
	dst = append(dst, zero[:]...)
	if _, err := io.ReadFull(c.rand, dst[start:]); err != nil {
		return dst[:start], err
	}
	dst = append(dst, plain...)
	if !c.etm {
		dst = append(dst, c.mac.of(c.seq, typ, plain)...)
	}
	// The least padding that fills the block: its length byte and as many
	// bytes of the same value before it.
	body := len(dst) - start - blockLen
	pad := blockLen - 1 - body%blockLen
	for range pad + 1 {
		dst = append(dst, byte(pad))
	}
	c.chain.crypt(dst[start:start+blockLen], dst[start+blockLen:])
	if c.etm {
		dst = append(dst, c.mac.of(c.seq, typ, dst[start:])...)
	}
	c.seq++
	return dst, nil
}
