//go:build !linux

package netx

import (
	"errors"
	"net"
)

// Elsewhere than on Linux every connection is a Stream.

// Poller takes no connections on this system.
type Poller struct{}

// NewPoller returns a Poller.
func NewPoller(started, ended func()) *Poller { return new(Poller) }

// Adopt reports false: serve nc as a Stream.
func (*Poller) Adopt(net.Conn, Handler) (*Socket, bool, error) { return nil, false, nil }

// Close does nothing.
func (*Poller) Close() {}

// Socket does not exist on this system.
type Socket struct{ Conn }

// Park fails.
func (*Socket) Park() bool { return false }

// Settle does nothing.
func (*Socket) Settle() {}

// Read fails.
func (*Socket) Read([]byte) (buf []byte, n int, err error) { return nil, 0, errors.ErrUnsupported }

// Turn does not exist on this system.
type Turn struct{}

// Leave does nothing.
func (*Turn) Leave() {}

// Listener does not exist on this system.
type Listener struct{}

// Listen fails.
func (*Poller) Listen(*net.TCPListener, Handler) (*Listener, error) {
	return nil, errors.ErrUnsupported
}

// Park fails.
func (*Listener) Park() error { return errors.ErrUnsupported }

// Open reports false.
func (*Listener) Open() bool { return false }

// Accept fails.
func (*Listener) Accept() (*Socket, *net.TCPAddr, error) { return nil, nil, errors.ErrUnsupported }

// Close does nothing.
func (*Listener) Close() {}

// SetHandler does nothing.
func (*Socket) SetHandler(Handler) {}

// KeepAlive fails.
func (*Socket) KeepAlive() error { return errors.ErrUnsupported }

// LocalAddr is unknown.
func (*Socket) LocalAddr() net.Addr { return nil }
