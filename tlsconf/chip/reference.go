package chip

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"

	"sampan/tlsconf/psk"
)

// Chip holds a device's key. What it does with the key is to answer challenges;
// nothing gives the key away.
type Chip interface {
	Answer(challenge []byte) (answer []byte, err error)
}

// Software is a Chip in memory: the reference, and of no more use against a
// thief than any key in memory.
type Software struct{ key []byte }

// NewSoftware makes a chip that holds a copy of the key.
func NewSoftware(key []byte) *Software { return &Software{append([]byte(nil), key...)} }

// Answer is the HMAC-SHA256 of the challenge. It never fails.
func (s *Software) Answer(challenge []byte) ([]byte, error) {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("answer to a terminator"))
	mac.Write(challenge)
	return mac.Sum(nil), nil
}

// challengeLen in bytes, before it is written in hexadecimal.
const challengeLen = 32

// referenceSuites have ephemeral keys: who gets at a chip later cannot read
// what was said before.
var referenceSuites = []uint16{
	psk.TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
}

// Reference is a Terminator for devices that use Device. It speaks TLS 1.2 with
// pre-shared keys: its identity hint is a challenge, new for each connection,
// and the key is the chip's answer.
type Reference struct {
	// Chip finds the chip of an identity, or what knows the same key: the
	// vendor's own store of keys. ok false: there is none.
	Chip func(ctx context.Context, identity string) (c Chip, ok bool)
}

// Terminate is part of Terminator.
func (r *Reference) Terminate(ctx context.Context, conn net.Conn) (net.Conn, string, error) {
	var challenge [challengeLen]byte
	rand.Read(challenge[:])
	hint := []byte(hex.EncodeToString(challenge[:]))
	secured := psk.Server(conn, &psk.Config{
		IdentityHint: hint, UnknownKeyLen: sha256.Size,
		CipherSuites: referenceSuites, RequireExtendedMasterSecret: true,
		Key: func(ctx context.Context, identity []byte) ([]byte, bool) {
			c, ok := r.Chip(ctx, string(identity))
			if !ok {
				return nil, false
			}
			answer, err := c.Answer(hint)
			return answer, err == nil
		},
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, "", err
	}
	return secured, secured.ConnectionState().Identity, nil
}

// Device is the other side of a Reference: it proves with its chip that it is
// identity.
func Device(ctx context.Context, conn net.Conn, identity string, c Chip) (net.Conn, error) {
	secured := psk.Client(conn, &psk.Config{
		Identity: []byte(identity), PSKFor: c.Answer,
		CipherSuites: referenceSuites, RequireExtendedMasterSecret: true,
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secured, nil
}
