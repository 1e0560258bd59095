package device

import (
	"crypto/sha256"
	"slices"
)

// KeyFingerprint is the SHA-256 of a public key in DER form (SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7).
type KeyFingerprint = [sha256.Size]byte

// maxAuthorities bounds the authorities of one product, which are looked through at each login.
const maxAuthorities = 16

// checkAuthorities says whether a product may have these authorities.
func checkAuthorities(a AuthType, keys []KeyFingerprint) error {
	if len(keys) == 0 {
		return nil
	}
	if a != ByCertificate {
		return refuse(ErrInvalid, "authorities are for products whose devices prove themselves by certificate")
	}
	for i, key := range keys {
		if slices.Contains(keys[:i], key) {
			return refuse(ErrInvalid, "authority %x is named twice", key)
		}
	}
	if len(keys) > maxAuthorities {
		return refuse(ErrLimit, "%d authorities of one product, of which there may be %d", len(keys), maxAuthorities)
	}
	return nil
}

// SetAuthorities names the authorities that may speak for a product's devices, by their keys, instead of those that
// were named before; none: every authority that the listener trusts. The error matches ErrNoProduct, ErrInvalid or
// ErrLimit.
func (r *Registry) SetAuthorities(productKey string, keys []KeyFingerprint) (*Product, error) {
	return r.changeProduct(productKey, func(p *Product) error {
		p.Authorities = append([]KeyFingerprint(nil), keys...)
		return checkAuthorities(p.AuthType, keys)
	}, ProductAuthorities)
}

// Trusts reports whether the holder of one of the keys may say by certificate which device of the product somebody
// is. The keys are those of the authorities between the device and the listener's trust.
func (p *Product) Trusts(keys []KeyFingerprint) bool {
	return len(p.Authorities) == 0 ||
		slices.ContainsFunc(keys, func(key KeyFingerprint) bool { return slices.Contains(p.Authorities, key) })
}
