package proxyproto

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// Header is what a proxy says of a connection.
type Header struct {
	Version int // 1 or 2

	// Source is where the client connected from, and Destination where to.
	// Both are zero if the proxy does not say: it speaks for itself (a health
	// check), or its client is not on an IP network. The connection's own
	// addresses are the right ones then.
	Source, Destination netip.AddrPort
}

// Told reports whether the header has addresses.
func (h Header) Told() bool { return h.Source.IsValid() }

const (
	// MaxV1 is the longest header of version 1, its CRLF included.
	MaxV1 = 107

	// MaxV2 is the longest header of version 2 that is read. The protocol
	// allows 64 KiB of additional fields; those in use take a few hundred
	// bytes.
	MaxV2 = 2048
)

// An Error says what is wrong with a header.
type Error struct{ Rule string }

func (e *Error) Error() string { return "PROXY protocol: " + e.Rule }

// ErrNone: the first bytes are not those of a header.
var ErrNone = &Error{"there is no header"}

// Next reads the header at the beginning of b. n is its length. With n and err
// zero the header is incomplete: it has at least need more bytes, so that
// reading need bytes more takes nothing that comes after it. Whatever comes
// after the header is not looked at.
func Next(b []byte) (h Header, n, need int, err error) {
	switch {
	case len(b) == 0:
		return h, 0, shortest, nil
	case b[0] == v1Prefix[0]:
		return nextV1(b)
	case b[0] == v2Signature[0]:
		return nextV2(b)
	}
	return h, 0, 0, ErrNone
}

// shortest is the length of the shortest header: "PROXY UNKNOWN" and its CRLF.
const shortest = 15

// Begins reports whether b, the first bytes of a connection, can only be those
// of a header. It wants as many bytes as a header has at least; of fewer it
// says that they do not.
func Begins(b []byte) bool {
	return hasPrefix(b, v1Prefix) || hasPrefix(b, v2Signature)
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// Read reads a header from r and nothing after it. It returns io.EOF if r ends
// before the first byte, io.ErrUnexpectedEOF after it, r's own errors, and an
// *Error for what is no header. r's time is for the caller to bound.
func Read(r io.Reader) (Header, error) {
	var room [MaxV1]byte
	b := room[:0]
	for {
		h, n, need, err := Next(b)
		if err != nil || n > 0 {
			return h, err
		}
		from := len(b)
		if from+need > cap(b) {
			b = append(make([]byte, 0, from+need), b...)
		}
		b = b[:from+need]
		// A byte that cannot be right ends it, however few have come.
		for have := from; have < len(b); {
			m, err := r.Read(b[have:])
			have += m
			if have == len(b) {
				break
			}
			if _, _, _, wrong := Next(b[:have]); wrong != nil {
				return Header{}, wrong
			}
			if errors.Is(err, io.EOF) && have > 0 {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return Header{}, err
			}
		}
	}
}

func malformed(format string, args ...any) *Error { return &Error{fmt.Sprintf(format, args...)} }
