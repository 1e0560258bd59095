package inprocess

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipe is a connection between a client, which is the script, and the broker. What is written to it does
// not wait for the other side, unless the client is stalled: then it takes nothing.
type pipe struct {
	clock   *clock
	mu      sync.Mutex // guards what follows
	arrived sync.Cond
	taken   sync.Cond
	in      []byte        // to the broker
	out     []byte        // from the broker
	chunk   int           // how much the broker gets in one Read; 0: all there is
	stalled bool          // the client reads nothing
	stall   time.Duration // how long a Write waits for it, by the clock
	closed  bool          // by the broker
	hungUp  bool          // by the client
}

func newPipe(c *clock, chunk int) *pipe {
	p := &pipe{clock: c, chunk: chunk}
	p.arrived.L, p.taken.L = &p.mu, &p.mu
	return p
}

// read makes a client read, or stop reading.
func (p *pipe) read(does bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = !does
	p.taken.Broadcast()
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
	p.taken.Broadcast()
}

// receive takes what the broker has written.
func (p *pipe) receive() (b []byte, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, p.out = p.out, nil
	return b, p.closed
}

func (p *pipe) isStalled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stalled
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
	if p.stalled && p.stall > 0 {
		over := false
		timer := p.clock.AfterFunc(p.stall, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			over = true
			p.taken.Broadcast()
		})
		for p.stalled && !over && !p.closed && !p.hungUp {
			p.taken.Wait()
		}
		timer.Stop()
		if over {
			return 0, os.ErrDeadlineExceeded
		}
	}
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
	p.taken.Broadcast()
	return nil
}

// SetWriteDeadline implements net.Conn for the broker. The system's clock stands still in a bubble of
// testing/synctest, so what is left until the deadline is what a Write waits by the script's.
func (p *pipe) SetWriteDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = 0
	if !t.IsZero() {
		p.stall = time.Until(t)
	}
	return nil
}

// There is no other deadline: nothing else here takes long.
func (p *pipe) SetDeadline(time.Time) error     { return nil }
func (p *pipe) SetReadDeadline(time.Time) error { return nil }
func (p *pipe) LocalAddr() net.Addr             { return memory{} }
func (p *pipe) RemoteAddr() net.Addr            { return memory{} }

type memory struct{}

func (memory) Network() string { return "memory" }
func (memory) String() string  { return "memory" }
