package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"testing"
)

var macs = []struct {
	name string
	mac  MAC
}{
	{"SHA1", MAC{sha1.New, sha1.Size}},
	{"SHA256", MAC{sha256.New, sha256.Size}},
}

const typeData = 23

// cbcPair makes both ends; reset sets the number of the record that the opener
// expects next.
func cbcPair(t testing.TB, mac MAC, etm bool) (sealer *cbcSealer, opener Opener, reset func(seq uint64)) {
	t.Helper()
	o := CBCOptions{
		Key:            bytes.Repeat([]byte{7}, 16),
		MACKey:         bytes.Repeat([]byte{9}, mac.Size),
		MAC:            mac,
		EncryptThenMAC: etm,
		Rand:           rand.Reader,
	}
	s, err := NewCBCSealer(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewCBCOpener(o)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*cbcSealer), r, func(seq uint64) {
		switch r := r.(type) {
		case *outerOpener:
			r.seq = seq
		case *innerOpener:
			r.seq = seq
		}
	}
}

// handMade builds a record with any padding: content, its MAC and the bytes
// given behind it, encrypted. It repeats RFC 5246 section 6.2.3.2 in the
// plainest form.
func handMade(mac MAC, macKey []byte, seq uint64, content, tail []byte) []byte {
	var head [headLen]byte
	putHead(&head, seq, typeData, len(content))
	h := hmac.New(mac.New, macKey)
	h.Write(head[:])
	h.Write(content)
	body := append(h.Sum(bytes.Clone(content)), tail...)
	if len(body)%blockLen != 0 {
		panic("tail does not fill the block")
	}
	iv := bytes.Repeat([]byte{3}, blockLen)
	out := make([]byte, len(body))
	block, _ := aes.NewCipher(bytes.Repeat([]byte{7}, 16))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, body)
	return append(iv, out...)
}

// fill is padding of n bytes, its length byte included.
func fill(n int) []byte { return bytes.Repeat([]byte{byte(n - 1)}, n) }

func TestCBCRoundTrip(t *testing.T) {
	for _, m := range macs {
		for _, etm := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/etm=%v", m.name, etm), func(t *testing.T) {
				s, r, _ := cbcPair(t, m.mac, etm)
				for n := 0; n <= 300; n++ {
					content := make([]byte, n)
					rand.Read(content)
					fragment, err := s.Seal(nil, typeData, content)
					if err != nil {
						t.Fatal(err)
					}
					if len(fragment) > n+MaxOverhead {
						t.Fatalf("%d bytes became %d", n, len(fragment))
					}
					got, err := r.Open(typeData, fragment)
					if err != nil || !bytes.Equal(got, content) {
						t.Fatalf("length %d: %v", n, err)
					}
				}
				full := make([]byte, MaxPlaintext)
				fragment, _ := s.Seal([]byte("front"), typeData, full)
				if got, err := r.Open(typeData, fragment[5:]); err != nil || !bytes.Equal(got, full) {
					t.Fatalf("full record: %v", err)
				}
			})
		}
	}
}

// Every padding that RFC 5246 allows is accepted, from the least to 256 bytes.
func TestCBCAcceptsEveryPadding(t *testing.T) {
	for _, m := range macs {
		_, r, _ := cbcPair(t, m.mac, false)
		macKey := bytes.Repeat([]byte{9}, m.mac.Size)
		seq := uint64(0)
		for contentLen := range 70 {
			content := bytes.Repeat([]byte{'c'}, contentLen)
			for pad := 1; pad <= 256; pad++ {
				if (contentLen+m.mac.Size+pad)%blockLen != 0 {
					continue
				}
				fragment := handMade(m.mac, macKey, seq, content, fill(pad))
				seq++
				got, err := r.Open(typeData, fragment)
				if err != nil || !bytes.Equal(got, content) {
					t.Fatalf("%s content %d padding %d: %v", m.name, contentLen, pad, err)
				}
			}
		}
	}
}

