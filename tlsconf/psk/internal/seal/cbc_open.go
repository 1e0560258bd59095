package seal

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/subtle"
)

// outerOpener opens encrypt-then-MAC records.
type outerOpener struct {
	chain chain
	mac   outerMAC
	size  int // of the MAC
	seq   uint64
}

// innerOpener opens MAC-then-encrypt records.
type innerOpener struct {
	chain chain
	mac   *blindMAC
	head  [headLen]byte
	sum   [32]byte
	seq   uint64
}

// NewCBCOpener makes the receiving end.
func NewCBCOpener(o CBCOptions) (Opener, error) {
	c, err := newChain(o.Key, cipher.NewCBCDecrypter)
	if err != nil {
		return nil, err
	}
	if o.EncryptThenMAC {
		return &outerOpener{chain: c, mac: outerMAC{hash: hmac.New(o.MAC.New, o.MACKey)}, size: o.MAC.Size}, nil
	}
	mac, err := newBlindMAC(o.MAC, o.MACKey)
	if err != nil {
		return nil, err
	}
	return &innerOpener{chain: c, mac: mac}, nil
}

// Open decrypts nothing before the MAC holds, so what follows has no secret to
// leak to someone who forges records.
func (o *outerOpener) Open(typ byte, fragment []byte) ([]byte, error) {
	seq := o.seq
	o.seq++
	n := len(fragment) - o.size
	if n < 2*blockLen || n%blockLen != 0 {
		return nil, ErrBadRecord
	}
	sealed, mac := fragment[:n], fragment[n:]
	if subtle.ConstantTimeCompare(o.mac.of(seq, typ, sealed), mac) != 1 {
		return nil, ErrBadRecord
	}
	plain := sealed[blockLen:]
	o.chain.crypt(sealed[:blockLen], plain)
	pad, good := padding(plain, 0)
	if good != 0xff {
		return nil, ErrBadRecord
	}
	return plain[:len(plain)-pad], nil
}

// Open checks padding and MAC together. How much padding there is, and whether
// it is well formed, must show neither in the answer nor in the time it takes
// (the attacks known as Vaudenay's, POODLE and Lucky 13), so from the
// decryption to the last lines nothing branches on the decrypted bytes or
// indexes by them.
func (o *innerOpener) Open(typ byte, fragment []byte) ([]byte, error) {
	seq := o.seq
	o.seq++
	n := len(fragment) - blockLen
	if n < o.mac.size+1 || n%blockLen != 0 {
		return nil, ErrBadRecord // lengths are public
	}
	plain := fragment[blockLen:]
	o.chain.crypt(fragment[:blockLen], plain)

	pad, good := padding(plain, o.mac.size)
	secret := n - o.mac.size - pad // length of the content
	least, most := max(0, n-o.mac.size-256), n-o.mac.size
	putHead(&o.head, seq, typ, secret)
	mac := o.mac.sum(o.sum[:0], &o.head, plain, secret, least, most)
	good &= macAt(plain, mac, secret, least)
	if good != 0xff {
		return nil, ErrBadRecord
	}
	return plain[:secret], nil
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
