package netx

import (
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poller watches parked sockets with a few goroutines, as many as can run at the same time. They are started
// when they are needed.
//
// Each has an epoll instance of its own, level-triggered: what a handler leaves unread is reported again, after
// the others. The instance is itself watched by the runtime's poller, so a goroutine that waits in it is
// parked like any other, and neither the garbage collector nor another goroutine is ever held up.
type Poller struct {
	started, ended func()

	mu     sync.Mutex // guards what follows and every loop's sockets
	loops  []*loop    // nil where none has been needed
	next   int
	closed bool
}

// NewPoller returns a Poller that calls started and ended when it starts one of its goroutines and when that
// has ended.
func NewPoller(started, ended func()) *Poller {
	return &Poller{started: started, ended: ended, loops: make([]*loop, runtime.GOMAXPROCS(0))}
}

// Adopt makes a Socket of a plain TCP or Unix connection, or of one below a Wrapper of which nothing is left,
// and closes nc, whose descriptor it has taken over. The socket is not parked yet. Adopt reports false, and nc
// stays as it is, if nc is another kind of connection; it also stays as it is after an error.
func (p *Poller) Adopt(nc net.Conn, h Handler) (s *Socket, plain bool, err error) {
	below := nc
	if w, ok := nc.(Wrapper); ok && w.Bare() {
		below = w.Below()
	}
	switch below.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil, false, nil
	}
	l, err := p.assign(nil)
	if err != nil {
		return nil, true, err
	}
	fd, err := duplicate(below.(syscall.Conn))
	if err != nil {
		p.leave(l, false)
		if errors.Is(err, unix.EMFILE) {
			return nil, false, nil // there is none to spare: it stays what it is
		}
		return nil, true, err
	}
	nc.Close()
	return &Socket{fd: fd, loop: l, handler: h}, true, nil
}

// duplicate returns a descriptor of the same socket that the runtime's poller does not know.
func duplicate(c syscall.Conn) (fd int32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var dupErr error
	err = raw.Control(func(old uintptr) {
		var n int
		n, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
		fd = int32(n)
	})
	if err == nil {
		err = os.NewSyscallError("dup", dupErr)
	}
	return fd, err
}

// choices is how many loops are looked at for a new socket: all of most machines, and what costs little on others.
const choices = 8

// assign chooses the loop of a new socket and counts it there. A host counts it, too, and does not end before it has
// left: the socket is to begin there. nil: it has none.
//
// Of the loop whose turn it is and the few after it, the socket gets that with the fewest. In turn alone, clients that
// stay would all be on one loop if others that do not stay came between them, such as the probes of a load balancer.
func (p *Poller) assign(host *loop) (*loop, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	i := p.next
	for n := range min(choices, len(p.loops)) {
		if other := (p.next + n) % len(p.loops); p.loops[other].size() < p.loops[i].size() {
			i = other
		}
	}
	p.next = (i + 1) % len(p.loops)
	l := p.loops[i]
	if l == nil {
		fresh, err := newLoop(p)
		switch some := slices.IndexFunc(p.loops, func(l *loop) bool { return l != nil }); {
		case err == nil:
			l, p.loops[i] = fresh, fresh
			p.started()
			go l.run() // ends after Close, with the last socket
		case some >= 0: // for want of descriptors, most likely
			l = p.loops[some]
		default:
			return nil, err
		}
	}
	l.sockets++
	if host != nil && host != l {
		host.sockets++
		host.guests++
	}
	return l, nil
}

// size is how many sockets are to stay on the loop. Called with poller.mu held.
func (l *loop) size() int {
	if l == nil {
		return 0
	}
	return l.sockets - l.guests
}

// leave counts a socket that is gone, or has been a guest.
func (p *Poller) leave(l *loop, guest bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if guest {
		l.guests--
	}
	l.sockets--
	if p.closed && l.sockets == 0 {
		l.interrupt()
	}
}

// Close makes the Poller refuse new sockets, and end when those that it has are closed. It does not wait for
// that.
func (p *Poller) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	for _, l := range p.loops {
		if l != nil && l.sockets == 0 {
			l.interrupt()
		}
	}
}
