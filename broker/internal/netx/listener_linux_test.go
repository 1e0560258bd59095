package netx

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// taker is the handler of a listener: it hands over what it accepts.
type taker struct {
	ln    *Listener
	taken chan accepted
}

type accepted struct {
	socket *Socket
	remote *net.TCPAddr
	err    error
}

func (k *taker) Readable(*Turn) {
	for {
		s, remote, err := k.ln.Accept()
		if s == nil && err == nil {
			break
		}
		k.taken <- accepted{s, remote, err}
		if err != nil {
			return
		}
	}
	k.ln.Park()
}

func (k *taker) Closed() {}

// listening returns a listener at addr whose connections come out of taken.
func listening(t *testing.T, p *Poller, addr string) (*net.TCPListener, *taker) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { ln.Close() })
	k := &taker{taken: make(chan accepted, 100)}
	tcp := ln.(*net.TCPListener)
	if k.ln, err = p.Listen(tcp, k); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.ln.Close)
	if err := k.ln.Park(); err != nil {
		t.Fatal(err)
	}
	return tcp, k
}

func (k *taker) next(t *testing.T) accepted {
	t.Helper()
	select {
	case a := <-k.taken:
		if a.err != nil {
			t.Fatal(a.err)
		}
		t.Cleanup(func() { a.socket.Close() })
		return a
	case <-time.After(patience):
		t.Fatal("nothing was accepted")
		panic("")
	}
}

func option(t *testing.T, s *Socket, level, name int) int {
	t.Helper()
	n, err := unix.GetsockoptInt(int(s.fd), level, name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What is accepted carries bytes, knows both of its addresses, sends small packets at once, does not block and is not
// inherited; TCP probes it when it is told to.
func TestListen(t *testing.T) {
	p := poller(t, 2)
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		ln, k := listening(t, p, addr)
		to := ln.Addr().(*net.TCPAddr)
		if to.IP.IsUnspecified() {
			to = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: to.Port}
		}
		for range 3 {
			theirs, err := net.DialTCP("tcp", nil, to)
			if err != nil {
				t.Fatal(err)
			}
			defer theirs.Close()
			a := k.next(t)
			same := func(got net.Addr, want net.Addr) {
				t.Helper()
				g, w := got.(*net.TCPAddr).AddrPort(), want.(*net.TCPAddr).AddrPort()
				if g != netip.AddrPortFrom(w.Addr().Unmap(), w.Port()) {
					t.Errorf("%s: address %v, want %v", addr, g, w)
				}
			}
			same(a.remote, theirs.LocalAddr())
			same(a.socket.LocalAddr(), theirs.RemoteAddr())
			o := &owner{socket: a.socket, got: make(chan []byte, 1), closed: make(chan struct{})}
			a.socket.SetHandler(o)
			a.socket.Park()
			theirs.Write([]byte("hello"))
			if got := o.next(t); string(got) != "hello" {
				t.Errorf("got %q", got)
			}
			if option(t, a.socket, unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
				t.Error("small packets wait")
			}
			flags, _ := unix.FcntlInt(uintptr(a.socket.fd), unix.F_GETFL, 0)
			inherited, _ := unix.FcntlInt(uintptr(a.socket.fd), unix.F_GETFD, 0)
			if flags&unix.O_NONBLOCK == 0 || inherited&unix.FD_CLOEXEC == 0 {
				t.Errorf("flags %#x %#x", flags, inherited)
			}
			if option(t, a.socket, unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0 {
				t.Error("probed without having been told to")
			}
			if err := a.socket.KeepAlive(); err != nil || option(t, a.socket, unix.SOL_SOCKET, unix.SO_KEEPALIVE) == 0 {
				t.Error("not probed", err)
			}
		}
	}
}

// A listener that is closed is not served any more, by whomever it was closed, and its address is free at once.
func TestListenerClosed(t *testing.T) {
	p := poller(t, 1)
	ln, k := listening(t, p, "127.0.0.1:0")
	if !k.ln.Open() {
		t.Error("not open")
	}
	ln.Close()
	if k.ln.Open() {
		t.Error("still open")
	}
	if _, _, err := k.ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if err := k.ln.Park(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Park after Close: %v", err)
	}
	again, err := net.Listen("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	// The other way round: the net.Listener goes on by itself.
	ln, k = listening(t, p, "127.0.0.1:0")
	k.ln.Close()
	theirs, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	ours, err := ln.Accept()
	if err != nil || len(k.taken) > 0 {
		t.Fatal(err, len(k.taken))
	}
	ours.Close()
}

// Several listeners of one loop are told apart, also when one has taken the place of another.
func TestListeners(t *testing.T) {
	p := poller(t, 1)
	for range 3 {
		var lns []*net.TCPListener
		var ks []*taker
		for range 4 {
			ln, k := listening(t, p, "127.0.0.1:0")
			lns, ks = append(lns, ln), append(ks, k)
		}
		for i, ln := range lns {
			theirs, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer theirs.Close()
			if a := ks[i].next(t); a.remote.String() != theirs.LocalAddr().String() {
				t.Errorf("listener %d took %v", i, a.remote)
			}
		}
		ks[1].ln.Close()
		ks[2].ln.Close()
	}
}

// A socket of which others have a descriptor is forgotten by epoll when it is closed: nothing more is reported.
func TestTheSocketOutlivesClose(t *testing.T) {
	p := poller(t, 1)
	ours, theirs := connect(t, "tcp")
	other, err := ours.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	o := &owner{got: make(chan []byte, 1), closed: make(chan struct{})}
	s, _, err := p.Adopt(ours, o)
	if err != nil {
		t.Fatal(err)
	}
	o.socket = s
	s.Park()
	l := s.loop
	still, _ := adopt(t, p, "tcp") // or the loop has come to its end
	still.socket.Park()
	s.Close()
	await(t, o.closed)
	theirs.Write([]byte("x"))
	var events [1]unix.EpollEvent
	for range 20 {
		if n := poll(l.epoll, events[:]); n > 0 {
			t.Fatalf("epoll reports %#x of descriptor %d", events[0].Events, events[0].Fd)
		}
		time.Sleep(time.Millisecond)
	}
}

// When there is no descriptor to spare, neither for the connection nor for another loop, it stays what it is.
func TestAdoptWithoutADescriptor(t *testing.T) {
	p := poller(t, 2)
	held, _ := adopt(t, p, "tcp") // its loop has what it needs
	held.socket.Park()
	ours, theirs := connect(t, "tcp")
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Skip(err)
	}
	few := old
	few.Cur = 3
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Skip(err)
	}
	s, plain, err := p.Adopt(ours, new(owner))
	unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	if s != nil || plain || err != nil {
		t.Fatal(s, plain, err)
	}
	go theirs.Write([]byte("x")) // ends at once
	if _, err := ours.Read(make([]byte, 1)); err != nil {
		t.Error("the connection is of no use any more:", err)
	}
}

