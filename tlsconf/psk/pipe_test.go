package psk

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stream is one direction of an in-memory connection, of unbounded capacity,
// so that neither side waits for the other to read.
type stream struct {
	mu       sync.Mutex
	arrived  sync.Cond
	data     []byte
	closed   bool
	deadline bool                        // the reader's deadline has passed
	filter   func(b []byte) []byte       // may change what passes; nil: nothing
	record   func(b []byte)              // sees what was written, unfiltered
	write    func(b []byte) (int, error) // replaces writing, if set
}

func newStream() *stream {
	s := new(stream)
	s.arrived.L = &s.mu
	return s
}

func (s *stream) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.data) == 0 {
		if s.deadline {
			return 0, os.ErrDeadlineExceeded
		}
		if s.closed {
			return 0, io.EOF
		}
		s.arrived.Wait()
	}
	n := copy(b, s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.write != nil {
		return s.write(b)
	}
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	if s.record != nil {
		s.record(b)
	}
	passed := b
	if s.filter != nil {
		passed = s.filter(append([]byte(nil), b...))
	}
	s.data = append(s.data, passed...)
	s.arrived.Broadcast()
	return len(b), nil
}

func (s *stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.arrived.Broadcast()
}

// pipeEnd is one end of an in-memory connection.
type pipeEnd struct {
	in, out *stream
	timer   *time.Timer
}

// pipe connects two ends; the streams may be given filters before use.
func pipe() (client, server *pipeEnd, toServer, toClient *stream) {
	toServer, toClient = newStream(), newStream()
	return &pipeEnd{in: toClient, out: toServer}, &pipeEnd{in: toServer, out: toClient}, toServer, toClient
}

func (p *pipeEnd) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *pipeEnd) Write(b []byte) (int, error) { return p.out.Write(b) }

func (p *pipeEnd) Close() error {
	p.in.Close()
	p.out.Close()
	return nil
}

func (p *pipeEnd) LocalAddr() net.Addr  { return &net.UnixAddr{Name: "local", Net: "pipe"} }
func (p *pipeEnd) RemoteAddr() net.Addr { return &net.UnixAddr{Name: "remote", Net: "pipe"} }

func (p *pipeEnd) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

func (p *pipeEnd) SetReadDeadline(t time.Time) error {
	if p.timer != nil {
		p.timer.Stop()
	}
	expire := func(past bool) {
		p.in.mu.Lock()
		defer p.in.mu.Unlock()
		p.in.deadline = past
		p.in.arrived.Broadcast()
	}
	expire(false)
	if !t.IsZero() {
		p.timer = time.AfterFunc(time.Until(t), func() { expire(true) })
	}
	return nil
}

func (p *pipeEnd) SetWriteDeadline(time.Time) error { return nil }
