package netx

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"sampan/broker/internal/block"
)

// patience bounds what waits for something to happen. It is far longer than anything takes.
const patience = 20 * time.Second

// owner is a Handler made of functions. By default it hands on what arrives and parks the socket again.
type owner struct {
	socket   *Socket
	readable func(*Turn)
	got      chan []byte   // what has arrived, a read each; closed at the end of the stream
	err      error         // why it has ended; valid when got is closed
	closed   chan struct{} // closed by Closed, if somebody wants to know
}

func (o *owner) Readable(t *Turn) {
	if o.readable != nil {
		o.readable(t)
		return
	}
	buf, n, err := o.socket.Read(nil)
	if err != nil {
		o.err = err
		close(o.got)
		return
	}
	if n > 0 {
		o.got <- bytes.Clone(buf[:n])
		block.Put(buf)
	}
	o.socket.Park()
}

func (o *owner) Closed() {
	if o.closed != nil {
		close(o.closed)
	}
}

// next is what has arrived.
func (o *owner) next(t *testing.T) []byte {
	t.Helper()
	return await(t, o.got)
}

func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("nothing has happened")
	}
	return v
}

// poller returns a Poller with so many loops, which must have ended when the test is over.
func poller(t *testing.T, loops int) *Poller {
	t.Helper()
	ended := make(chan struct{}, loops)
	started := 0
	p := NewPoller(func() { started++ }, func() { ended <- struct{}{} })
	p.loops = make([]*loop, loops)
	t.Cleanup(func() {
		p.Close()
		for range started {
			await(t, ended)
		}
	})
	return p
}

