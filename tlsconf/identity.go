package tlsconf

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"time"
)

// Identity is who a client certificate says its owner is.
type Identity struct {
	Subject     string    // RFC 2253 form
	CommonName  string    // the subject's, often empty
	Issuer      string    // RFC 2253 form
	Serial      string    // lower-case hexadecimal, unique within the issuer
	Fingerprint string    // SHA-256 of the certificate, lower-case hexadecimal
	NotAfter    time.Time // a connection may outlive this; checking that is the server's affair
}

// ClientIdentity is the identity of a client whose certificate was verified.
// ok is false if it showed none.
func ClientIdentity(state tls.ConnectionState) (id Identity, ok bool) {
	if len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return Identity{}, false
	}
	return identityOf(state.VerifiedChains[0][0]), true
}

func identityOf(c *x509.Certificate) Identity {
	sum := sha256.Sum256(c.Raw)
	return Identity{
		Subject:     c.Subject.String(),
		CommonName:  c.Subject.CommonName,
		Issuer:      c.Issuer.String(),
		Serial:      c.SerialNumber.Text(16),
		Fingerprint: hex.EncodeToString(sum[:]),
		NotAfter:    c.NotAfter,
	}
}
