package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
)

// A listener that somebody else closes ends Serve with what Accept says, and its port is free at once; the
// connections that it has brought go on.
func TestTheListenerIsClosed(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(ln) }() // ends with the listener
	client := b.DialTCP(ln.Addr().String())
	client.Connect("c")
	ln.Close()
	again, err := net.Listen("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	select {
	case err := <-served:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
	case <-time.After(brokertest.Patience):
		t.Fatal("Serve does not return")
	}
	client.Sync()
}

// wrapped is a listener that does something with what it accepts.
type wrapped struct {
	*net.TCPListener
	accepted chan net.Addr
}

func (w wrapped) Accept() (net.Conn, error) {
	nc, err := w.TCPListener.Accept()
	if err == nil {
		w.accepted <- nc.RemoteAddr()
	}
	return nc, err
}

// bare is a listener that does not.
type bare struct{ net.Listener }

func (b bare) Bare() net.Listener { return b.Listener }
func (b bare) Name() string       { return "bare" }
func (b bare) Accept() (net.Conn, error) {
	return nil, errors.New("Accept was called")
}

// A listener that wraps another is asked for its connections, unless it says that it need not be.
func TestWrappedListeners(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open})
	for _, transparent := range []bool{false, true} {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w := wrapped{tcp.(*net.TCPListener), make(chan net.Addr, 1)}
		var ln net.Listener = w
		if transparent {
			ln = bare{tcp}
		}
		go b.Serve(ln) // ends with the broker
		name := fmt.Sprint("transparent ", transparent)
		client := b.DialTCP(tcp.Addr().String())
		client.Connect(name)
		ev := b.Events.WaitFor(t, broker.Connected, name)
		if transparent {
			if ev.Listener != "bare" || len(w.accepted) != 0 {
				t.Errorf("event %+v", ev)
			}
		} else if remote := <-w.accepted; remote.String() != ev.Addr {
			t.Errorf("accepted %v, served %v", remote, ev.Addr)
		}
	}
}

// Whoever waits for its place at a listener's door holds up neither those who are inside nor the end.
func TestTheDoorIsFull(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MaxPending: 1, ConnectTimeout: time.Hour})
	addr := b.Listen()
	inside := make([]*brokertest.Client, 8)
	for i := range inside {
		inside[i] = b.DialTCP(addr)
		inside[i].Connect(fmt.Sprint("inside", i))
	}
	silent := b.DialTCP(addr)
	defer silent.Conn.Close()
	waiting := b.DialTCP(addr)
	defer waiting.Conn.Close()
	eventually(t, "somebody waits", func() bool { return b.Stats().Delayed > 0 })
	for _, client := range inside {
		client.Sync()
	}
	ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
	defer cancel()
	if err := b.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
