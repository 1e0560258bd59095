// Package proof shows that messages arrive whole, once and in order.
//
// The sender lets a [Seal] write every payload: a stamp of 16 bytes (which
// stream, which number, when it was meant to be sent, a check) and filler
// that is known to both sides. The receiver opens it with the same Seal and
// gives the number to the [Tracker] of that stream, which tells a message
// that is lost, doubled or overtaken.
package proof
