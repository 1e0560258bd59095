package netx

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sampan/broker/internal/block"
)

// Socket is a plain socket that a Poller watches. It is read by its Handler, and by nobody while it is
// parked.
type Socket struct {
	handler Handler
	loop    *loop
	home    *loop // of a guest, which is on its listener's loop until Settle
	fd      int32
	gen     int32        // guarded by loop.mu
	users   atomic.Int32 // calls that use the descriptor, and closedBit

	mu     sync.Mutex    // guards what follows; loop.mu may be taken inside
	armed  uint32        // the events that epoll reports; 0: it does not know the descriptor
	parked bool          // the handler is to be called when there is input
	waits  *[2]chan bool // who waits for input, and for room to write; nil where nobody does
}

// closedBit in users says that the descriptor is closed as soon as nobody uses it.
const closedBit = 1 << 30

// acquire keeps the descriptor from being closed until release. It reports false if the socket is closed.
func (s *Socket) acquire() bool {
	for {
		n := s.users.Load()
		if n&closedBit != 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *Socket) release() {
	if s.users.Add(-1) == closedBit {
		s.shut()
	}
}

// shut closes the descriptor. Nobody uses it, nor will.
func (s *Socket) shut() {
	s.loop.forget(s)
	// epoll forgets a socket with the last reference to it, which somebody else may have, or epoll itself while it
	// looks for events: then the other side would not hear of the end.
	unix.EpollCtl(s.loop.epoll, unix.EPOLL_CTL_DEL, int(s.fd), nil)
	closeFD(uintptr(s.fd))
	s.loop.poller.leave(s.loop, s.home != nil)
	if s.home != nil {
		s.loop.poller.leave(s.home, false)
	}
}

// Close closes the socket, without waiting. If it is parked, the handler is told.
func (s *Socket) Close() error {
	for {
		n := s.users.Load()
		if n&closedBit != 0 {
			return net.ErrClosed
		}
		if s.users.CompareAndSwap(n, n|closedBit) {
			s.mu.Lock()
			parked := s.parked
			s.parked = false
			s.signal(reader)
			s.signal(writer)
			s.mu.Unlock()
			if n == 0 {
				s.shut()
			}
			if parked {
				go s.handler.Closed() // ends with what it belongs to
			}
			return nil
		}
	}
}

// Park leaves the socket to the Poller: from now on its handler is called when there is input. It reports false
// if the socket is closed.
func (s *Socket) Park() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users.Load()&closedBit != 0 {
		return false
	}
	if s.armed&unix.EPOLLIN == 0 && s.arm(s.armed|unix.EPOLLIN) != nil {
		return false
	}
	s.parked = true // Close, if it comes between, waits for mu and finds it
	return true
}

// Settle brings a guest to a loop of its own. The handler calls it, of a socket that is not parked, when the
// connection has turned out to be one that stays.
func (s *Socket) Settle() {
	if s.home == nil || !s.acquire() {
		return
	}
	defer s.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	from, events := s.loop, s.armed
	if events != 0 {
		unix.EpollCtl(from.epoll, unix.EPOLL_CTL_DEL, int(s.fd), nil)
	}
	from.forget(s) // also if epoll does not watch it just now
	s.loop, s.home, s.gen, s.armed = s.home, nil, 0, 0
	if events != 0 && s.arm(events) != nil { // who waits for room to write goes on waiting
		s.signal(reader) // or tries, and finds out
		s.signal(writer)
	}
	from.poller.leave(from, true)
}

// event is called by the loop with what epoll has reported. It reports whether the handler is to be called.
func (s *Socket) event(events uint32) (call bool) {
	const ended = unix.EPOLLHUP | unix.EPOLLERR
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.armed
	if events&(unix.EPOLLOUT|ended) != 0 {
		s.signal(writer)
		rest &^= unix.EPOLLOUT
	}
	if events&(unix.EPOLLIN|ended) != 0 {
		s.signal(reader)
		call, s.parked = s.parked, false
		if !call {
			rest &^= unix.EPOLLIN // nobody wants it now; Park asks again
		}
	}
	if rest != s.armed {
		s.arm(rest)
	}
	return call
}