// connect returns a connection's ends, both as they are. Their buffers are small.
func connect(t *testing.T, network string) (ours, theirs net.Conn) {
	t.Helper()
	small := func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 8<<10)
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10)
		})
	}
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = t.TempDir() + "/s"
	}
	ln, err := (&net.ListenConfig{Control: small}).Listen(t.Context(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if theirs, err = (&net.Dialer{Control: small}).Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if ours, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// adopt returns a socket, not yet parked, and the other end of its connection.
func adopt(t *testing.T, p *Poller, network string) (*owner, net.Conn) {
	t.Helper()
	ours, theirs := connect(t, network)
	return own(t, p, ours, theirs), theirs
}

func own(t *testing.T, p *Poller, ours, theirs net.Conn) *owner {
	t.Helper()
	o := &owner{got: make(chan []byte, 1000), closed: make(chan struct{})}
	var plain bool
	var err error
	if o.socket, plain, err = p.Adopt(ours, o); err != nil || !plain {
		t.Fatal(plain, err)
	}
	t.Cleanup(func() { o.socket.Close(); theirs.Close() })
	return o
}

// occupy takes every free descriptor below fd.
func occupy(t *testing.T, fd int32) {
	t.Helper()
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		if int32(f.Fd()) >= fd {
			f.Close()
			return
		}
		t.Cleanup(func() { f.Close() })
	}
}

var plains = []string{"tcp", "unix"}

// Read returns what has come behind what was left, whatever the sizes, and does not wait.
func TestRead(t *testing.T) {
	for _, network := range plains {
		o, theirs := adopt(t, poller(t, 1), network)
		s := o.socket
		ready := make(chan bool, 1)
		o.readable = func(*Turn) { ready <- true }
		for _, left := range []int{0, 1, 100, block.Chunk/2 - 1, block.Chunk / 2, block.Chunk, 200_000} {
			for _, n := range []int{1, 511, 2047, 2048, 2049, 4096} {
				rest := bytes.Repeat([]byte{'r'}, left)
				if buf, n, err := s.Read(rest); buf != nil || n != 0 || err != nil {
					t.Fatalf("%s: nothing has come: %d %v", network, n, err)
				}
				if _, err := theirs.Write(bytes.Repeat([]byte{'n'}, n)); err != nil {
					t.Fatal(err)
				}
				want := append(bytes.Clone(rest), bytes.Repeat([]byte{'n'}, n)...)
				for got := left; got < left+n; {
					if !s.Park() {
						t.Fatal("cannot park")
					}
					await(t, ready)
					buf, all, err := s.Read(rest)
					if err != nil || all <= got || !bytes.Equal(buf[:all], want[:all]) {
						t.Fatalf("%s: %d bytes left, %d sent: got %d, %v", network, left, n, all, err)
					}
					got, rest = all, bytes.Clone(buf[:all])
					block.Put(buf)
				}
			}
		}
		theirs.Close()
		s.Park()
		await(t, ready)
		if buf, n, err := s.Read([]byte("rest")); err != io.EOF || n != 0 || buf != nil {
			t.Errorf("%s: after the end: %v %d %v", network, buf, n, err)
		}
		s.Close()
		if _, _, err := s.Read(nil); err != net.ErrClosed {
			t.Errorf("%s: after Close: %v", network, err)
		}
	}
}

// TryWrite writes what the socket takes and says how much; the pieces are one stream.
func TestTryWrite(t *testing.T) {
	for _, network := range plains {
		o, theirs := adopt(t, poller(t, 1), network)
		s := o.socket
		var sent, got []byte
		chunk := make([]byte, 3000)
		full := 0
		for i := 0; full < 20; i++ {
			bufs := [][]byte{nil, bytes.Repeat([]byte{byte(i)}, 1+i*37%700), {}, bytes.Repeat([]byte{byte(i + 1)}, 1+i*7919%20000), bytes.Repeat([]byte{byte(i + 2)}, 100)}
			all := bytes.Join(bufs, nil)
			n, err := s.TryWrite(bufs)
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, all[:n]...)
			if n < len(all) {
				full++
				for range 10 {
					n, err := theirs.Read(chunk)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, chunk[:n]...)
					if len(got) == len(sent) {
						break
					}
				}
			}
		}
		for len(got) < len(sent) {
			n, err := theirs.Read(chunk)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, chunk[:n]...)
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%s: %d bytes arrived, other than the %d sent", network, len(got), len(sent))
		}
		if n, err := s.TryWrite([][]byte{nil, {}}); n != 0 || err != nil || !s.Direct() {
			t.Errorf("%s: TryWrite of nothing: %d %v", network, n, err)
		}
		theirs.Close()
		for err := error(nil); err == nil; { // until the reset has arrived
			_, err = s.TryWrite([][]byte{chunk})
		}
		s.Close()
		if n, err := s.TryWrite([][]byte{chunk}); n != 0 || err != net.ErrClosed {
			t.Errorf("%s: after Close: %d %v", network, n, err)
		}
	}
}

// Write waits as long as the other side takes anything within the stall time, whether the socket is parked or
// not.
func TestSocketWrite(t *testing.T) {
	data := make([]byte, 300_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for _, network := range plains {
		for _, parked := range []bool{false, true} {
			o, theirs := adopt(t, poller(t, 1), network)
			s := o.socket
			if parked {
				s.Park()
			}
			done := make(chan error)
			go func() { done <- s.Write(data, time.Minute) }() // ends when all is read
			got, err := io.ReadAll(io.LimitReader(theirs, int64(len(data))))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes arrived, %v", network, len(got), err)
			}
			if err := await(t, done); err != nil {
				t.Errorf("%s: %v", network, err)
			}
			if err := s.Write(data, time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: nobody reads: %v", network, err)
			}
			// A socket that was full is as good as any other.
			if parked {
				theirs.Write([]byte("x"))
				if got := o.next(t); string(got) != "x" {
					t.Errorf("%s: got %q", network, got)
				}
			}
			go func() { done <- s.Write(data, time.Minute) }() // ends when the socket is closed
			o.socket.Close()
			if err := await(t, done); err == nil {
				t.Errorf("%s: Write went on after Close", network)
			}
		}
	}
}

