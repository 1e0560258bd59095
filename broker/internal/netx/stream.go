package netx

import (
	"errors"
	"net"
	"time"

	"sampan/broker/internal/block"
)

// Stream is a Conn over Read and Write of a net.Conn. One goroutine at a time may call Fill.
type Stream struct {
	nc   net.Conn
	wait []byte // where a read arrives
	few  int    // how many reads in a row would have fitted the small buffer
}

// The buffer of a connection that cannot be waited for without one: what it usually has, and what it has
// while it is busy, which is as much as a TLS record holds.
const (
	waitBytes = 2 << 10
	busyBytes = 16 << 10
)

// NewStream wraps nc. The Stream owns it from then on.
func NewStream(nc net.Conn) *Stream { return &Stream{nc: nc} }

// Direct is false: there is no telling whether a Write would wait.
func (s *Stream) Direct() bool { return false }

// NetConn is the connection that was wrapped.
func (s *Stream) NetConn() net.Conn { return s.nc }

// Fill waits until bytes arrive and returns a block that holds rest and the new bytes behind it, n in all.
// The caller gives the block back with block.Put. rest is copied and may be given back at once.
func (s *Stream) Fill(rest []byte) (buf []byte, n int, err error) {
	if s.wait == nil {
		s.wait = make([]byte, waitBytes)
	}
	// Once only: a second read might wait for bytes that come when what these say has been answered.
	n, err = s.nc.Read(s.wait)
	if n == 0 && err != nil {
		return nil, 0, err
	}
	buf = blockFor(len(rest) + n)
	have := copy(buf, rest)
	have += copy(buf[have:], s.wait[:n])
	s.fitWait(n)
	return buf, have, nil
}

// blockFor returns a block with room behind rest: the usual chunk, or for a large packet twice what has
// arrived of it, so that memory follows what was sent and not what was claimed.
func blockFor(rest int) []byte {
	if rest <= block.Chunk/2 {
		return block.Get(block.Chunk)
	}
	return block.Get(2 * rest)
}

// fitWait makes the buffer larger when a read has filled it, and small again after some that were small.
func (s *Stream) fitWait(n int) {
	const manySmall = 32
	if n > waitBytes {
		s.few = 0
	} else {
		s.few++
	}
	switch {
	case n == len(s.wait) && n < busyBytes:
		s.wait, s.few = make([]byte, busyBytes), 0
	case s.few > manySmall && len(s.wait) > waitBytes:
		s.wait = make([]byte, waitBytes)
	}
}

// TryWrite takes nothing.
func (s *Stream) TryWrite([][]byte) (int, error) { return 0, nil }

// Write is described at Conn. A TLS connection cannot go on once a write has been cut off, so that a slow but
// living client is told from one that takes nothing by writing in pieces.
func (s *Stream) Write(b []byte, stall time.Duration) error {
	for len(b) > 0 {
		if err := s.nc.SetWriteDeadline(time.Now().Add(stall)); err != nil {
			return err
		}
		n, err := s.nc.Write(b[:min(len(b), busyBytes)])
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return s.nc.SetWriteDeadline(time.Time{})
}

// Close may wait: TLS says goodbye to a client that may be gone.
func (s *Stream) Close() error { return s.nc.Close() }

// Interrupt makes a Fill that waits, and every later one, return with an error.
func (s *Stream) Interrupt() { s.nc.SetReadDeadline(time.Unix(1, 0)) }

// CloseWrite is described at Conn.
func (s *Stream) CloseWrite() error {
	if cw, ok := s.nc.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Drain is described at Conn.
func (s *Stream) Drain(limit int, timeout time.Duration) {
	if s.nc.SetReadDeadline(time.Now().Add(timeout)) != nil {
		return
	}
	var sink [512]byte
	for limit > 0 {
		n, err := s.nc.Read(sink[:])
		if err != nil {
			return
		}
		limit -= n
	}
}
