package psk

import (
	"crypto/ecdh"
	"io"
)

// group is an elliptic-curve group for ECDHE_PSK, RFC 8422 section 5.1.1.
type group struct {
	id        uint16
	curve     ecdh.Curve
	scalarLen int
}

// groups in the order a server prefers them. P-256 first: it is what the
// accelerators of small devices have, here it costs no more than X25519, and
// wolfSSL 5.5 offers X25519 for ECDHE_PSK but cannot use it.
var groups = []group{
	{23, ecdh.P256(), 32},
	{29, ecdh.X25519(), 32},
	{24, ecdh.P384(), 48},
}

func groupByID(id uint16) *group {
	for i := range groups {
		if groups[i].id == id {
			return &groups[i]
		}
	}
	return nil
}

// generate makes a one-time key from rand. The standard library's own
// generation would ignore rand, and with it Config.Rand.
func (g *group) generate(rand io.Reader) (*ecdh.PrivateKey, error) {
	scalar := make([]byte, g.scalarLen)
	defer clear(scalar)
	// A random scalar is out of a NIST curve's range with probability below
	// 2^-32; a source that misses this often is broken.
	var err error
	for range 4 {
		if _, err = io.ReadFull(rand, scalar); err != nil {
			return nil, err
		}
		var key *ecdh.PrivateKey
		if key, err = g.curve.NewPrivateKey(scalar); err == nil {
			return key, nil
		}
	}
	return nil, err
}

// agree is the shared secret with the peer's point, nil if that is not a point
// of the group or gives the all-zero secret.
func (g *group) agree(key *ecdh.PrivateKey, point []byte) []byte {
	peer, err := g.curve.NewPublicKey(point)
	if err != nil {
		return nil
	}
	secret, err := key.ECDH(peer)
	if err != nil {
		return nil
	}
	return secret
}
