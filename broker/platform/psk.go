package platform

import (
	"context"

	"sampan/broker/credential"
)

// PSKKey returns the pre-shared key that belongs to a PSK identity of the platform, for the listener of such
// channels. It reports false for an identity that is not of a device that may log in with its secret.
//
// A key is made either way, of a secret that nobody has if need be: how long that takes must not tell a
// stranger which devices there are.
func (p *Platform) PSKKey(_ context.Context, identity []byte) (key []byte, ok bool) {
	var id credential.PSKIdentity
	ok = id.Parse(identity)
	if !ok {
		id = nobodysIdentity
	}
	d, standing := directory{p}.find(id.ProductKey, id.DeviceName)
	secret := nobodysSecret
	if standing == credential.Enabled && len(d.Secret()) > 0 && suffices(d.Product().AuthType, credential.ProofKey) {
		secret = d.Secret()
	} else {
		ok = false
	}
	key = id.AppendKey(make([]byte, 0, longestKey), secret)
	if !ok {
		return nil, false
	}
	return key, true
}

// longestKey is the length of a key by hmacsha256, in bytes.
const longestKey = 64

// What stands in for an identity and a secret that there are not. No product can be called so.
var (
	nobodysIdentity = credential.PSKIdentity{Method: credential.HMACSHA256, ProductKey: []byte("/////nobody"), DeviceName: []byte("/nobody/"), Timestamp: []byte("2524608000000")}
	nobodysSecret   = []byte("0123456789abcdef0123456789abcdef")
)
