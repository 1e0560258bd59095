package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/subtle"
	"hash"
	"io"
)

const blockLen = aes.BlockSize

// MAC names the hash of a CBC suite's HMAC.
type MAC struct {
	New  func() hash.Hash // sha1.New or sha256.New: 64-byte blocks
	Size int
}

// CBCOptions makes one direction of an AES-CBC suite.
type CBCOptions struct {
	Key    []byte // AES key, copied
	MACKey []byte // MAC.Size bytes, copied
	MAC    MAC
	// EncryptThenMAC: the MAC covers the ciphertext (RFC 7366). Otherwise it
	// covers the plaintext and is encrypted with it (RFC 5246).
	EncryptThenMAC bool
	// Rand gives initial vectors, which must be unpredictable for each record.
	Rand io.Reader
}

// cbc is AES-CBC with HMAC and an explicit initial vector per record.
type cbc struct {
	block     cipher.Block
	mac       hash.Hash
	macSize   int
	blind     *blindMAC // set if the MAC is under the encryption
	rand      io.Reader
	seq       uint64
	head      [headLen]byte
	sum       [32]byte
	encrypter resettable
	decrypter resettable
}

// resettable is what cipher.NewCBCEncrypter and NewCBCDecrypter give for AES;
// without SetIV each record would cost a fresh one.
type resettable interface {
	cipher.BlockMode
	SetIV([]byte)
}

// NewCBC makes one direction.
func NewCBC(o CBCOptions) (Half, error) {
	block, err := aes.NewCipher(o.Key)
	if err != nil {
		return nil, err
	}
	c := &cbc{
		block:   block,
		mac:     hmac.New(o.MAC.New, o.MACKey),
		macSize: o.MAC.Size,
		rand:    o.Rand,
	}
	var zero [blockLen]byte
	c.encrypter, _ = cipher.NewCBCEncrypter(block, zero[:]).(resettable)
	c.decrypter, _ = cipher.NewCBCDecrypter(block, zero[:]).(resettable)
	if !o.EncryptThenMAC {
		c.blind, err = newBlindMAC(o.MAC, o.MACKey)
	}
	return c, err
}

func (c *cbc) encrypt(iv, b []byte) {
	if c.encrypter == nil {
		cipher.NewCBCEncrypter(c.block, iv).CryptBlocks(b, b)
		return
	}
	c.encrypter.SetIV(iv)
	c.encrypter.CryptBlocks(b, b)
}

func (c *cbc) decrypt(iv, b []byte) {
	if c.decrypter == nil {
		cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(b, b)
		return
	}
	c.decrypter.SetIV(iv)
	c.decrypter.CryptBlocks(b, b)
}

// macOf is the MAC of the record's pseudo-header and data.
func (c *cbc) macOf(typ byte, data []byte) []byte {
	putHead(&c.head, c.seq, typ, len(data))
	c.mac.Reset()
	c.mac.Write(c.head[:])
	c.mac.Write(data)
	return c.mac.Sum(c.sum[:0])
}

func (c *cbc) Seal(dst []byte, typ byte, plain []byte) ([]byte, error) {
	start := len(dst)
	var zero [blockLen]byte
	dst = append(dst, zero[:]...)
	if _, err := io.ReadFull(c.rand, dst[start:]); err != nil {
		return dst[:start], err
	}
	dst = append(dst, plain...)
	if c.blind != nil {
		dst = append(dst, c.macOf(typ, plain)...)
	}
	// The least padding that fills the block: its length byte and as many
	// bytes of the same value before it.
	body := len(dst) - start - blockLen
	pad := blockLen - 1 - body%blockLen
	for range pad + 1 {
		dst = append(dst, byte(pad))
	}
	c.encrypt(dst[start:start+blockLen], dst[start+blockLen:])
	if c.blind == nil {
		dst = append(dst, c.macOf(typ, dst[start:])...)
	}
	c.seq++
	return dst, nil
}

