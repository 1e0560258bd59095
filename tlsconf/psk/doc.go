// Package psk is TLS 1.2 with pre-shared keys as a net.Conn, server and client.
//
// The standard library has no such suites. This package is the part of TLS
// that a device needs which shares a secret with the server and holds no
// certificate: the platform's level "medium", as its C SDK speaks it.
//
//   - Suites: plain PSK and ECDHE_PSK with AES-128, in GCM and in CBC with
//     HMAC-SHA1 or -SHA256; see CipherSuites. A server prefers forward
//     secrecy, then AEAD.
//   - Extensions: extended master secret (RFC 7627), encrypt-then-MAC
//     (RFC 7366), renegotiation_info (RFC 5746), max_fragment_length
//     (RFC 6066). Others are ignored.
//   - Not there: certificates, other versions, resumption, renegotiation,
//     compression, early data, client-side key callbacks.
//
// # What it withstands
//
// The peer may send anything, at any pace, and listen to the answers and their
// timing; somebody between the two may change, drop, repeat and reorder.
//
//   - Before the peer has proven the key it can make the server read
//     MaxHandshakeBytes, hold a few kilobytes that follow what was in fact
//     received, compute one key exchange, and nothing more. Time is bounded by
//     the context of HandshakeContext or the deadline; without either it is
//     not.
//   - An unknown identity, a wrong key and a record that was tampered with end
//     at the same message with the same alert (bad_record_mac). An unknown
//     identity is given a key nobody has, the same each time, and the same
//     code runs. This side's error tells them apart, for the log.
//   - CBC records under MAC-then-encrypt are opened in a time that depends on
//     their length alone, with no branch or index on decrypted bytes.
//   - A record is accepted once and in order; the handshake's messages are
//     bound by the Finished messages.
//
// What it does not do: it cannot keep the identity secret (TLS 1.2 sends it in
// the clear), it cannot hide lengths, and plain PSK suites have no forward
// secrecy: who learns the device's secret can read recorded traffic. A key
// that people chose can be found by trying: an active attacker who plays the
// server gets something to try against. Device secrets are random. The
// standard library's AES is constant in time only where the processor has
// instructions for it.
package psk
