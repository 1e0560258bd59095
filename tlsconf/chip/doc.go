// Package chip is the seam by which devices whose key is in a chip reach a
// server that does not know their handshake.
//
// # What it is and what it is not
//
// Chips for the platform (ID2, iTLS) speak a handshake that has no public
// description; it is in closed libraries of their vendor. This package does not
// speak it and cannot. What it has is the place where somebody who has those
// libraries puts them: a terminator, a process of its own in front of the
// server. It ends the vendor's handshake, knows then which device is at the
// other end, and hands the connection on with that name in front of it:
//
//	device == vendor's handshake ==> terminator -- Preface, then plain bytes --> server
//
// The server believes what the Preface says. So who can reach the place where
// prefaces are read can be any device: it is a Unix socket that only the
// terminator may open, never a port.
//
// # The parts
//
// Preface is the whole of what goes over that socket before the device's own
// bytes: nine bytes and a name, easily written in C. Relay is a terminator but
// for the handshake, which a Terminator does.
//
// Reference is a Terminator that needs no vendor, with Software as its chip, for
// tests and as a pattern. Its handshake is TLS 1.2 with a pre-shared key that
// the chip makes anew for each connection, from a challenge of the terminator
// and a key that never leaves it. It is sound, but nothing speaks it that was
// not made for it.
package chip
