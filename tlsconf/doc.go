// Package tlsconf makes TLS configurations for servers: named policies for
// what is spoken, certificates and revocation lists that are replaced while
// the server runs, and client certificates as small identities.
//
// It knows no protocol that runs inside TLS. TLS itself is the standard
// library's; the one part the standard library does not have, pre-shared keys,
// is in the package psk below. Package detect tells by the first bytes of a
// connection who should take it.
//
// # Policies
//
// Modern is TLS 1.2 and 1.3 with forward secrecy and AEAD. Platform is TLS 1.0
// to 1.2 with the suites that devices of the platform offer, static RSA with
// CBC among them. Legacy adds what is broken. Use the least that serves the
// devices there are, on a listener of its own; Policy.Warning says why.
//
// No environment variable and no //go:debug line is needed for any of them: an
// explicit MinVersion and CipherSuites win over the settings tls10server,
// tlsrsakex and tls3des (TestPolicyNeedsNoDebugSettings). The one setting that
// has no such override, tlssha1, is worked around: a client of TLS 1.2 that
// takes only SHA-1 signatures is offered the static RSA suites, which sign
// nothing.
//
// Clients of TLS 1.2 and below that have P-256 get that rather than X25519,
// since it costs the server half as much. With TLS 1.3 the client's own choice
// stands, X25519 with ML-KEM-768 included.
//
// # What it withstands and what not
//
// A set of files that does not fit together is never put to use: the server
// goes on with what it had and says which file is at fault. A revoked client
// certificate is refused at the handshake, resumed sessions included. Session
// tickets are encrypted under keys that live in memory only and are replaced.
// It does not fetch anything: no OCSP, no CRL download. Who can write the files
// decides who is trusted.
package tlsconf