// A socket that takes little, but something within each stall time, is slow and not stalled, however long
// a piece takes.
func TestWriteToASlowSocket(t *testing.T) {
	const stall = 250 * time.Millisecond
	o, theirs := adopt(t, poller(t, 1), "tcp")
	data := make([]byte, 200_000)
	done := make(chan error)
	start := time.Now()
	go func() { done <- o.socket.Write(data, stall) }() // ends when all is read
	chunk := make([]byte, 8<<10)
	for left := len(data); left > 0; {
		n, err := theirs.Read(chunk)
		if err != nil {
			t.Fatalf("cut off after %v: %v", time.Since(start), err)
		}
		left -= n
		// The pace is real time, as the stall time of a socket is.
		for end := time.Now().Add(stall / 10); time.Now().Before(end); {
			runtime.Gosched()
		}
	}
	if err := <-done; err != nil {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	if d := time.Since(start); d < 2*stall {
		t.Errorf("all was read in %v: this test did not test what it says", d)
	}
}

// A message that comes in and goes out allocates nothing.
func TestNoAllocation(t *testing.T) {
	o, theirs := adopt(t, poller(t, 1), "tcp")
	s, turns := o.socket, make(chan bool)
	bufs := make([][]byte, 1)
	o.readable = func(*Turn) {
		buf, n, err := s.Read(nil)
		if err != nil {
			return
		}
		bufs[0] = buf[:n]
		s.TryWrite(bufs)
		block.Put(buf)
		s.Park()
		turns <- true
	}
	s.Park()
	one := []byte("x")
	turn := func() {
		theirs.Write(one)
		<-turns
		theirs.Read(one)
	}
	turn()
	if n := testing.AllocsPerRun(200, turn); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

// Half of the connection can be closed by either side.
func TestHalfClose(t *testing.T) {
	for _, network := range plains {
		o, theirs := adopt(t, poller(t, 1), network)
		o.socket.Park()
		theirs.(interface{ CloseWrite() error }).CloseWrite()
		if got := o.next(t); got != nil || o.err != io.EOF {
			t.Errorf("%s: got %q, %v", network, got, o.err)
		}
		if n, err := o.socket.TryWrite([][]byte{[]byte("x")}); n != 1 || err != nil {
			t.Errorf("%s: TryWrite: %d %v", network, n, err)
		}
		if err := o.socket.CloseWrite(); err != nil {
			t.Errorf("%s: %v", network, err)
		}
		if got, err := io.ReadAll(theirs); string(got) != "x" || err != nil {
			t.Errorf("%s: the other side reads %q %v", network, got, err)
		}
		o.socket.Close()
		if err := o.socket.CloseWrite(); err != net.ErrClosed {
			t.Errorf("%s: after Close: %v", network, err)
		}
	}
}

// A connection that the other side resets is reported to who has parked it.
func TestReset(t *testing.T) {
	o, theirs := adopt(t, poller(t, 1), "tcp")
	o.socket.Park()
	theirs.(*net.TCPConn).SetLinger(0)
	theirs.Close()
	if got := o.next(t); got != nil || !errors.Is(o.err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v", got, o.err)
	}
}

// Drain forgets what comes until the other side closes, there was enough of it, the time is over, or the socket
// is closed.
func TestDrain(t *testing.T) {
	for name, end := range map[string]func(o *owner, theirs net.Conn){
		"closed by the other side": func(_ *owner, theirs net.Conn) { theirs.Close() },
		"enough":                   func(_ *owner, theirs net.Conn) { go theirs.Write(make([]byte, 5000)) }, // ends with the connection
		"closed":                   func(o *owner, _ net.Conn) { o.socket.Close() },
	} {
		o, theirs := adopt(t, poller(t, 1), "tcp")
		done := make(chan struct{})
		go func() { // ends as the test says
			defer close(done)
			o.socket.Drain(5000, time.Hour)
		}()
		theirs.Write(make([]byte, 1000))
		end(o, theirs)
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal(name)
		}
	}
	o, _ := adopt(t, poller(t, 1), "tcp")
	o.socket.Drain(5000, time.Millisecond)
}