// Connections that come together and stay are spread over the loops, although all of them begin on one.
func TestGuestsAreSpread(t *testing.T) {
	for _, loops := range []int{1, 2, 3} {
		p := poller(t, loops)
		ln, k := listening(t, p, "127.0.0.1:0")
		var sockets []*Socket
		for range 12 * loops {
			theirs, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer theirs.Close()
			s := k.next(t).socket
			s.SetHandler(&owner{socket: s})
			sockets = append(sockets, s)
		}
		for _, s := range sockets {
			s.Settle()
		}
		p.mu.Lock()
		for _, l := range p.loops {
			if n := l.sockets; n < 12 || n > 13 || l.guests != 0 { // one has the listener, too
				t.Errorf("of %d loops one has %d sockets and %d guests", loops, n, l.guests)
			}
		}
		p.mu.Unlock()
	}
}

// A guest that has settled and closed is known to no loop, even if it settled when epoll did not watch it.
func TestSettleUnwatched(t *testing.T) {
	p := poller(t, 2)
	ln, k := listening(t, p, "127.0.0.1:0")
	host := k.ln.loop
	for range 2 { // one of them has its home there
		theirs, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer theirs.Close()
		s := k.next(t).socket
		reported := make(chan bool)
		s.SetHandler(&owner{socket: s, readable: func(*Turn) { reported <- true }})
		s.Park()
		theirs.Write([]byte("x"))
		await(t, reported)
		// What is not read is reported again, and nobody wants it.
		for armed := uint32(1); armed != 0; {
			s.mu.Lock()
			armed = s.armed
			s.mu.Unlock()
		}
		s.Settle()
		s.Park()
		await(t, reported)
		s.Close()
		host.mu.Lock()
		if int(s.fd) < len(host.known) && host.known[s.fd] == s {
			t.Error("the loop it came in by still knows it")
		}
		host.mu.Unlock()
	}
}

// A connection begins on its listener's loop and settles on another, and nothing is lost on the way: neither what
// arrives before, meanwhile or after, nor the room that a writer waits for. The loops end when all have left.
func TestSettle(t *testing.T) {
	p := poller(t, 3)
	ln, k := listening(t, p, "127.0.0.1:0")
	homes := make(map[*loop]int)
	for i := range 9 {
		theirs, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer theirs.Close()
		s := k.next(t).socket
		if s.loop != k.ln.loop {
			t.Fatal("a single connection does not begin where it came in")
		}
		switch i / 3 {
		case 0: // leaves without having settled
			s.Close()
			continue
		case 1: // settles before anybody has asked for input
			s.Settle()
		}
		o := &owner{socket: s, got: make(chan []byte, 1)}
		s.SetHandler(o)
		settle := make(chan bool)
		o.readable = func(*Turn) {
			<-settle
			s.Settle()
			s.Settle()
			o.readable = nil
			s.Park()
		}
		s.Park()
		theirs.Write([]byte("before"))
		sent := make(chan error)
		big := bytes.Repeat([]byte("x"), 16<<20)
		go func() { sent <- s.Write(big, patience) }() // ends with the socket
		for waits := false; !waits; {
			s.mu.Lock()
			waits = s.waits != nil && s.waits[writer] != nil
			s.mu.Unlock()
		}
		close(settle)
		if got := o.next(t); string(got) != "before" {
			t.Errorf("got %q", got)
		}
		theirs.Write([]byte("after"))
		if got := o.next(t); string(got) != "after" {
			t.Errorf("got %q", got)
		}
		if _, err := io.CopyN(io.Discard, theirs, int64(len(big))); err != nil {
			t.Fatal(err)
		}
		if err := await(t, sent); err != nil {
			t.Error(err)
		}
		homes[s.loop]++
	}
	if len(homes) != 3 {
		t.Errorf("on %d loops of 3", len(homes))
	}
}
