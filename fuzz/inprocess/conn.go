package inprocess

import (
	"io"
	"net"
	"sync"
	"time"
)

// pipe is a connection between a client, which is the script, and the broker. What is written to it does
// not wait for the other side.
type pipe struct {
	mu      sync.Mutex // guards what follows
	arrived sync.Cond
	in      []byte // to the broker
	out     []byte // from the broker
	chunk   int    // how much the broker gets in one Read; 0: all there is
	closed  bool   // by the broker
	hungUp  bool   // by the client
}

func newPipe(chunk int) *pipe {
	p := &pipe{chunk: chunk}
	p.arrived.L = &p.mu
	return p
}

// send is a client's write.
func (p *pipe) send(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in = append(p.in, b...)
	p.arrived.Signal()
}

// hangUp is a client's close.
func (p *pipe) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hungUp = true
	p.arrived.Broadcast()
}

// receive takes what the broker has written.
func (p *pipe) receive() (b []byte, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, p.out = p.out, nil
	return b, p.closed
}

// Read implements net.Conn for the broker.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.in) == 0 && !p.closed && !p.hungUp {
		p.arrived.Wait()
	}
	if p.closed {
		return 0, net.ErrClosed
	}
	if len(p.in) == 0 {
		return 0, io.EOF
	}
	if p.chunk > 0 {
		b = b[:min(len(b), p.chunk)]
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

// Write implements net.Conn for the broker.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.hungUp {
		return 0, net.ErrClosed
	}
	p.out = append(p.out, b...)
	return len(b), nil
}

// Close implements net.Conn for the broker.
func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.arrived.Broadcast()
	return nil
}

// There are no deadlines: nothing here takes long.
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
func (p *pipe) LocalAddr() net.Addr              { return memory{} }
func (p *pipe) RemoteAddr() net.Addr             { return memory{} }

type memory struct{}

func (memory) Network() string { return "memory" }
func (memory) String() string  { return "memory" }