// One wrong byte anywhere in a padding of any length is refused; so is a
// padding that claims more than the record holds.
func TestCBCRefusesBadPadding(t *testing.T) {
	for _, m := range macs {
		_, r, _ := cbcPair(t, m.mac, false)
		macKey := bytes.Repeat([]byte{9}, m.mac.Size)
		seq := uint64(0)
		refused := func(content, tail []byte, what string) {
			t.Helper()
			fragment := handMade(m.mac, macKey, seq, content, tail)
			seq++
			if _, err := r.Open(typeData, fragment); !errors.Is(err, ErrBadRecord) {
				t.Fatalf("%s: %s: got %v", m.name, what, err)
			}
		}
		for pad := 1; pad <= 256; pad++ {
			contentLen := (2*blockLen - (m.mac.Size+pad)%blockLen) % blockLen
			content := make([]byte, contentLen)
			for wrong := range pad {
				tail := fill(pad)
				tail[wrong] ^= 0x40
				refused(content, tail, fmt.Sprintf("padding %d, byte %d wrong", pad, wrong))
			}
		}
		// The last byte claims more padding than there is: a record of MAC
		// and padding only, all bytes of the tail saying 255.
		n := blockLen - m.mac.Size%blockLen
		refused(nil, bytes.Repeat([]byte{255}, n), "padding longer than the record")
		refused(nil, bytes.Repeat([]byte{byte(n)}, n), "padding one longer than there is")
	}
}

