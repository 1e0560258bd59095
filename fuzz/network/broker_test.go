package network

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"sampan/fuzz/model"
)

// modelBroker is a broker for tests of the fuzzer: the model itself, used the other way round. It is in order
// by definition, but for the mistake that a test gives it.
type modelBroker struct {
	rules model.Rules
	spoil func(i int, raw []byte) [][]byte // what is sent in the place of a packet; nil: the packet
	waits bool                             // for each client to take what it gets, all others meanwhile
	alive bool                             // keep-alives do not run out

	ln         net.Listener
	goroutines sync.WaitGroup
	began      time.Time

	mu    sync.Mutex // guards what follows
	m     *model.Model
	conns [16]*served

	opened sync.Mutex // guards all; taken alone, since a broker that waits may have mu
	all    []net.Conn
}

// served is a connection.
type served struct {
	nc  net.Conn
	out chan []byte // to its writer, unless the broker waits
}

// start serves until the test is over, and returns how to connect.
func (b *modelBroker) start(t *testing.T) Dialer {
	t.Helper()
	var err error
	if b.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	b.m, b.began = model.New(b.rules), time.Now()
	stop := make(chan struct{})
	b.goroutines.Go(b.accept) // ends with the listener
	b.goroutines.Go(func() {  // ends with the test
		for {
			select {
			case <-time.After(10 * time.Millisecond):
				b.mu.Lock()
				b.say()
				b.mu.Unlock()
			case <-stop:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		b.ln.Close()
		b.opened.Lock()
		for _, nc := range b.all {
			nc.Close()
		}
		b.opened.Unlock()
		b.goroutines.Wait()
	})
	addr := b.ln.Addr().String()
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
}

func (b *modelBroker) accept() {
	for {
		nc, err := b.ln.Accept()
		if err != nil {
			return
		}
		b.opened.Lock()
		b.all = append(b.all, nc)
		b.opened.Unlock()
		c := &served{nc: nc, out: make(chan []byte, 1024)}
		b.mu.Lock()
		at := -1
		for i := range b.conns {
			if b.conns[i] == nil {
				at = i
				break
			}
		}
		if at < 0 {
			b.mu.Unlock()
			nc.Close()
			continue
		}
		b.conns[at] = c
		b.m.Dial(at)
		b.m.Hold(at) // the client answers by itself
		b.mu.Unlock()
		b.goroutines.Go(func() { b.read(at, c) }) // ends with the connection
		b.goroutines.Go(func() {                  // ends with the connection, whose end closes out
			for raw := range c.out {
				nc.Write(raw)
			}
			nc.Close()
		})
	}
}

func (b *modelBroker) read(i int, c *served) {
	for {
		buf := make([]byte, 4096)
		n, err := c.nc.Read(buf)
		b.mu.Lock()
		if b.conns[i] != c {
			b.mu.Unlock()
			return
		}
		if err != nil {
			b.m.Cut(i)
			b.end(i)
		} else {
			b.m.Send(i, buf[:n])
		}
		b.say()
		b.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// end lets go of a connection. Called with mu held.
func (b *modelBroker) end(i int) {
	close(b.conns[i].out)
	b.conns[i] = nil
}

// say sends what is owed. Called with mu held.
func (b *modelBroker) say() {
	if !b.alive {
		b.m.Wait(max(0, time.Since(b.began)-b.m.Now()))
	}
	for i, c := range b.conns {
		if c != nil {
			b.sayTo(i, c)
		}
	}
	b.m.Settle()
}

func (b *modelBroker) sayTo(i int, c *served) {
	packets, closed := b.m.Play(i)
	for _, raw := range packets {
		send := [][]byte{raw}
		if b.spoil != nil {
			send = b.spoil(i, raw)
		}
		for _, raw := range send {
			if b.waits {
				c.nc.Write(raw)
				continue
			}
			select {
			case c.out <- raw:
			default: // it is too slow, and loses it
			}
		}
	}
	if closed {
		b.end(i)
	}
}

// restart is a Restarter: connections end, and sessions too if they are forgotten.
func (b *modelBroker) restart(forgets bool) Restarter {
	return func(context.Context) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.m.Restart()
		b.say()
		if forgets {
			b.m, b.began = model.New(b.rules), time.Now()
		}
		return nil
	}
}
