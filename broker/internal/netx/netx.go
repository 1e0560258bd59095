// Package netx is the narrow seam between a connection's goroutine and its socket.
//
// A plain TCP or Unix socket is waited for without a buffer, read once into a borrowed block when it is
// readable, and written to without waiting as long as it takes the bytes. Every other net.Conn (TLS,
// WebSocket, net.Pipe) offers the same calls over its Read and Write; TryWrite then never takes anything.
package netx

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"sampan/broker/internal/block"
)

// Conn is a connection as the broker uses it. One goroutine at a time may call Fill, and one at a time
// TryWrite or Write.
type Conn struct {
	nc     net.Conn
	raw    syscall.RawConn // nil: there is no descriptor
	direct atomic.Bool     // use raw, not nc; once set it stays
	wait   []byte          // without raw: where a read arrives
	few    int             // without raw: how many reads in a row would have fitted the small buffer

	// The arguments and results of the callbacks below, which are made once.
	rest   []byte
	buf    []byte
	n      int
	err    error
	readFn func(fd uintptr) bool

	out     [][]byte
	wrote   int
	werr    error
	writeFn func(fd uintptr) bool
}

// The buffer of a connection that cannot be waited for without one: what it usually has, and what it has
// while it is busy, which is as much as a TLS record holds.
const (
	waitBytes = 2 << 10
	busyBytes = 16 << 10
)

// Wrapper is a connection that may turn out to be nothing more than the one below it.
type Wrapper interface {
	net.Conn
	// Below is the connection at the bottom.
	Below() net.Conn
	// Bare reports whether reading and writing Below is from now on the same as using the Wrapper.
	Bare() bool
}

// New wraps nc. The Conn owns it from then on.
func New(nc net.Conn) *Conn {
	c := &Conn{nc: nc}
	below := nc
	w, wrapped := nc.(Wrapper)
	if wrapped {
		below = w.Below()
	}
	if rawCapable(below) {
		if sc, ok := below.(syscall.Conn); ok {
			if raw, err := sc.SyscallConn(); err == nil {
				c.raw = raw
				c.readFn = c.readReady
				c.writeFn = c.writeReady
			}
		}
	}
	c.direct.Store(c.raw != nil && !wrapped)
	return c
}

// Settle is called after the handshake of a Wrapper: if nothing is left of it, its descriptor is used.
func (c *Conn) Settle() {
	if w, ok := c.nc.(Wrapper); ok && c.raw != nil && w.Bare() {
		c.direct.Store(true)
	}
}

// rawCapable reports whether reading and writing the descriptor is the same as using the connection.
func rawCapable(nc net.Conn) bool {
	if !rawSupported {
		return false
	}
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// Direct reports whether TryWrite can take bytes at all.
func (c *Conn) Direct() bool { return c.direct.Load() }

// NetConn is the connection that was wrapped.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Fill waits until bytes arrive and returns a block that holds rest and the new bytes behind it, n in all.
// The caller gives the block back with block.Put. rest is copied and may be given back at once. While it
// waits Fill holds no block.
func (c *Conn) Fill(rest []byte) (buf []byte, n int, err error) {
	if !c.Direct() {
		return c.fillPlain(rest)
	}
	c.rest = rest
	if err = c.raw.Read(c.readFn); err == nil {
		err = c.err
	}
	buf, n = c.buf, c.n
	c.rest, c.buf, c.n, c.err = nil, nil, 0, nil
	return buf, n, err
}

// blockFor returns a block with room behind rest: the usual chunk, or for a large packet twice what has
// arrived of it, so that memory follows what was sent and not what was claimed.
func blockFor(rest int) []byte {
	if rest <= block.Chunk/2 {
		return block.Get(block.Chunk)
	}
	return block.Get(2 * rest)
}

func (c *Conn) readReady(fd uintptr) bool {
	buf := blockFor(len(c.rest))
	have := copy(buf, c.rest)
	n, again, err := readFD(fd, buf[have:])
	if again {
		block.Put(buf)
		return false
	}
	if err != nil {
		block.Put(buf)
		c.err = err
		return true
	}
	c.buf, c.n = buf, have+n
	return true
}

func (c *Conn) fillPlain(rest []byte) ([]byte, int, error) {
	if c.wait == nil {
		c.wait = make([]byte, waitBytes)
	}
	// Once only: a second read might wait for bytes that come when what these say has been answered.
	n, err := c.nc.Read(c.wait)
	if n == 0 && err != nil {
		return nil, 0, err
	}
	buf := blockFor(len(rest) + n)
	have := copy(buf, rest)
	have += copy(buf[have:], c.wait[:n])
	c.fitWait(n)
	return buf, have, nil
}

// fitWait makes the buffer larger when a read has filled it, and small again after some that were small.
func (c *Conn) fitWait(n int) {
	const manySmall = 32
	if n > waitBytes {
		c.few = 0
	} else {
		c.few++
	}
	switch {
	case n == len(c.wait) && n < busyBytes:
		c.wait, c.few = make([]byte, busyBytes), 0
	case c.few > manySmall && len(c.wait) > waitBytes:
		c.wait = make([]byte, waitBytes)
	}
}

// TryWrite writes as much of bufs, one after the other, as can be written without waiting.
func (c *Conn) TryWrite(bufs [][]byte) (n int, err error) {
	if !c.Direct() {
		return 0, nil
	}
	c.out = bufs
	if err = c.raw.Write(c.writeFn); err == nil {
		err = c.werr
	}
	n = c.wrote
	c.out, c.wrote, c.werr = nil, 0, nil
	return n, err
}

func (c *Conn) writeReady(fd uintptr) bool {
	c.wrote, c.werr = writeFD(fd, c.out)
	return true // never wait: what is left over is the writer goroutine's work
}

// Write writes all of b, waiting as long as the other side takes bytes at least every stall.
func (c *Conn) Write(b []byte, stall time.Duration) error {
	// Pieces, so that a slow but living client is told from one that takes nothing. A socket can go on where
	// it stopped; other connections (TLS) cannot once a write has been cut off, so their pieces are smaller.
	piece := block.Chunk
	if !c.Direct() {
		piece = busyBytes
	}
	for len(b) > 0 {
		if err := c.nc.SetWriteDeadline(time.Now().Add(stall)); err != nil {
			return err
		}
		n, err := c.nc.Write(b[:min(len(b), piece)])
		b = b[n:]
		if err != nil && !(n > 0 && c.Direct() && errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
	}
	// A deadline left behind would fail a TryWrite that comes after it.
	return c.nc.SetWriteDeadline(time.Time{})
}

// Close closes the connection. Calls under way return with an error.
func (c *Conn) Close() error { return c.nc.Close() }

// Interrupt makes a Fill that waits, and every later one, return with an error.
func (c *Conn) Interrupt() { c.nc.SetReadDeadline(time.Unix(1, 0)) }

// CloseWrite tells the other side that nothing more will come, if the connection can say so.
func (c *Conn) CloseWrite() error {
	if cw, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}
