package chip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sampan/tlsconf/psk"
)

const (
	identity = "dev1&prod"
	patience = 20 * time.Second
)

var key = []byte("the key that never leaves the chip")

// served is what a server behind a relay gets: the preface, and a connection to the device.
type served struct {
	Preface
	net.Conn
}

// site is a relay with the reference terminator on loopback.
type site struct {
	addr    string
	servers chan served
	reports chan error
}

func start(t *testing.T, change ...func(*Relay)) *site {
	t.Helper()
	s := &site{servers: make(chan served, 10), reports: make(chan error, 10)}
	r := &Relay{
		Terminator: &Reference{Chip: func(_ context.Context, id string) (Chip, bool) { return NewSoftware(key), id == identity }},
		Dial: func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			go func() { // ends when the relay has written the preface, or closed
				p, err := Read(far)
				if err != nil {
					far.Close()
					return
				}
				s.servers <- served{p, far}
			}()
			return near, nil
		},
		Report: func(_ net.Addr, why error) { s.reports <- why },
	}
	for _, c := range change {
		c(r)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	serve(t, r, l)
	return s
}

// serve relays what l accepts until the test is over.
func serve(t *testing.T, r *Relay, l net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func (s *site) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (s *site) reported(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.reports:
		return err
	case <-time.After(patience):
		t.Fatal("nothing was reported")
		return nil
	}
}

func TestAChipProvesItsDeviceToTheServer(t *testing.T) {
	s := start(t)
	conn := s.dial(t)
	device, err := Device(t.Context(), conn, identity, NewSoftware(key))
	if err != nil {
		t.Fatal(err)
	}
	server := <-s.servers
	if server.Identity != identity || server.Remote != conn.LocalAddr().String() {
		t.Errorf("%+v, device at %v", server.Preface, conn.LocalAddr())
	}
	var both sync.WaitGroup
	both.Go(func() { device.Write([]byte("from the device")) })
	b := make([]byte, 100)
	if n, err := server.Read(b); err != nil || string(b[:n]) != "from the device" {
		t.Errorf("%q, %v", b[:n], err)
	}
	both.Go(func() { server.Write([]byte("from the server")) })
	if n, err := device.Read(b); err != nil || string(b[:n]) != "from the server" {
		t.Errorf("%q, %v", b[:n], err)
	}
	both.Wait()
	// When one side ends, so does the other.
	device.Close()
	if n, err := server.Read(b); err != io.EOF {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestWhatProvesNothing(t *testing.T) {
	s := start(t)
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		identity string
		chip     Chip
	}{
		"another chip":                 {identity, NewSoftware([]byte("another key"))},
		"no such device":               {"dev2&prod", NewSoftware(key)},
		"a chip that does not answer":  {identity, failing{broken}},
		"an answer of another time":    {identity, recorded{}},
		"an identity that is too long": {strings.Repeat("x", psk.MaxIdentity), NewSoftware(key)},
	} {
		if _, err := Device(t.Context(), s.dial(t), c.identity, c.chip); err == nil {
			t.Errorf("%s: let in", name)
		}
		if err := s.reported(t); !strings.Contains(err.Error(), "handshake") {
			t.Errorf("%s: %v", name, err)
		}
	}
	garbage := s.dial(t)
	garbage.Write([]byte("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"))
	s.reported(t)
	select {
	case got := <-s.servers:
		t.Errorf("the server heard of %+v", got.Preface)
	default:
	}
}

type failing struct{ err error }

func (f failing) Answer([]byte) ([]byte, error) { return nil, f.err }

// recorded gives an answer that was right for another challenge.
type recorded struct{}

func (recorded) Answer([]byte) ([]byte, error) {
	return NewSoftware(key).Answer([]byte("a challenge of before"))
}

// Everything that a device sent once, sent again by somebody who has recorded it, proves nothing.
func TestARecordedHandshakeProvesNothing(t *testing.T) {
	s := start(t)
	conn := s.dial(t)
	tap := &tapped{Conn: conn}
	device, err := Device(t.Context(), tap, identity, NewSoftware(key))
	if err != nil {
		t.Fatal(err)
	}
	device.Write([]byte("once"))
	server := <-s.servers
	b := make([]byte, 100)
	if n, err := server.Read(b); err != nil || string(b[:n]) != "once" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	again := s.dial(t)
	again.Write(tap.sent.Bytes())
	if err := s.reported(t); !strings.Contains(err.Error(), "handshake") {
		t.Error(err)
	}
	if len(s.servers) != 0 {
		t.Error("the server heard of a recorded device")
	}
}

type tapped struct {
	net.Conn
	sent bytes.Buffer
}

func (c *tapped) Write(b []byte) (int, error) { c.sent.Write(b); return c.Conn.Write(b) }

// A terminator that fails to reach the server, or proves what cannot be said, ends the device's connection.
func TestRelayThatCannotIntroduce(t *testing.T) {
	unreachable := errors.New("no server")
	for name, change := range map[string]func(*Relay){
		"no server":   func(r *Relay) { r.Dial = func(context.Context) (net.Conn, error) { return nil, unreachable } },
		"no identity": func(r *Relay) { r.Terminator = proving("two words") },
		"too slow": func(r *Relay) {
			r.HandshakeTimeout = time.Millisecond
			r.Terminator = never{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, change)
			conn := s.dial(t)
			go Device(t.Context(), conn, identity, NewSoftware(key))
			s.reported(t)
		})
	}
}

