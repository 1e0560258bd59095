// Epoll is the ceiling program with an epoll loop of its own on one thread:
// it reads a chunk and writes it to every subscriber before it looks at the
// next connection.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"sampan/bench/ceiling"
	"sampan/bench/raw"
)

// chunk is the size of a read in bytes.
const chunk = 64 << 10

const (
	ended   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	watched = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&(1<<32-1)
)

// loop is the program's state; there is one thread.
type loop struct {
	hub    *ceiling.Hub
	copied bool
	epoll  int
	listen int
	conns  map[int32]*conn
	buf    []byte
}

// conn is a connection.
type conn struct {
	loop    *loop
	fd      int
	client  *ceiling.Client
	rest    []byte // beginning of a packet
	pending []byte // what the system did not take
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	copied := flag.Bool("copy", false, "copy every message for every subscriber")
	flag.Parse()
	runtime.LockOSThread()
	l := &loop{hub: ceiling.NewHub(), copied: *copied, conns: map[int32]*conn{}, buf: make([]byte, chunk)}
	addr, err := l.open(*listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", addr)
	l.run()
}

// open listens.
func (l *loop) open(listen string) (netip.AddrPort, error) {
	addr, err := netip.ParseAddrPort(listen)
	if err != nil {
		return addr, err
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return addr, err
	}
	if l.listen, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return addr, err
	}
	unix.SetsockoptInt(l.listen, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(l.listen, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		return addr, err
	}
	if err := unix.Listen(l.listen, 4096); err != nil {
		return addr, err
	}
	name, err := unix.Getsockname(l.listen)
	if err != nil {
		return addr, err
	}
	return netip.AddrPortFrom(addr.Addr(), uint16(name.(*unix.SockaddrInet4).Port)), l.watch(l.listen, unix.EPOLLIN)
}

// watch adds a descriptor to epoll.
func (l *loop) watch(fd int, events uint32) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// run serves for ever.
func (l *loop) run() {
	events := make([]unix.EpollEvent, 256)
	wait := raw.NewWaiter(l.epoll)
	for {
		n, _ := wait.Wait(events, time.Hour)
		for _, e := range events[:n] {
			if int(e.Fd) == l.listen {
				l.accept()
			} else if c := l.conns[e.Fd]; c != nil {
				if e.Events&unix.EPOLLOUT != 0 && len(c.pending) > 0 {
					c.flush()
				}
				if e.Events&^unix.EPOLLOUT != 0 && !c.read(e.Events&ended != 0) {
					delete(l.conns, e.Fd)
					c.client.Close()
					unix.Close(c.fd)
				}
			}
		}
	}
}

func (l *loop) accept() {
	for {
		fd, _, err := unix.Accept4(l.listen, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		c := &conn{loop: l, fd: fd}
		c.client = l.hub.NewClient(c, l.copied)
		l.conns[int32(fd)] = c
		if err := l.watch(fd, watched); err != nil {
			log.Fatal(err)
		}
	}
}

// read passes on what has arrived, and finds the end of the stream if it is
// there; false ends the connection.
func (c *conn) read(ended bool) bool {
	for {
		buf := c.loop.buf
		have := copy(buf, c.rest)
		n, err := raw.Read(c.fd, buf[have:])
		switch {
		case err == unix.EAGAIN:
			return true
		case err == unix.EINTR:
			continue
		case n <= 0:
			return false
		}
		used, end := c.client.Feed(buf[:have+n])
		if end != nil {
			return false
		}
		c.rest = append(c.rest[:0], buf[used:have+n]...)
		if len(c.rest) == len(buf) {
			c.loop.buf = make([]byte, 2*len(buf))
		}
		if have+n < len(buf) && !ended {
			return true
		}
	}
}

// Send writes, and keeps what the system does not take.
func (c *conn) Send(b []byte) {
	if len(c.pending) == 0 {
		b = b[c.write(b):]
	}
	c.pending = append(c.pending, b...)
}

func (c *conn) flush() { c.pending = append(c.pending[:0], c.pending[c.write(c.pending):]...) }

// write tells how much the system took; a dead connection takes everything.
func (c *conn) write(b []byte) (sent int) {
	for sent < len(b) {
		n, err := raw.Write(c.fd, b[sent:])
		switch {
		case n > 0:
			sent += n
		case err == unix.EAGAIN:
			return sent
		case err != unix.EINTR:
			return len(b)
		}
	}
	return sent
}
