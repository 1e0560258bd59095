// Package netx is the narrow seam between a connection and what carries it.
//
// A plain TCP or Unix socket on Linux is a Socket: its descriptor is taken out of the Go runtime's poller and
// waited for by a Poller, a few goroutines for all sockets, so that an idle connection has neither a
// goroutine nor a buffer and a message on a quiet connection wakes nobody but the goroutine that handles it.
// Every other net.Conn (TLS, WebSocket, net.Pipe, other systems) is a Stream, read by a goroutine of its own.
package netx

import (
	"net"
	"time"
)

// Conn is what a Socket and a Stream have in common: the writing side and the end. One goroutine at a time
// may call TryWrite or Write.
type Conn interface {
	// Direct reports whether TryWrite can take bytes at all, and Close never waits.
	Direct() bool
	// TryWrite writes as much of bufs, one after the other, as can be written without waiting.
	TryWrite(bufs [][]byte) (n int, err error)
	// Write writes all of b, waiting as long as the other side takes bytes at least every stall. It fails with
	// os.ErrDeadlineExceeded if that takes longer.
	Write(b []byte, stall time.Duration) error
	// Close closes the connection. Calls under way return with an error.
	Close() error
	// CloseWrite tells the other side that nothing more will come, and fails if the connection cannot say so.
	CloseWrite() error
	// Drain reads and forgets until the other side closes, has sent limit bytes, or timeout is over. It is
	// called by whoever reads otherwise.
	Drain(limit int, timeout time.Duration)
}

// Wrapper is a connection that may turn out to be nothing more than the one below it.
type Wrapper interface {
	net.Conn
	// Below is the connection at the bottom.
	Below() net.Conn
	// Bare reports whether reading and writing Below is from now on the same as using the Wrapper.
	Bare() bool
}
