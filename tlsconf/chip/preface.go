package chip

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Preface is what a terminator says of a connection before the device's own
// bytes.
type Preface struct {
	// Identity is the device that its chip has proved. A broker takes it as
	// deviceName&productKey, the user name that CONNECT must have.
	Identity string
	// Remote is the address that the device came from, host:port, for the log.
	// Empty: not known.
	Remote string
}

// On the wire a Preface is
//
//	"CHIP"   4 bytes
//	version  1 byte, 1
//	length   1 byte, n
//	text     n bytes: the identity, and after a blank the remote address
//
// in printable ASCII without another blank. Nothing answers it: the server's
// first bytes are those of the device's protocol.
const (
	magic   = "CHIP"
	version = 1
	header  = len(magic) + 2
	// MaxPreface is the longest text of a preface in bytes.
	MaxPreface = 255
)

// ErrPreface is what every error of a Preface matches that is about what it
// says, not about the connection.
var ErrPreface = errors.New("chip: not a preface")

// AppendTo appends the preface to dst.
func (p Preface) AppendTo(dst []byte) ([]byte, error) {
	text := p.Identity
	if p.Remote != "" {
		text += " " + p.Remote
	}
	if got, err := parse(text); err != nil || got != p {
		return dst, fmt.Errorf("%w: identity %q or remote address %q is too long, or not printable ASCII without blanks", ErrPreface, p.Identity, p.Remote)
	}
	dst = append(append(dst, magic...), version, byte(len(text)))
	return append(dst, text...), nil
}

// Read reads a preface, and not a byte more.
func Read(r io.Reader) (Preface, error) {
	var b [header + MaxPreface]byte
	if _, err := io.ReadFull(r, b[:header]); err != nil {
		return Preface{}, err
	}
	switch {
	case string(b[:len(magic)]) != magic:
		return Preface{}, fmt.Errorf("%w: it does not begin with %q", ErrPreface, magic)
	case b[len(magic)] != version:
		return Preface{}, fmt.Errorf("%w: version %d is not %d", ErrPreface, b[len(magic)], version)
	}
	text := b[header : header+int(b[header-1])]
	if _, err := io.ReadFull(r, text); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Preface{}, err
	}
	return parse(string(text))
}

// parse splits a preface's text.
func parse(text string) (p Preface, err error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) || len(text) > MaxPreface {
		return p, fmt.Errorf("%w: its text is too long or not printable ASCII", ErrPreface)
	}
	var second bool
	p.Identity, p.Remote, second = strings.Cut(text, " ")
	if p.Identity == "" || second && p.Remote == "" || strings.Contains(p.Remote, " ") {
		return Preface{}, fmt.Errorf("%w: %q is not an identity, or an identity and an address", ErrPreface, text)
	}
	return p, nil
}
