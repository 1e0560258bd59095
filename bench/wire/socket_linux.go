package wire

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"sampan/bench/raw"
)

// watched is what epoll tells about a connection, once for each change.
const watched = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&(1<<32-1)

// socket is a connection of a polled lane.
type socket struct {
	lane    *polled
	handler Handler
	fd      int   // -1 when closed
	slot    int32 // index in lane.slots
	turn    int32 // tells apart those that use a slot one after the other
	open    bool
	closed  bool
	rest    []byte // read, and not used by the handler
	pending []byte // not yet taken by the system
	err     error  // why it could not begin to connect
}

func (l *polled) Dial(e Endpoint, h Handler) Conn {
	l.turn++
	s := &socket{lane: l, handler: h, fd: -1, turn: l.turn}
	if n := len(l.free); n > 0 {
		s.slot, l.free = l.free[n-1], l.free[:n-1]
		l.slots[s.slot] = s
	} else {
		s.slot = int32(len(l.slots))
		l.slots = append(l.slots, s)
	}
	s.begin(e)
	return s
}

// begin begins to connect.
func (s *socket) begin(e Endpoint) {
	l := s.lane
	switch err := s.dial(e); {
	case err == nil:
	case isFull(e, err):
		l.full = append(l.full, waiting{s, e})
	default:
		// Not told from here: the caller does not even have the Conn yet.
		s.err = unopened(err)
		l.refused = append(l.refused, s)
	}
}

// dial makes the socket and begins to connect it.
func (s *socket) dial(e Endpoint) (err error) {
	domain, to := sockaddr(e.Addr)
	if e.Unix != "" {
		domain, to = unix.AF_UNIX, &unix.SockaddrUnix{Name: e.Unix}
	}
	s.fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if domain != unix.AF_UNIX {
		unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if e.Source.IsValid() {
		// The port is chosen when it connects, so that the ports are counted
		// for each destination.
		unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		_, from := sockaddr(netip.AddrPortFrom(e.Source, 0))
		if err := unix.Bind(s.fd, from); err != nil {
			return fmt.Errorf("from %v: %w", e.Source, os.NewSyscallError("bind", err))
		}
	}
	if err := unix.Connect(s.fd, to); err != nil && err != unix.EINPROGRESS {
		return os.NewSyscallError("connect", err)
	}
	event := unix.EpollEvent{Events: watched, Fd: s.slot, Pad: s.turn}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.lane.epoll, unix.EPOLL_CTL_ADD, s.fd, &event))
}

// sockaddr converts an address.
func sockaddr(a netip.AddrPort) (domain int, sa unix.Sockaddr) {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: zoneID(a.Addr().Zone())}
}

// zoneID is the number of a link-local address's interface, 0 if there is none.
func zoneID(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}

// connected asks how the connecting went and tells the handler. It reports
// whether the connection is there and was not closed by the handler.
func (s *socket) connected() bool {
	code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		s.fail(unopened(os.NewSyscallError("connect", err)))
		return false
	}
	s.open = true
	s.handler.Opened(s.lane.clock.Now())
	return !s.closed
}

// read takes all that has arrived, and the end of the stream if it is there.
func (s *socket) read(ended bool) {
	l := s.lane
	for !s.closed {
		have := copy(l.buf, s.rest)
		n, err := raw.Read(s.fd, l.buf[have:])
		l.load.Reads++
		switch {
		case n > 0:
			l.load.In += uint64(n)
			whole := have+n == len(l.buf)
			s.give(l.buf[:have+n])
			if !whole && !ended {
				return // a short read: there is no more now
			}
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR:
		case err != 0:
			s.fail(os.NewSyscallError("read", err))
		default:
			s.fail(io.EOF)
		}
	}
}

// give hands bytes to the handler and keeps what it leaves.
func (s *socket) give(b []byte) {
	l := s.lane
	used := s.handler.Data(b, l.clock.Now())
	if s.closed {
		return
	}
	left := b[used:]
	if len(left) == 0 && cap(s.rest) > keep {
		s.rest = nil
	} else {
		s.rest = append(s.rest[:0], left...)
	}
	if len(left) > len(l.buf)/2 {
		l.buf = make([]byte, 2*len(l.buf)) // for a frame longer than the buffer
	}
}

func (s *socket) Write(p []byte) {
	if s.closed {
		return
	}
	if s.open && len(s.pending) == 0 {
		p = p[s.send(p):]
	}
	s.pending = append(s.pending, p...)
}

func (s *socket) Backlog() int { return len(s.pending) }

// send writes as much of p as the system takes and returns its length.
func (s *socket) send(p []byte) (sent int) {
	for sent < len(p) {
		n, err := raw.Write(s.fd, p[sent:])
		s.lane.load.Writes++
		switch {
		case n > 0:
			sent += n
			s.lane.load.Out += uint64(n)
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return sent
		default:
			// The connection is gone; the read event tells the handler.
			return len(p)
		}
	}
	return sent
}

// flush sends what is pending, now that there is room.
func (s *socket) flush() {
	n := s.send(s.pending)
	if n < len(s.pending) {
		s.pending = append(s.pending[:0], s.pending[n:]...)
		return
	}
	if s.pending = s.pending[:0]; cap(s.pending) > keep {
		s.pending = nil
	}
	s.handler.Drained(s.lane.clock.Now())
}

// fail closes the socket and tells the handler.
func (s *socket) fail(err error) {
	s.Close()
	s.handler.Closed(err, s.lane.clock.Now())
}

func (s *socket) Close() {
	if s.closed {
		return
	}
	s.closed = true
	if s.fd >= 0 {
		unix.Close(s.fd) // which also takes it out of epoll
		s.fd = -1
	}
	s.lane.slots[s.slot] = nil
	s.lane.free = append(s.lane.free, s.slot)
	s.rest, s.pending = nil, nil
}