// proving says that whoever comes is somebody.
type proving string

func (p proving) Terminate(_ context.Context, conn net.Conn) (net.Conn, string, error) {
	return conn, string(p), nil
}

type never struct{}

func (never) Terminate(ctx context.Context, _ net.Conn) (net.Conn, string, error) {
	<-ctx.Done()
	return nil, "", ctx.Err()
}

// pipes is a listener in memory. Accept fails with what is in failures first.
type pipes struct {
	failures []error
	conns    chan net.Conn
	closed   chan struct{}
	close    sync.Once
}

func newPipes(failures ...error) *pipes {
	return &pipes{failures: failures, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	if len(p.failures) > 0 {
		err := p.failures[0]
		p.failures = p.failures[1:]
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (p *pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.conns <- far
	return near
}

// inMemory relays without a network, one device at a time, until the test is over.
func inMemory(t *testing.T, l *pipes) (servers chan net.Conn, reports chan error) {
	servers, reports = make(chan net.Conn), make(chan error, 10)
	r := &Relay{
		Terminator: proving(identity), MaxConns: 1,
		Dial: func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			go func() { servers <- far }()
			return near, nil
		},
		Report: func(_ net.Addr, why error) { reports <- why },
	}
	serve(t, r, l)
	return servers, reports
}

// A lack of descriptors passes, and ends no relay.
func TestRelayGoesOnAfterAPassingError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes(syscall.EMFILE, syscall.ENFILE, syscall.EMFILE)
		servers, reports := inMemory(t, l)
		device := l.dial()
		defer device.Close()
		server := <-servers
		if p, err := Read(server); err != nil || p.Identity != identity {
			t.Errorf("%+v, %v", p, err)
		}
		for _, want := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EMFILE} {
			if err := <-reports; !errors.Is(err, want) {
				t.Errorf("reported %v, want %v", err, want)
			}
		}
	})
}

// A device that takes nothing more cannot keep its place when the server has given it up.
func TestADeviceThatDoesNotReadIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		servers, _ := inMemory(t, l)
		silent := l.dial()
		defer silent.Close()
		server := <-servers
		if _, err := Read(server); err != nil {
			t.Fatal(err)
		}
		server.Write([]byte("nobody reads this"))
		server.Close()
		next := l.dial() // there is room for one
		defer next.Close()
		if p, err := Read(<-servers); err != nil || p.Identity != identity {
			t.Errorf("%+v, %v", p, err)
		}
	})
}
