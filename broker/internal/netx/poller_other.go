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

// Read fails.
func (*Socket) Read([]byte) (buf []byte, n int, err error) { return nil, 0, errors.ErrUnsupported }

// Turn does not exist on this system.
type Turn struct{}

// Leave does nothing.
func (*Turn) Leave() {}
