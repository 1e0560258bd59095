package psk

import (
	"crypto/sha1"
	"crypto/sha256"
	"io"

	"sampan/tlsconf/psk/internal/seal"
)

// Cipher suites, by their numbers in the standard's registry.
const (
	TLS_PSK_WITH_AES_128_CBC_SHA          uint16 = 0x008c // RFC 4279; all that the platform's C SDK offers
	TLS_PSK_WITH_AES_128_GCM_SHA256       uint16 = 0x00a8 // RFC 5487
	TLS_PSK_WITH_AES_128_CBC_SHA256       uint16 = 0x00ae // RFC 5487
	TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA    uint16 = 0xc035 // RFC 5489
	TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256 uint16 = 0xc037 // RFC 5489
	TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256 uint16 = 0xd001 // RFC 8442
)

// suite is what the handshake needs to know of a cipher suite. All of them
// use the SHA-256 PRF and AES-128.
type suite struct {
	id    uint16
	name  string
	ecdhe bool
	mac   seal.MAC // zero for AEAD
}

const aesKeyLen = 16

var (
	macSHA1   = seal.MAC{New: sha1.New, Size: sha1.Size}
	macSHA256 = seal.MAC{New: sha256.New, Size: sha256.Size}
)

// suites in the order a server prefers them: with forward secrecy first, for
// the pre-shared key is as old as the device; AEAD before CBC; SHA-256 before
// SHA-1.
var suites = []suite{
	{TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256", true, seal.MAC{}},
	{TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", true, macSHA256},
	{TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA", true, macSHA1},
	{TLS_PSK_WITH_AES_128_GCM_SHA256, "TLS_PSK_WITH_AES_128_GCM_SHA256", false, seal.MAC{}},
	{TLS_PSK_WITH_AES_128_CBC_SHA256, "TLS_PSK_WITH_AES_128_CBC_SHA256", false, macSHA256},
	{TLS_PSK_WITH_AES_128_CBC_SHA, "TLS_PSK_WITH_AES_128_CBC_SHA", false, macSHA1},
}

// CipherSuites lists every suite of this package, most preferred first.
func CipherSuites() []uint16 {
	ids := make([]uint16, len(suites))
	for i := range suites {
		ids[i] = suites[i].id
	}
	return ids
}

// CipherSuiteName is the registry's name of a suite of this package, or "".
func CipherSuiteName(id uint16) string {
	if s := suiteByID(id); s != nil {
		return s.name
	}
	return ""
}

func suiteByID(id uint16) *suite {
	for i := range suites {
		if suites[i].id == id {
			return &suites[i]
		}
	}
	return nil
}

func (s *suite) aead() bool { return s.mac.New == nil }

// protection is what one side uses: it seals what it sends and opens what it
// receives.
type protection struct {
	out seal.Sealer
	in  seal.Opener
}

// protect cuts the key block (RFC 5246 section 6.3) and makes one side's
// protection. The key block is wiped.
func (s *suite) protect(isClient bool, master, serverRandom, clientRandom []byte, etm bool, rand io.Reader) (p protection, err error) {
	saltLen := 0
	if s.aead() {
		saltLen = seal.GCMSaltLen
	}
	block := prf(make([]byte, 2*(s.mac.Size+aesKeyLen+saltLen)), master, "key expansion", serverRandom, clientRandom)
	defer clear(block)
	// For each part the client's, then the server's.
	rest := block
	cut := func(n int) (out, in []byte) {
		out, in, rest = rest[:n], rest[n:2*n], rest[2*n:]
		if !isClient {
			out, in = in, out
		}
		return out, in
	}
	outMAC, inMAC := cut(s.mac.Size)
	outKey, inKey := cut(aesKeyLen)
	outSalt, inSalt := cut(saltLen)
	if s.aead() {
		if p.out, err = seal.NewGCMSealer(outKey, outSalt); err == nil {
			p.in, err = seal.NewGCMOpener(inKey, inSalt)
		}
		return p, err
	}
	o := seal.CBCOptions{Key: outKey, MACKey: outMAC, MAC: s.mac, EncryptThenMAC: etm, Rand: rand}
	if p.out, err = seal.NewCBCSealer(o); err == nil {
		o.Key, o.MACKey = inKey, inMAC
		p.in, err = seal.NewCBCOpener(o)
	}
	return p, err
}
