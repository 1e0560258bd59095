package netx

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Listener takes connections straight from a listening TCP socket: each becomes a Socket without having been a
// net.Conn, which would cost more system calls than all that a short connection is there for.
//
// The descriptor stays that of the net.Listener, and is used only as long as that is open.
type Listener struct {
	handler Handler
	loop    *loop
	raw     syscall.RawConn // of the net.Listener
	place   int             // in loop.listeners; guarded by loop.mu, like what follows
	parked  bool            // the handler is to be called when a connection waits

	// What accept works on. It belongs to the handler.
	accept func(fd uintptr)
	fd     int
	err    syscall.Errno
	addr   unix.RawSockaddrAny
	taken  int // connections since Park
}

// guests is how many connections, of those that wait together, are on the loop of the Listener first, and go to a loop
// of their own when they settle. That saves a short connection the way to another processor and back, which is much
// of its cost; more than so many are work for all processors.
const guests = 64

// Listen watches ln. Its handler's Readable is called when a connection waits; Closed is not called. The Listener
// is not parked yet.
func (p *Poller) Listen(ln *net.TCPListener, h Handler) (*Listener, error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil, err
	}
	loop, err := p.assign(nil)
	if err != nil {
		return nil, err
	}
	l := &Listener{handler: h, loop: loop, raw: raw}
	l.accept = l.acceptFD
	loop.introduce(l)
	err = l.control(func(fd int) error {
		// Set once, instead of for each connection, which has it from here.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		return l.arm(unix.EPOLL_CTL_ADD, fd, 0)
	})
	if err != nil {
		l.dismiss()
		return nil, err
	}
	return l, nil
}

// control calls f with the descriptor, which stays open meanwhile.
func (l *Listener) control(f func(fd int) error) error {
	var inner error
	if err := l.raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// arm makes epoll report the listener once, or, without events, not at all.
func (l *Listener) arm(op, fd int, events uint32) error {
	event := unix.EpollEvent{Events: events | unix.EPOLLONESHOT, Fd: int32(-1 - l.place)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.loop.epoll, op, fd, &event))
}

// Park leaves the listener to the Poller: its handler is called when a connection waits. It fails if the
// net.Listener is closed.
func (l *Listener) Park() error {
	l.taken = 0
	l.loop.mu.Lock()
	l.parked = true
	l.loop.mu.Unlock()
	return l.control(func(fd int) error { return l.arm(unix.EPOLL_CTL_MOD, fd, unix.EPOLLIN) })
}

// Open reports whether the net.Listener is open.
func (l *Listener) Open() bool { return l.raw.Control(func(uintptr) {}) == nil }

// Accept takes one connection, which is not parked yet and has no handler, and reports where it comes from. If none
// waits, s is nil and there is no error.
func (l *Listener) Accept() (s *Socket, remote *net.TCPAddr, err error) {
	if err := l.raw.Control(l.accept); err != nil {
		return nil, nil, err
	}
	switch l.err {
	case 0:
	case unix.EAGAIN, unix.ECONNABORTED:
		return nil, nil, nil
	default:
		return nil, nil, os.NewSyscallError("accept4", l.err)
	}
	var host *loop
	if l.taken++; l.taken <= guests {
		host = l.loop
	}
	home, err := l.loop.poller.assign(host)
	if err != nil {
		unix.Close(l.fd)
		return nil, nil, err
	}
	s = &Socket{fd: int32(l.fd), loop: home}
	if host != nil && host != home {
		s.loop, s.home = host, home
	}
	return s, tcpAddr(&l.addr), nil
}

func (l *Listener) acceptFD(fd uintptr) {
	for {
		size := uint32(unsafe.Sizeof(l.addr))
		r, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, fd, uintptr(unsafe.Pointer(&l.addr)),
			uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if l.fd, l.err = int(r), e; e != unix.EINTR {
			return
		}
	}
}

// Close ends the watching. A call of the handler may be under way or about to begin, and none comes after it. The
// net.Listener stays as it is. Close may be called again.
func (l *Listener) Close() {
	l.control(func(fd int) error { return unix.EpollCtl(l.loop.epoll, unix.EPOLL_CTL_DEL, fd, nil) })
	l.dismiss()
}

func (l *Listener) dismiss() {
	if l.loop.disown(l) {
		l.loop.poller.leave(l.loop, false)
	}
}

// SetHandler makes the handler of a socket that has none. It is called before Park.
func (s *Socket) SetHandler(h Handler) { s.handler = h }

// The probes of KeepAlive, as package net has them: after so long without traffic, and so many.
const (
	probeAfter = 15 * time.Second
	probes     = 9
)

// KeepAlive lets TCP find out that the other side is gone, where nothing else would.
func (s *Socket) KeepAlive() error {
	if !s.acquire() {
		return net.ErrClosed
	}
	defer s.release()
	for _, o := range [][3]int{
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(probeAfter / time.Second)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(probeAfter / time.Second)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, probes},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	} {
		if err := unix.SetsockoptInt(int(s.fd), o[0], o[1], o[2]); err != nil {
			return os.NewSyscallError("setsockopt", err) // a Unix socket, for one
		}
	}
	return nil
}

// LocalAddr is the address at which the connection was made.
func (s *Socket) LocalAddr() net.Addr {
	var addr unix.RawSockaddrAny
	size := uint32(unsafe.Sizeof(addr))
	if !s.acquire() {
		return nil
	}
	defer s.release()
	_, _, e := syscall.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(s.fd), uintptr(unsafe.Pointer(&addr)), uintptr(unsafe.Pointer(&size)))
	if e != 0 {
		return nil
	}
	return tcpAddr(&addr)
}

// tcpAddr reads an address that the system has written.
func tcpAddr(from *unix.RawSockaddrAny) *net.TCPAddr {
	a := new(struct {
		net.TCPAddr
		ip [16]byte
	})
	switch from.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(from))
		a.IP, a.Port = a.ip[:copy(a.ip[:], in.Addr[:])], hostPort(&in.Port)
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(from))
		a.IP, a.Port = a.ip[:copy(a.ip[:], in.Addr[:])], hostPort(&in.Port)
		if ip := netip.AddrFrom16(in.Addr); ip.Is4In6() {
			as4 := ip.As4()
			a.IP = a.ip[:copy(a.ip[:], as4[:])]
		}
		if in.Scope_id != 0 {
			a.Zone = zone(int(in.Scope_id))
		}
	}
	return &a.TCPAddr
}

// hostPort reads a port, which is in the network's byte order.
func hostPort(p *uint16) int {
	b := (*[2]byte)(unsafe.Pointer(p))
	return int(b[0])<<8 | int(b[1])
}

func zone(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return strconv.Itoa(index)
}
