package brokertest

import (
	"context"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"sampan/broker"
)

// Patience bounds everything in this package that waits for something to happen. It is real time, far
// longer than anything takes; what needs it has gone wrong.
const Patience = 20 * time.Second

// Broker is a broker for one test.
type Broker struct {
	*broker.Broker
	Clock  *Clock  // nil if Options had a clock of its own
	Events *Events // every event
	Log    *Log    // every log line; nil if Options had a logger of its own

	t      testing.TB
	listen sync.Once // for Dial over TCP
	addr   string
}

// Start returns a broker that is shut down when the test ends, and fails the test if that does not succeed.
// Options are as for broker.New; a Clock, a Logger and an Observer that are not given are those of this
// package.
func Start(t testing.TB, o broker.Options) *Broker {
	t.Helper()
	b := &Broker{Events: NewEvents(o.Observer), t: t}
	o.Observer = b.Events
	if o.Clock == nil {
		b.Clock = NewClock()
		o.Clock = b.Clock
	}
	if o.Logger == nil {
		b.Log = NewLog()
		o.Logger = b.Log.Logger()
	}
	var err error
	if b.Broker, err = broker.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := b.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return b
}

// Dial returns the client's end of a connection within the process, on which nothing has been said yet. If the
// environment variable SAMPAN_TEST_SOCKETS is set it is one over TCP instead, which the broker serves in another
// way.
func (b *Broker) Dial() *Client {
	b.t.Helper()
	if os.Getenv("SAMPAN_TEST_SOCKETS") != "" {
		b.listen.Do(func() { b.addr = b.Listen() })
		return b.DialTCP(b.addr)
	}
	nc, err := b.Broker.Dial()
	if err != nil {
		b.t.Fatal(err)
	}
	return NewClient(b.t, nc)
}

// Listen serves a TCP listener on a free port of the loopback interface and returns its address.
func (b *Broker) Listen() string {
	b.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(ln) }() // ends with the broker
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		b.Shutdown(ctx) // its error is reported by the cleanup of Start
		if err := <-served; err != broker.ErrClosed {
			b.t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// DialTCP connects to an address that Listen has returned.
func (b *Broker) DialTCP(addr string) *Client {
	b.t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.t.Fatal(err)
	}
	return NewClient(b.t, nc)
}

// Connect connects a client with CleanSession, MQTT 3.1.1 and a keep-alive of 60 s. The options change the
// CONNECT. It fails the test if the broker does not accept.
func (b *Broker) Connect(clientID string, options ...ConnectOption) *Client {
	b.t.Helper()
	c := b.Dial()
	c.Connect(clientID, options...)
	return c
}
