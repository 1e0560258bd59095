package psk

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
)

// KeyFunc finds the key of an identity that a client names. It is called once
// per handshake, on the handshake's goroutine, with the handshake's context,
// and may block. identity is the caller's to keep; it is not yet proven, holds
// any bytes, and is at most MaxIdentity long. The key is not changed and not
// kept past the handshake; at most MaxKey bytes.
//
// ok false, or an empty key, means unknown (or not now: a database that does
// not answer is told to nobody). The handshake then goes on with a key nobody
// has. How long KeyFunc itself takes is its own affair: one that answers
// unknown faster than known tells the two apart. PlatformKeys derives either
// way.
type KeyFunc func(ctx context.Context, identity []byte) (key []byte, ok bool)

// Limits of what the handshake carries.
const (
	// MaxIdentity is the longest identity in bytes. RFC 4279 section 5.3 asks
	// for 128; the platform's take some 80.
	MaxIdentity = 256
	// MaxKey is the longest pre-shared key in bytes. RFC 4279 section 5.3 asks
	// for 64, which is what the platform uses.
	MaxKey = 256
	// DefaultMaxHandshakeBytes bounds what is read of a peer before the
	// handshake is complete. PSK clients send 200 to 600 bytes, those that
	// offer TLS 1.3 beside it up to 2,500.
	DefaultMaxHandshakeBytes = 16 << 10
)

// Config is what a channel needs. One may serve any number of connections and
// must not be changed once in use, nor copied.
type Config struct {
	// Key is required for a server and unused by a client.
	Key KeyFunc
	// IdentityHint is sent to clients if it is not empty, at most MaxIdentity
	// bytes (RFC 4279 section 5.2). The platform sends none.
	IdentityHint []byte
	// UnknownKeyLen is the length in bytes of the key an unknown identity is
	// given; it should be the length of the real ones, for the time to be the
	// same. 0 means 64, the platform's.
	UnknownKeyLen int

	// Identity and PSK are required for a client and unused by a server.
	Identity []byte
	PSK      []byte
	// PSKFor takes the place of PSK for a client whose key depends on the
	// hint that the server sent, empty if it sent none: one whose key does not
	// leave a chip. It is called once per handshake; an error ends that.
	PSKFor func(hint []byte) (key []byte, err error)
	// MaxFragment, for a client: the longest plaintext of a record in bytes,
	// 512, 1024, 2048 or 4096, to be asked of the server (RFC 6066). 0: not
	// asked, 16384. A server grants what it is asked.
	MaxFragment int

	// CipherSuites names the suites allowed. A server goes by its own order,
	// not by this one nor the client's. nil means all of CipherSuites().
	CipherSuites []uint16
	// RequireExtendedMasterSecret refuses peers without RFC 7627.
	RequireExtendedMasterSecret bool
	// RequireEncryptThenMAC refuses a CBC suite with peers without RFC 7366.
	RequireEncryptThenMAC bool
	// NoExtendedMasterSecret and NoEncryptThenMAC leave the extension out, for
	// a peer that gets it wrong and to test against.
	NoExtendedMasterSecret bool
	NoEncryptThenMAC       bool

	// MaxHandshakeBytes bounds what is read before the handshake is complete;
	// 0 means DefaultMaxHandshakeBytes.
	MaxHandshakeBytes int

	// Rand gives randoms, one-time keys and initial vectors. nil means
	// crypto/rand.Reader; anything else is for tests.
	Rand io.Reader

	once    sync.Once
	initErr error
	secret  [32]byte // of the keys that unknown identities are given
}

// init checks the parts both sides share and draws the secret.
func (c *Config) init() error {
	c.once.Do(func() {
		for _, id := range c.CipherSuites {
			if suiteByID(id) == nil {
				c.initErr = errors.New("psk: Config.CipherSuites holds a suite that this package does not have")
				return
			}
		}
		if len(c.IdentityHint) > MaxIdentity {
			c.initErr = errors.New("psk: Config.IdentityHint is longer than MaxIdentity")
			return
		}
		if c.UnknownKeyLen < 0 || c.UnknownKeyLen > MaxKey {
			c.initErr = errors.New("psk: Config.UnknownKeyLen is not between 0 and MaxKey")
			return
		}
		_, c.initErr = io.ReadFull(c.random(), c.secret[:])
	})
	return c.initErr
}

func (c *Config) random() io.Reader {
	if c.Rand != nil {
		return c.Rand
	}
	return rand.Reader
}

func (c *Config) maxHandshakeBytes() int {
	if c.MaxHandshakeBytes > 0 {
		return c.MaxHandshakeBytes
	}
	return DefaultMaxHandshakeBytes
}

func (c *Config) allows(id uint16) bool {
	if c.CipherSuites == nil {
		return true
	}
	for _, allowed := range c.CipherSuites {
		if allowed == id {
			return true
		}
	}
	return false
}

// unknownKey is the key an unknown identity is given: the same for the same
// identity as long as the server runs, so that asking twice tells nothing.
func (c *Config) unknownKey(identity []byte) []byte {
	n := c.UnknownKeyLen
	if n == 0 {
		n = platformKeyLen
	}
	return prf(make([]byte, n), c.secret[:], "unknown identity", identity)
}
