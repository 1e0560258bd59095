// Package detect tells by the first bytes of a connection what its client
// speaks, so that one port can serve plain MQTT, TLS and HTTP, as the
// platform's do.
//
// It reads no more than MaxPeek bytes and keeps no more than it has read, and
// it sets no deadline: the caller bounds the time with the connection's read
// deadline before and lifts it after. Nothing is answered and nothing is lost:
// the result is a connection that begins with the bytes looked at.
package detect

import (
	"errors"
	"io"
	"net"
)

// Kind is what a client speaks.
type Kind uint8

const (
	// Unknown is none of the others; see Conn.Peeked for what it was.
	Unknown Kind = iota
	// MQTT is an MQTT CONNECT, by its first byte. Whether the packet is a good
	// one is for the decoder to say.
	MQTT
	// HTTP is a request line of HTTP/1, or HTTP/2's preface.
	HTTP
	// TLS is a ClientHello that wants a certificate, or that cannot be told:
	// the certificate channel has the better error messages.
	TLS
	// PSK is a ClientHello that offers pre-shared-key suites and no suite of
	// TLS 1.2 or below that wants a certificate.
	PSK
)

// String is the kind's name.
func (k Kind) String() string {
	switch k {
	case MQTT:
		return "MQTT"
	case HTTP:
		return "HTTP"
	case TLS:
		return "TLS"
	case PSK:
		return "TLS-PSK"
	}
	return "unknown"
}

// MaxPeek is the most bytes that are looked at: enough for a ClientHello's
// suites, which stand near its front.
const MaxPeek = 1024

// firstRead is how much is asked for at first. It holds the CONNECT of most
// clients and the suites of most ClientHellos.
const firstRead = 256

// ErrTooLong: MaxPeek bytes do not tell.
var ErrTooLong = errors.New("detect: the client's first message is too long to tell what it is")

// Client reads the first bytes from conn until they tell what the client
// speaks. On an error (the connection's own, io.EOF before the first byte,
// io.ErrUnexpectedEOF after it, or ErrTooLong) the connection is the caller's
// to close; the Conn then still holds what was read, for the log.
func Client(conn net.Conn) (*Conn, Kind, error) {
	c := &Conn{Conn: conn}
	buf := make([]byte, firstRead)
	n := 0
	for {
		m, err := conn.Read(buf[n:])
		n += m
		kind, told := Bytes(buf[:n])
		switch {
		case told && n > 0:
			c.peeked = buf[:n:n]
			return c, kind, nil
		case err == nil && n == MaxPeek:
			err = ErrTooLong
		case err == io.EOF && n > 0:
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			c.peeked = buf[:n:n]
			return c, Unknown, err
		}
		if n == len(buf) {
			buf = append(buf, make([]byte, min(len(buf), MaxPeek-n))...)
		}
	}
}

// Bytes says what a client speaks that has sent b so far. told is false if
// more bytes may change the answer.
func Bytes(b []byte) (kind Kind, told bool) {
	if len(b) == 0 {
		return Unknown, false
	}
	switch {
	case b[0] == mqttConnect:
		return MQTT, true
	case b[0] == recordHandshake:
		return clientHello(b)
	case b[0] >= 'A' && b[0] <= 'Z':
		return request(b)
	}
	return Unknown, true
}

// mqttConnect is a CONNECT packet's first byte: type 1, no flags.
const mqttConnect = 0x10

// methods of HTTP, and the first word of HTTP/2's preface.
var methods = []string{"GET ", "POST ", "PUT ", "DELETE ", "HEAD ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE ", "PRI "}

func request(b []byte) (kind Kind, told bool) {
	for _, m := range methods {
		n := min(len(m), len(b))
		if string(b[:n]) != m[:n] {
			continue
		}
		if n == len(m) {
			return HTTP, true
		}
		return Unknown, false
	}
	return Unknown, true
}

// Conn is a connection that begins with the bytes already looked at. Apart
// from reading, it is the one underneath.
type Conn struct {
	net.Conn
	peeked []byte // not yet read; nil once all are
}

// Read gives the bytes looked at first, and then what follows.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.peeked) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.peeked)
	if c.peeked = c.peeked[n:]; len(c.peeked) == 0 {
		c.peeked = nil
	}
	return n, nil
}

// Peeked is what was looked at and has not been read yet. It must not be
// changed.
func (c *Conn) Peeked() []byte { return c.peeked }

// NetConn is the connection underneath. Who takes it over takes Peeked first.
func (c *Conn) NetConn() net.Conn { return c.Conn }
