package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
)

// Shutdown ends everything: listeners, connections in every state, handlers, timers. What waited for a
// client is sent before. No goroutine is left (the bubble would not end), however often and by however many
// it is called.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, Clock: broker.SystemClock})
		b.Dial() // has said nothing
		half := b.Dial()
		half.Send(brokertest.Bytes{0x10})
		kept := b.Connect("kept", brokertest.Persistent)
		kept.Subscribe("a", 1)
		b.Connect("idle")
		if _, err := b.Subscribe("#", func(broker.Message) {}); err != nil {
			t.Fatal(err)
		}
		b.Publish(t.Context(), "a", []byte("last words"), 1)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := b.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		kept.Expect(brokertest.Publish("a", "last words", 1, 1))
		kept.ExpectClosed()
		wg.Wait()
		if s := b.Stats(); s.Connections != 0 || s.Deadlines != 0 || s.Ended["shutting-down"] != 4 {
			t.Errorf("stats %+v", s)
		}
		if err := b.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// A client that does not take its last messages delays Shutdown until its context ends, not longer.
func TestShutdownWithStuckClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, Clock: broker.SystemClock})
		stuck := b.Connect("stuck", brokertest.KeepAlive(0))
		stuck.Subscribe("a", 0)
		leaving := b.Connect("leaving", brokertest.KeepAlive(0))
		leaving.Subscribe("a", 0)
		b.Publish(t.Context(), "a", []byte("x"), 0)
		leaving.Send(brokertest.Disconnect) // and does not read, either
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if err := b.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("Shutdown took %v", d)
		}
		synctest.Wait()
		if s := b.Stats(); s.Connections != 0 || s.OutboundBytes != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A stuck client delays Shutdown without a deadline by no more than WriteStall.
func TestShutdownWithoutADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, Clock: broker.SystemClock, WriteStall: 10 * time.Second})
		stuck := b.Connect("stuck", brokertest.KeepAlive(0))
		stuck.Subscribe("a", 0)
		b.Publish(t.Context(), "a", []byte("x"), 0)
		synctest.Wait()
		start := time.Now()
		if err := b.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("Shutdown took %v", d)
		}
	})
}

// rude is a connection whose Close takes its time, like that of TLS whose peer is gone.
type rude struct {
	net.Conn
	closing chan struct{} // Close waits for it
}

func (r rude) Close() error {
	<-r.closing
	return r.Conn.Close()
}

// A connection whose Close blocks delays nobody: not the keep-alive of others, not the one that takes over,
// not Shutdown beyond its context.
func TestConnectionsThatBlockInClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, Clock: broker.SystemClock})
		closing := make(chan struct{})
		dial := func(id string, options ...brokertest.ConnectOption) *brokertest.Client {
			ours, theirs := net.Pipe()
			if err := b.ServeConn(rude{ours, closing}); err != nil {
				t.Fatal(err)
			}
			c := brokertest.NewClient(t, theirs)
			c.Connect(id, options...)
			return c
		}
		// Keep-alive: the timer goes on to the next.
		for i := range 3 {
			dial(fmt.Sprint("silent", i), brokertest.KeepAlive(10))
		}
		polite := b.Connect("polite", brokertest.KeepAlive(10))
		dial("other", brokertest.KeepAlive(0))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		polite.ExpectClosed()
		// Kicked from outside.
		b.Broker.Disconnect("other", "test")
		dial("stuck", brokertest.KeepAlive(0))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		if err := b.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("Shutdown took %v", d)
		}
		close(closing)
	})
}

// A handler that does not return delays Shutdown until its context ends.
func TestShutdownWithAStuckHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, Clock: broker.SystemClock})
		goOn := make(chan struct{})
		if _, err := b.Subscribe("a", func(broker.Message) { <-goOn }); err != nil {
			t.Fatal(err)
		}
		b.Publish(t.Context(), "a", nil, 0)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		close(goOn)
	})
}

// CONNECTs that are being looked at when Shutdown begins are not told that their credentials are wrong.
func TestShutdownDuringAuthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.Start(t, broker.Options{Clock: broker.SystemClock, Authenticator: broker.AuthenticatorFunc(
			func(ctx ctx, _ *broker.ConnectRequest) (*broker.Principal, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})})
		c := b.Dial()
		c.Send(brokertest.ConnectPacket("c"))
		synctest.Wait()
		done := make(chan error)
		go func() { done <- b.Shutdown(context.Background()) }() // ends with the broker
		f, err := c.Receive()
		if err == nil && strings.Contains(brokertest.Describe(f.Raw), "user name") {
			t.Errorf("the client was told %s", brokertest.Describe(f.Raw))
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A store whose Close takes long, or fails.
func TestShutdownClosesTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, Clock: broker.SystemClock, Store: slowToClose{brokertest.NewStore(), time.Minute}})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		start := time.Now()
		// Whoever asks again waits for the store to be closed.
		if err := b.Shutdown(context.Background()); err == nil || err.Error() != "not all was written" {
			t.Errorf("Shutdown: %v", err)
		}
		if d := time.Since(start); d != 59*time.Second {
			t.Errorf("Shutdown took %v", d)
		}
	})
}

type slowToClose struct {
	*brokertest.Store
	takes time.Duration
}

func (s slowToClose) Close() error {
	time.Sleep(s.takes)
	s.Store.Close()
	return errors.New("not all was written")
}

// Serve returns ErrClosed after Shutdown, the listener's error otherwise, and closes the listener.
func TestServe(t *testing.T) {
	b := open(t)
	addr := b.Listen()
	c := b.DialTCP(addr)
	c.Connect("c")
	if e := b.Events.WaitFor(t, broker.Connected, "c"); e.Listener != addr || e.Addr != c.Conn.LocalAddr().String() {
		t.Errorf("event %+v", e)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- b.Serve(named{ln}) }() // ends with the listener
	other := b.DialTCP(ln.Addr().String())
	other.Connect("other")
	if e := b.Events.WaitFor(t, broker.Connected, "other"); e.Listener != "front door" {
		t.Errorf("event %+v", e)
	}
	ln.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) || errors.Is(err, broker.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	other.Sync()
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	other.ExpectClosed()
	ln, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Serve(ln); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

type named struct{ net.Listener }

func (named) Name() string { return "front door" }
