package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests; nothing waits that long unless
// it fails.
const patience = 10 * time.Second

// job is the work of a lane under test: it calls turn.
type job struct{ turn func(now int64) int64 }

func (j *job) Turn(now int64) int64 {
	if j.turn == nil {
		return Never
	}
	return j.turn(now)
}

// recorder is a handler that keeps what it is told. Its lane's lock guards it;
// done is closed by Closed.
type recorder struct {
	opened  chan struct{}
	done    chan struct{}
	got     bytes.Buffer
	frame   int // bytes used at a time; 0 takes everything
	drained int
	err     error
	arrived chan int // length of got after each Data, if not nil
}

func newRecorder() *recorder {
	return &recorder{opened: make(chan struct{}), done: make(chan struct{}), arrived: make(chan int, 1000)}
}

func (r *recorder) Opened(int64) { close(r.opened) }

func (r *recorder) Data(b []byte, _ int64) int {
	n := len(b)
	if r.frame > 0 {
		n -= n % r.frame
	}
	r.got.Write(b[:n])
	select {
	case r.arrived <- r.got.Len():
	default:
	}
	return n
}

func (r *recorder) Drained(int64) { r.drained++ }

func (r *recorder) Closed(err error, _ int64) {
	r.err = err
	close(r.done)
}

// wait fails the test if c does not come.
func wait[T any](t *testing.T, what string, c <-chan T) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
}

// lanes runs a test on every kind of lane.
func lanes(t *testing.T, f func(t *testing.T, start func(Work) Lane)) {
	start := map[string]func(*testing.T, Work) Lane{
		"streamed": func(_ *testing.T, w Work) Lane { return NewStreamed(NewClock(), w) },
	}
	if runtime.GOOS == "linux" {
		start["polled"] = func(t *testing.T, w Work) Lane {
			l, err := NewPolled(NewClock(), w)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
	}
	for name, start := range start {
		t.Run(name, func(t *testing.T) {
			f(t, func(w Work) Lane {
				l := start(t, w)
				t.Cleanup(l.Stop)
				return l
			})
		})
	}
}

// serve accepts connections and gives each to f on a goroutine of its own.
func serve(t *testing.T, network, addr string, f func(net.Conn)) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				f(c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return ln
}

func endpoint(ln net.Listener) Endpoint {
	return Endpoint{Addr: ln.Addr().(*net.TCPAddr).AddrPort()}
}

func echo(c net.Conn) { io.Copy(c, c) }

// TestEcho sends more than the system buffers at once, in frames that the
// handler takes only whole, and expects every byte back and one Drained.
func TestEcho(t *testing.T) {
	lanes(t, func(t *testing.T, start func(Work) Lane) {
		read := make(chan struct{}) // closed when the server begins to read
		ln := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
			<-read
			echo(c)
		})
		l := start(&job{})
		sent := make([]byte, 32_000_000)
		for i := range sent {
			sent[i] = byte(i * 7 / 3)
		}
		r := newRecorder()
		r.frame = 1000
		l.Lock()
		c := l.Dial(endpoint(ln), r)
		l.Unlock()
		wait(t, "connection", r.opened)
		l.Lock()
		c.Write(sent)
		if c.Backlog() == 0 {
			t.Error("the system took 32 MB that nobody reads")
		}
		l.Unlock()
		close(read)
		for deadline := time.After(patience); ; {
			select {
			case n := <-r.arrived:
				if n < len(sent) {
					continue
				}
			case <-deadline:
				t.Fatal("the echo is not complete")
			}
			break
		}
		l.Lock()
		defer l.Unlock()
		if !bytes.Equal(r.got.Bytes(), sent) {
			t.Error("the echo differs")
		}
		if r.drained == 0 {
			t.Error("Drained did not come")
		}
		if load := l.Load(); load.In != uint64(len(sent)) || load.Out != uint64(len(sent)) || load.Busy <= 0 {
			t.Errorf("load %+v, want %d bytes both ways", load, len(sent))
		}
		c.Close()
		c.Close()
		c.Write(sent)
	})
}

func TestUnixSocket(t *testing.T) {
	lanes(t, func(t *testing.T, start func(Work) Lane) {
		path := filepath.Join(t.TempDir(), "s")
		serve(t, "unix", path, func(c net.Conn) { io.WriteString(c, "hello") })
		l := start(&job{})
		r := newRecorder()
		l.Lock()
		l.Dial(Endpoint{Unix: path}, r)
		l.Unlock()
		wait(t, "close", r.done)
		if r.got.String() != "hello" || !errors.Is(r.err, io.EOF) {
			t.Errorf("got %q and %v, want hello and EOF", r.got.String(), r.err)
		}
	})
}

func TestSourceAddress(t *testing.T) {
	lanes(t, func(t *testing.T, start func(Work) Lane) {
		from := make(chan string, 1)
		ln := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { from <- c.RemoteAddr().(*net.TCPAddr).IP.String() })
		l := start(&job{})
		e := endpoint(ln)
		e.Source = netip.MustParseAddr("127.0.0.77")
		r := newRecorder()
		l.Lock()
		l.Dial(e, r)
		l.Unlock()
		wait(t, "close", r.done)
		if got := <-from; got != "127.0.0.77" {
			t.Errorf("came from %s", got)
		}
	})
}

