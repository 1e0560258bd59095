package tlsconf

import (
	"crypto/tls"
	"fmt"
	"slices"
)

// Policy names which protocol versions and cipher suites a server speaks. The
// zero value is Modern.
type Policy uint8

const (
	// Modern is TLS 1.2 and 1.3 with forward secrecy and AEAD always.
	Modern Policy = iota
	// Platform is TLS 1.0 to 1.2, which is what the platform documents, and
	// the suites its devices need. Its C SDK offers static RSA with CBC only.
	Platform
	// Legacy is Platform and what is older still: RC4 and Triple DES.
	Legacy
)

// Policies lists all policies, safest first.
func Policies() []Policy { return []Policy{Modern, Platform, Legacy} }

// ParsePolicy finds a policy by its name.
func ParsePolicy(name string) (Policy, error) {
	for _, p := range Policies() {
		if p.String() == name {
			return p, nil
		}
	}
	return 0, fmt.Errorf("tlsconf: policy %q is none of modern, platform, legacy", name)
}

// String is the name.
func (p Policy) String() string {
	switch p {
	case Modern:
		return "modern"
	case Platform:
		return "platform"
	case Legacy:
		return "legacy"
	}
	return fmt.Sprintf("policy(%d)", uint8(p))
}

// Warning is what to log when a server starts with the policy: what is wrong
// with it. It is empty for Modern.
func (p Policy) Warning() string {
	switch p {
	case Modern:
		return ""
	case Platform:
		return "TLS policy platform allows TLS 1.0 and 1.1 (RFC 8996 forbids both) and key exchange by static RSA: " +
			"who gets the server's key can read recorded connections; use it for devices that cannot do better, on a listener of their own"
	default:
		return "TLS policy legacy allows RC4 (RFC 7465 forbids it) and Triple DES (Sweet32) beside all of policy platform: " +
			"treat what passes as readable by others"
	}
}

// modern are the suites with ephemeral keys and AEAD. They are listed, rather
// than left to the standard library, so that GODEBUG cannot add to them.
var modern = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// forwardSecretCBC are the other suites with ephemeral keys. For those with
// SHA-256, here and below, crypto/tls has no countermeasure against Lucky 13;
// it takes everything but RC4 before them.
var forwardSecretCBC = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
}

// staticRSA are the suites whose key exchange needs no signature. The
// platform's C SDK offers 0x003d, 0x003c, 0x0035 and 0x002f; the standard
// library has all but the first (AES-256-CBC with SHA-256).
var staticRSA = []uint16{
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA256, // 0x003c
	tls.TLS_RSA_WITH_AES_128_CBC_SHA,    // 0x002f
	tls.TLS_RSA_WITH_AES_256_CBC_SHA,    // 0x0035
}

var (
	legacyForwardSecret = []uint16{
		tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,
		tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA,
	}
	legacyStaticRSA = []uint16{
		tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
		tls.TLS_RSA_WITH_RC4_128_SHA,
	}
)

// CipherSuites lists the suites for TLS 1.2 and below. The order says nothing:
// crypto/tls has its own, which puts forward secrecy and AEAD first. Those of
// TLS 1.3 are not a matter of choice.
func (p Policy) CipherSuites() []uint16 {
	switch p {
	case Modern:
		return slices.Clone(modern)
	case Platform:
		return slices.Concat(modern, forwardSecretCBC, staticRSA)
	default:
		return slices.Concat(modern, forwardSecretCBC, legacyForwardSecret, staticRSA, legacyStaticRSA)
	}
}

// withoutSignatures are the policy's suites for a client that takes none of
// the signatures the server can make.
func (p Policy) withoutSignatures() []uint16 {
	if p == Legacy {
		return slices.Concat(staticRSA, legacyStaticRSA)
	}
	return staticRSA
}

// Versions are the least and the highest protocol version.
func (p Policy) Versions() (least, highest uint16) {
	if p == Modern {
		return tls.VersionTLS12, tls.VersionTLS13
	}
	return tls.VersionTLS10, tls.VersionTLS12
}

// Config is a new configuration that has the policy and nothing else. Where
// versions and suites are explicit, no setting of GODEBUG applies.
func (p Policy) Config() *tls.Config {
	least, highest := p.Versions()
	return &tls.Config{MinVersion: least, MaxVersion: highest, CipherSuites: p.CipherSuites()}
}