func TestCBCRefusesEveryFlippedBit(t *testing.T) {
	for _, m := range macs {
		for _, etm := range []bool{false, true} {
			s, r, reset := cbcPair(t, m.mac, etm)
			for bit := 0; ; bit++ {
				fragment, _ := s.Seal(nil, typeData, []byte("some content of a packet"))
				if bit == 8*len(fragment) {
					break
				}
				fragment[bit/8] ^= 1 << (bit % 8)
				if got, err := r.Open(typeData, fragment); !errors.Is(err, ErrBadRecord) {
					t.Fatalf("%s etm=%v bit %d: %x, %v", m.name, etm, bit, got, err)
				}
			}
			// The numbering went on: the next one is read.
			fragment, _ := s.Seal(nil, typeData, []byte("next"))
			reset(s.seq - 1)
			if _, err := r.Open(typeData, fragment); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestCBCRefusesWrongTypeOrderAndLength(t *testing.T) {
	for _, m := range macs {
		for _, etm := range []bool{false, true} {
			s, r, reset := cbcPair(t, m.mac, etm)
			first, _ := s.Seal(nil, typeData, []byte("first"))
			second, _ := s.Seal(nil, typeData, []byte("second"))
			try := func(what string, typ byte, fragment []byte) {
				t.Helper()
				reset(0)
				if _, err := r.Open(typ, bytes.Clone(fragment)); !errors.Is(err, ErrBadRecord) {
					t.Errorf("%s etm=%v: %s: got %v", m.name, etm, what, err)
				}
			}
			try("other type", 22, first)
			try("out of order", typeData, second)
			for n := range len(first) {
				try(fmt.Sprintf("cut to %d", n), typeData, first[:n])
			}
			try("one longer", typeData, append(bytes.Clone(first), 0))
			try("a block longer", typeData, append(bytes.Clone(first), make([]byte, blockLen)...))
			reset(0)
			if _, err := r.Open(typeData, bytes.Clone(first)); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Open(typeData, bytes.Clone(first)); !errors.Is(err, ErrBadRecord) {
				t.Errorf("%s etm=%v: replayed record: got %v", m.name, etm, err)
			}
		}
	}
}

func TestCBCInitialVectorsDiffer(t *testing.T) {
	s, _, _ := cbcPair(t, macs[0].mac, false)
	a, _ := s.Seal(nil, typeData, []byte("same"))
	b, _ := s.Seal(nil, typeData, []byte("same"))
	if bytes.Equal(a[:blockLen], b[:blockLen]) {
		t.Errorf("initial vector %x used twice", a[:blockLen])
	}
}

func TestCBCReportsFailingRandomness(t *testing.T) {
	s, _, _ := cbcPair(t, macs[0].mac, false)
	s.rand = bytes.NewReader(nil)
	if out, err := s.Seal([]byte("kept"), typeData, []byte("x")); err == nil || string(out) != "kept" {
		t.Errorf("got %q, %v", out, err)
	}
}

// The blind MAC gives the same as the standard library's HMAC, for every
// length within every window.
func TestBlindMACIsHMAC(t *testing.T) {
	for _, m := range macs {
		key := bytes.Repeat([]byte{0xa5}, m.mac.Size)
		b, err := newBlindMAC(m.mac, key)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 700)
		rand.Read(data)
		head := [headLen]byte{1, 2, 3}
		for _, total := range []int{0, 1, 42, 43, 44, 50, 51, 52, 63, 64, 65, 107, 115, 116, 256, 257, 300, 320, 640, 700} {
			least := max(0, total-256)
			for n := least; n <= total; n++ {
				h := hmac.New(m.mac.New, key)
				h.Write(head[:])
				h.Write(data[:n])
				got := b.sum(nil, &head, data[:total], n, least, total)
				if want := h.Sum(nil); !bytes.Equal(got, want) {
					t.Fatalf("%s: %d of %d bytes: got %x, want %x", m.name, n, total, got, want)
				}
			}
		}
	}
}

// countingHash counts what a hash is given.
type countingHash struct {
	stateHash
	writes, bytes *int
}

func (c countingHash) Write(p []byte) (int, error) {
	*c.writes++
	*c.bytes += len(p)
	return c.stateHash.Write(p)
}

// The work of opening a record depends on its length only: not on how much
// padding it has and not on whether padding or MAC are right.
func TestCBCOpenWorkIsTheSameForEveryPadding(t *testing.T) {
	for _, m := range macs {
		writes, written := 0, 0
		counted := MAC{Size: m.mac.Size, New: func() hash.Hash {
			return countingHash{m.mac.New().(stateHash), &writes, &written}
		}}
		_, r, reset := cbcPair(t, m.mac, false)
		macKey := bytes.Repeat([]byte{9}, m.mac.Size)
		blind, err := newBlindMAC(counted, macKey)
		if err != nil {
			t.Fatal(err)
		}
		r.(*innerOpener).mac = blind
		for _, blocks := range []int{3, 4, 5, 6, 17, 20, 21, 40} {
			n := blocks * blockLen
			type work struct{ writes, bytes int }
			seen := map[work]string{}
			open := func(what string, fragment []byte) {
				writes, written = 0, 0
				reset(0)
				r.Open(typeData, fragment)
				seen[work{writes, written}] = what
			}
			for pad := 1; pad <= 256 && pad <= n-m.mac.Size; pad++ {
				content := make([]byte, n-m.mac.Size-pad)
				good := handMade(m.mac, macKey, 0, content, fill(pad))
				open(fmt.Sprintf("padding %d", pad), bytes.Clone(good))
				tail := fill(pad)
				tail[0] ^= 0x80
				open(fmt.Sprintf("bad padding %d", pad), handMade(m.mac, macKey, 0, content, tail))
				good[blockLen] ^= 1 // garbles the first block and so the MAC
				open(fmt.Sprintf("bad MAC, padding %d", pad), good)
			}
			if len(seen) != 1 {
				t.Errorf("%s, %d blocks: the work differs: %v", m.name, blocks, seen)
			}
		}
	}
}

func TestPadding(t *testing.T) {
	for _, c := range []struct {
		plain   []byte
		macSize int
		n       int
		good    byte
	}{
		{[]byte{9, 0}, 1, 1, 0xff},
		{[]byte{9, 1, 1}, 1, 2, 0xff},
		{[]byte{9, 2, 1}, 1, 0, 0},
		{[]byte{1, 1, 1}, 1, 2, 0xff},
		{[]byte{2, 2, 2}, 1, 0, 0}, // well formed, but no room for the MAC
		{[]byte{2, 2, 2}, 0, 3, 0xff},
		{[]byte{3, 3, 3}, 0, 0, 0},
		{append([]byte{9}, fill(256)...), 1, 256, 0xff},
		{fill(256), 1, 0, 0},
		{append([]byte{9, 254}, fill(256)[1:]...), 1, 0, 0},
	} {
		if n, good := padding(c.plain, c.macSize); n != c.n || good != c.good {
			t.Errorf("padding(%v, %d) = %d, %#x, want %d, %#x", c.plain, c.macSize, n, good, c.n, c.good)
		}
	}
}

func TestMasks(t *testing.T) {
	for a := -3; a < 600; a++ {
		for _, b := range []int{0, 1, a - 1, a, a + 1, 255, 256, 16384} {
			if got := less(a, b) == 0xff; got != (a < b) || less(a, b) != 0 && less(a, b) != 0xff {
				t.Fatalf("less(%d, %d) = %#x", a, b, less(a, b))
			}
			if got := equal(a, b) == 0xff; got != (a == b) || equal(a, b) != 0 && equal(a, b) != 0xff {
				t.Fatalf("equal(%d, %d) = %#x", a, b, equal(a, b))
			}
		}
	}
}

// plainHash hides its state.
type plainHash struct{ hash.Hash }

func TestBlindMACRefusesHashesItCannotRead(t *testing.T) {
	for name, mac := range map[string]MAC{
		"no state":   {func() hash.Hash { return plainHash{sha1.New()} }, sha1.Size},
		"wrong size": {sha256.New, sha1.Size},
		"scrambled":  {func() hash.Hash { return scrambled{sha1.New().(stateHash)} }, sha1.Size},
	} {
		if _, err := newBlindMAC(mac, []byte("key")); !errors.Is(err, errHashState) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// scrambled marshals to something else than the standard library does.
type scrambled struct{ stateHash }

func (s scrambled) AppendBinary(b []byte) ([]byte, error) {
	n := len(b)
	b, err := s.stateHash.AppendBinary(b)
	if len(b) > n+stateMagic {
		b[n+stateMagic] ^= 1
	}
	return b, err
}

func BenchmarkOpen(b *testing.B) {
	for _, m := range macs {
		for _, etm := range []bool{false, true} {
			for _, n := range []int{100, MaxPlaintext} {
				b.Run(fmt.Sprintf("CBC-%s/etm=%v/%d", m.name, etm, n), func(b *testing.B) {
					s, r, reset := cbcPair(b, m.mac, etm)
					fragment, _ := s.Seal(nil, typeData, make([]byte, n))
					work := make([]byte, len(fragment))
					b.SetBytes(int64(n))
					b.ReportAllocs()
					for b.Loop() {
						reset(0)
						copy(work, fragment)
						if _, err := r.Open(typeData, work); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// What an attacker would measure: records of one length, with the least
// padding, the most, and neither padding nor MAC right. The three figures
// should agree within the noise.
func BenchmarkOpenInnerMAC(b *testing.B) {
	for _, m := range macs {
		_, r, reset := cbcPair(b, m.mac, false)
		macKey := bytes.Repeat([]byte{9}, m.mac.Size)
		const n = 320
		bad := fill(16)
		bad[0]++
		for _, c := range []struct {
			name     string
			fragment []byte
		}{
			{"least", handMade(m.mac, macKey, 0, make([]byte, n-m.mac.Size-1), fill(1))},
			{"most", handMade(m.mac, macKey, 0, make([]byte, n-m.mac.Size-256), fill(256))},
			{"wrong", handMade(m.mac, macKey, 1, make([]byte, n-m.mac.Size-16), bad)},
		} {
			b.Run(m.name+"/padding="+c.name, func(b *testing.B) {
				work := make([]byte, len(c.fragment))
				b.ReportAllocs()
				for b.Loop() {
					reset(0)
					copy(work, c.fragment)
					r.Open(typeData, work)
				}
			})
		}
	}
}