// arm tells epoll which events to report. Called with mu held.
func (s *Socket) arm(events uint32) error {
	if !s.acquire() {
		return net.ErrClosed
	}
	defer s.release()
	op := unix.EPOLL_CTL_MOD
	switch {
	case events == 0:
		op = unix.EPOLL_CTL_DEL
	case s.armed == 0:
		op = unix.EPOLL_CTL_ADD
		if s.gen == 0 {
			s.loop.learn(s)
		}
	}
	err := unix.EpollCtl(s.loop.epoll, op, int(s.fd), &unix.EpollEvent{Events: events, Fd: s.fd, Pad: s.gen})
	if err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	s.armed = events
	return nil
}

// Read reads once, without waiting, and returns a block that holds rest and the new bytes behind it, n in all.
// The caller gives the block back with block.Put. rest is copied and may be given back at once. If nothing has
// come, n is 0 and there is no block.
func (s *Socket) Read(rest []byte) (buf []byte, n int, err error) {
	if !s.acquire() {
		return nil, 0, net.ErrClosed
	}
	defer s.release()
	buf = blockFor(len(rest))
	have := copy(buf, rest)
	n, again, err := readFD(uintptr(s.fd), buf[have:])
	if again || err != nil {
		block.Put(buf)
		return nil, 0, err
	}
	return buf, have + n, nil
}

// Direct is true.
func (s *Socket) Direct() bool { return true }

// TryWrite is described at Conn.
func (s *Socket) TryWrite(bufs [][]byte) (n int, err error) {
	if !s.acquire() {
		return 0, net.ErrClosed
	}
	defer s.release()
	return writeFD(uintptr(s.fd), bufs)
}

// Write is described at Conn.
func (s *Socket) Write(b []byte, stall time.Duration) error {
	var late error
	for len(b) > 0 {
		n, err := s.TryWrite([][]byte{b[:min(len(b), block.Chunk)]})
		if err != nil {
			return err
		}
		b = b[n:]
		if n > 0 {
			late = nil
			continue
		}
		if late != nil {
			return late
		}
		// What counts is whether the socket has taken nothing, not whether this machine was late to notice.
		if late = s.wait(writer, unix.EPOLLOUT, stall); late != os.ErrDeadlineExceeded && late != nil {
			return late
		}
	}
	return nil
}

// CloseWrite is described at Conn.
func (s *Socket) CloseWrite() error {
	if !s.acquire() {
		return net.ErrClosed
	}
	defer s.release()
	return unix.Shutdown(int(s.fd), unix.SHUT_WR)
}

// Drain is described at Conn.
func (s *Socket) Drain(limit int, timeout time.Duration) {
	var sink [512]byte
	end := time.Now().Add(timeout)
	for limit > 0 && s.acquire() {
		n, again, err := readFD(uintptr(s.fd), sink[:])
		s.release()
		if again {
			err = s.wait(reader, unix.EPOLLIN, time.Until(end))
		}
		if err != nil {
			return
		}
		limit -= n
	}
}

// Places in Socket.waits.
const (
	reader = iota
	writer
)

// signal wakes who waits. Called with mu held.
func (s *Socket) signal(who int) {
	if s.waits != nil && s.waits[who] != nil {
		close(s.waits[who])
		s.waits[who] = nil
	}
}

// wait waits on the caller's goroutine until epoll reports the event, the socket is closed, or limit is over.
func (s *Socket) wait(who int, event uint32, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	happened := make(chan bool)
	s.mu.Lock()
	if err := s.arm(s.armed | event); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.waits == nil {
		s.waits = new([2]chan bool)
	}
	s.waits[who] = happened
	s.mu.Unlock()
	select {
	case <-happened:
		return nil
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits[who] = nil
	return os.ErrDeadlineExceeded
}