// TestNoListener expects ErrDial, told by a callback and not by Dial.
func TestNoListener(t *testing.T) {
	lanes(t, func(t *testing.T, start func(Work) Lane) {
		ln := serve(t, "tcp", "127.0.0.1:0", echo)
		e := endpoint(ln)
		ln.Close()
		l := start(&job{})
		for name, e := range map[string]Endpoint{
			"no listener":     e,
			"no such socket":  {Unix: filepath.Join(t.TempDir(), "none")},
			"source not ours": {Addr: e.Addr, Source: netip.MustParseAddr("192.0.2.1")},
		} {
			r := newRecorder()
			l.Lock()
			l.Dial(e, r)
			l.Unlock()
			wait(t, name, r.done)
			if !errors.Is(r.err, ErrDial) {
				t.Errorf("%s: %v, want ErrDial", name, r.err)
			}
		}
	})
}

// TestWhatIsExhausted tells the want of a port or descriptor from a broker that
// is not there, and from an address that is not ours.
func TestWhatIsExhausted(t *testing.T) {
	for _, c := range []struct {
		call      string
		err       syscall.Errno
		exhausted bool
	}{
		{"connect", syscall.EADDRNOTAVAIL, true},
		{"socket", syscall.EMFILE, true},
		{"socket", syscall.ENFILE, true},
		{"bind", syscall.EADDRINUSE, true},
		{"bind", syscall.EADDRNOTAVAIL, false},
		{"connect", syscall.ECONNREFUSED, false},
	} {
		plain := os.NewSyscallError(c.call, c.err)
		for _, err := range []error{plain, &net.OpError{Op: "dial", Net: "tcp", Err: plain}} {
			err = unopened(err)
			if errors.Is(err, ErrExhausted) != c.exhausted || !errors.Is(err, ErrDial) || !errors.Is(err, c.err) {
				t.Errorf("%s, %v: %v", c.call, c.err, err)
			}
		}
	}
}

// TestCloseInCallback closes a connection from its own Opened and Data.
func TestCloseInCallback(t *testing.T) {
	lanes(t, func(t *testing.T, start func(Work) Lane) {
		ln := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
			io.WriteString(c, "hello")
			io.Copy(io.Discard, c)
		})
		l := start(&job{})
		for _, when := range []string{"opened", "data"} {
			h := &closer{recorder: newRecorder(), when: when, did: make(chan struct{})}
			l.Lock()
			h.conn = l.Dial(endpoint(ln), h)
			l.Unlock()
			wait(t, when, h.did)
			l.Lock()
			if h.err != nil {
				t.Errorf("%s: Closed came after Close: %v", when, h.err)
			}
			l.Unlock()
		}
	})
}

type closer struct {
	*recorder
	when string
	conn Conn
	did  chan struct{}
}

func (c *closer) Opened(int64) {
	if c.when == "opened" {
		c.conn.Close()
		close(c.did)
	}
}

func (c *closer) Data(b []byte, _ int64) int {
	if c.when == "data" {
		c.conn.Close()
		close(c.did)
	}
	return 0
}

// TestTurns shows that a turn comes at the time asked for, and at once when
// somebody from outside has changed something.
func TestTurns(t *testing.T) {
	lanes(t, func(t *testing.T, start func(Work) Lane) {
		const n = 20
		j := &job{}
		var due, latest int64
		turned := make(chan int, 2*n)
		var l Lane
		count := 0
		j.turn = func(now int64) int64 {
			if due == 0 || now < due {
				if due == 0 {
					return Never
				}
				return due
			}
			if count > 0 {
				latest = max(latest, now-due)
			}
			if count++; count == n {
				due = 0
				turned <- count
				return Never
			}
			due = now + int64(2*time.Millisecond)
			return due
		}
		l = start(j)
		l.Lock()
		due = 1 // the lane sleeps without end and has to be woken
		l.Unlock()
		wait(t, "turns", turned)
		l.Lock()
		defer l.Unlock()
		if count != n {
			t.Errorf("%d turns, want %d", count, n)
		}
		t.Logf("latest after a sleep: %v", time.Duration(latest))
	})
}

func TestStopEndsEverything(t *testing.T) {
	lanes(t, func(t *testing.T, start func(Work) Lane) {
		ln := serve(t, "tcp", "127.0.0.1:0", echo)
		l := start(&job{})
		var all []*recorder
		l.Lock()
		for range 50 {
			r := newRecorder()
			all = append(all, r)
			l.Dial(endpoint(ln), r)
		}
		l.Unlock()
		wait(t, "connection", all[49].opened)
		stopped := make(chan struct{})
		go func() {
			l.Stop()
			l.Stop()
			close(stopped)
		}()
		wait(t, "end of Stop", stopped)
		for _, r := range all {
			if r.err != nil {
				t.Errorf("Stop told a handler %v", r.err)
			}
		}
	})
}

// TestStreamedTLS dials through a function, here crypto/tls.
func TestStreamedTLS(t *testing.T) {
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	defer pair.Close()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", pair.TLS)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	l := NewStreamed(NewClock(), &job{})
	defer l.Stop()
	r := newRecorder()
	l.Lock()
	c := l.Dial(Endpoint{Dial: func(ctx context.Context) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		return d.DialContext(ctx, "tcp", ln.Addr().String())
	}}, r)
	c.Write([]byte("before it is open"))
	l.Unlock()
	wait(t, "echo", r.arrived)
}