func (c *cbc) Open(typ byte, fragment []byte) ([]byte, error) {
	var plain []byte
	ok := false
	if c.blind == nil {
		plain, ok = c.openOuterMAC(typ, fragment)
	} else {
		plain, ok = c.openInnerMAC(typ, fragment)
	}
	c.seq++
	if !ok {
		return nil, ErrBadRecord
	}
	return plain, nil
}

// openOuterMAC is encrypt-then-MAC: nothing is decrypted before the MAC holds,
// so what follows has no secret to leak to someone who forges records.
func (c *cbc) openOuterMAC(typ byte, fragment []byte) ([]byte, bool) {
	n := len(fragment) - c.macSize
	if n < 2*blockLen || n%blockLen != 0 {
		return nil, false
	}
	sealed, mac := fragment[:n], fragment[n:]
	if subtle.ConstantTimeCompare(c.macOf(typ, sealed), mac) != 1 {
		return nil, false
	}
	plain := sealed[blockLen:]
	c.decrypt(sealed[:blockLen], plain)
	pad, good := padding(plain, 0)
	return plain[:len(plain)-pad], good == 0xff
}

// openInnerMAC is MAC-then-encrypt. How much padding there is, and whether it
// is well formed, must show neither in the answer nor in the time it takes
// (the attacks known as Vaudenay's, POODLE and Lucky 13), so from here to the
// last line nothing branches on the decrypted bytes or indexes by them.
func (c *cbc) openInnerMAC(typ byte, fragment []byte) ([]byte, bool) {
	n := len(fragment) - blockLen
	if n < c.macSize+1 || n%blockLen != 0 {
		return nil, false // lengths are public
	}
	plain := fragment[blockLen:]
	c.decrypt(fragment[:blockLen], plain)

	pad, good := padding(plain, c.macSize)
	secret := n - c.macSize - pad // length of the content
	least, most := max(0, n-c.macSize-256), n-c.macSize
	putHead(&c.head, c.seq, typ, secret)
	mac := c.blind.sum(c.sum[:0], &c.head, plain, secret, least, most)
	good &= macAt(plain, mac, secret, least)
	if good != 0xff {
		return nil, false
	}
	return plain[:secret], true
}

// padding gives how many bytes the padding of a decrypted record takes, its
// length byte included, and 0xff if it is well formed and leaves room for a
// MAC of macSize. Ill-formed padding counts as none, with 0. The time depends
// on len(plain) alone. plain is at least one byte longer than macSize.
func padding(plain []byte, macSize int) (n int, good byte) {
	last := len(plain) - 1
	value := plain[last]
	var wrong byte
	for i := range min(256, len(plain)-macSize) {
		counts := ^less(int(value), i) // 0xff for the padding's own bytes
		wrong |= counts & (plain[last-i] ^ value)
	}
	good = equal(int(wrong), 0) &^ less(len(plain), int(value)+1+macSize)
	return (int(value) + 1) & int(int8(good)), good
}

// macAt compares mac with the bytes of plain at a secret offset, which is at
// least least. The time depends on the lengths and least alone.
func macAt(plain, mac []byte, offset, least int) (good byte) {
	// Fold the window in which the MAC may lie onto one ring of its length:
	// the ring then holds the MAC, turned by a secret amount.
	var ring [32]byte
	turn, j := 0, 0
	for i := least; i < len(plain); i++ {
		inside := ^less(i, offset) & less(i, offset+len(mac))
		ring[j] |= plain[i] & inside
		turn |= j & int(int8(equal(i, offset)))
		if j++; j == len(mac) {
			j = 0
		}
	}
	// Compare under every turn and keep the verdict of the right one.
	for t := range mac {
		var diff byte
		k := t
		for _, b := range mac {
			diff |= ring[k] ^ b
			if k++; k == len(mac) {
				k = 0
			}
		}
		good |= equal(int(diff), 0) & equal(t, turn)
	}
	return good
}

// less is 0xff if a < b and 0 otherwise, without a branch; both below 2^31.
func less(a, b int) byte { return byte((int32(a) - int32(b)) >> 31) }

// equal is 0xff if a == b and 0 otherwise, without a branch; both below 2^31.
func equal(a, b int) byte { return byte((int64(uint32(a^b)) - 1) >> 63) }
