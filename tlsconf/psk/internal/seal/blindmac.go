package seal

import (
	"encoding"
	"encoding/binary"
	"errors"
	"hash"
)

// hashBlock is the block length of SHA-1 and SHA-256 alike.
const hashBlock = 64

// stateMagic is the length of the mark in front of the chaining value in a
// marshalled SHA-1 or SHA-256 state.
const stateMagic = 4

// blindMAC computes the HMAC of a prefix of data without showing how long the
// prefix is.
//
// A plain HMAC compresses one block more or less as the padding is short or
// long: the difference Lucky 13 measures. Here every block that could be the
// last one is built with masks, the message's own end padding included, and
// compressed; the chaining value after the true last block is kept with a
// mask. The number of compressions and the addresses touched depend on public
// lengths only.
//
// The chaining value is read through the hash's own AppendBinary, so that the
// standard library's compression functions do the work; newBlindMAC checks
// once per key that the marshalled form is as expected.
type blindMAC struct {
	h     stateHash
	size  int
	inner []byte // state of h after the key XOR ipad block
	outer []byte // state of h after the key XOR opad block

	// Scratch space, here because what is handed to an interface would be
	// allocated anew for each record.
	state  []byte
	digest [32]byte
	block  [hashBlock]byte
}

// stateHash is a hash whose state can be taken out and put back.
type stateHash interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

var errHashState = errors.New("seal: the hash does not expose its state as expected")

func newBlindMAC(mac MAC, key []byte) (*blindMAC, error) {
	h, ok := mac.New().(stateHash)
	if !ok || h.BlockSize() != hashBlock || h.Size() != mac.Size || len(key) > hashBlock {
		return nil, errHashState
	}
	m := &blindMAC{h: h, size: mac.Size}
	var err error
	if m.inner, err = m.keyed(key, 0x36); err != nil {
		return nil, err
	}
	if m.outer, err = m.keyed(key, 0x5c); err != nil {
		return nil, err
	}
	if !m.stateIsReadable() {
		return nil, errHashState
	}
	return m, nil
}

// keyed is the state after one block of the key XOR fill, RFC 2104.
func (m *blindMAC) keyed(key []byte, fill byte) ([]byte, error) {
	var block [hashBlock]byte
	copy(block[:], key)
	for i := range block {
		block[i] ^= fill
	}
	m.h.Reset()
	m.h.Write(block[:])
	return m.h.AppendBinary(nil)
}

// stateIsReadable compares the chaining value after a hand-padded last block
// with what the hash itself gives for the same message.
func (m *blindMAC) stateIsReadable() bool {
	if m.h.UnmarshalBinary(m.inner) != nil {
		return false
	}
	want := m.h.Sum(nil)
	var last [hashBlock]byte
	last[0] = 0x80
	binary.BigEndian.PutUint64(last[hashBlock-8:], hashBlock*8)
	m.h.Write(last[:])
	state, err := m.h.AppendBinary(m.state[:0])
	m.state = state
	return err == nil && len(state) >= stateMagic+m.size &&
		string(state[stateMagic:stateMagic+m.size]) == string(want)
}

// sum appends HMAC(head || data[:n]) to dst. n is secret and lies between the
// public bounds least and most; data is at least most bytes long.
func (m *blindMAC) sum(dst []byte, head *[headLen]byte, data []byte, n, least, most int) []byte {
	// Positions below count from the start of head. The message ends at the
	// secret position end; its final block is the secret number final. A
	// message of length p has its final block at (p+8)/64: one byte of 0x80
	// and eight of length must fit behind it.
	end := headLen + n
	final := (end + 8) / hashBlock
	lastBlock := (headLen + most + 8) / hashBlock
	whole := (headLen + least) / hashBlock // blocks certain to hold data only

	_ = m.h.UnmarshalBinary(m.inner) // the form was checked when it was made
	if whole > 0 {
		m.h.Write(head[:])
		m.h.Write(data[:whole*hashBlock-headLen])
	}

	var length [8]byte // of the inner hash's input in bits, the key block included
	binary.BigEndian.PutUint64(length[:], uint64(hashBlock+end)*8)
	digest, block := &m.digest, &m.block
	*digest = [32]byte{}
	for b := whole; b <= lastBlock; b++ {
		isFinal := equal(b, final)
		for i := range block {
			pos := b*hashBlock + i
			var v byte
			switch { // on public positions only
			case pos < headLen:
				v = head[pos]
			case pos-headLen < len(data):
				v = data[pos-headLen]
			}
			block[i] = v&less(pos, end) | 0x80&equal(pos, end)
		}
		for i, v := range length {
			block[hashBlock-8+i] |= v & isFinal
		}
		m.h.Write(block[:])
		m.state, _ = m.h.AppendBinary(m.state[:0])
		for i, v := range m.state[stateMagic : stateMagic+m.size] {
			digest[i] |= v & isFinal
		}
	}

	_ = m.h.UnmarshalBinary(m.outer)
	m.h.Write(digest[:m.size])
	return m.h.Sum(dst)
}
