package psk

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHandshakeRunsByItselfAndOnce(t *testing.T) {
	c, s, _, _ := pipe()
	lookups := 0
	config := serverConfig()
	inner := config.Key
	config.Key = func(ctx context.Context, id []byte) ([]byte, bool) {
		lookups++
		return inner(ctx, id)
	}
	client, server := Client(c, clientConfig()), Server(s, config)
	if (server.ConnectionState() != ConnectionState{}) {
		t.Error("state before the handshake")
	}
	if err := client.CloseWrite(); err == nil {
		t.Error("CloseWrite before the handshake succeeded")
	}
	var wg sync.WaitGroup
	for range 4 { // all at once: one handshake
		wg.Go(func() {
			if _, err := client.Write([]byte("abcd")); err != nil {
				t.Error(err)
			}
		})
	}
	got := make([]byte, 16)
	if _, err := io.ReadFull(server, got); err != nil || string(got) != "abcdabcdabcdabcd" {
		t.Errorf("%q, %v", got, err)
	}
	wg.Wait()
	if lookups != 1 {
		t.Errorf("%d lookups", lookups)
	}
	if server.NetConn() != net.Conn(s) || server.LocalAddr().String() != "local" || server.RemoteAddr().String() != "remote" {
		t.Error("addresses are not those of the connection underneath")
	}
}

func TestConcurrentReadWriteClose(t *testing.T) {
	client, server := connected(t, clientConfig(), serverConfig())
	var wg sync.WaitGroup
	const total = 1 << 20
	for _, way := range [][2]*Conn{{client, server}, {server, client}} {
		wg.Go(func() {
			buf := make([]byte, 1000)
			for sent := 0; sent < total; sent += len(buf) {
				if _, err := way[0].Write(buf); err != nil {
					t.Error(err)
					return
				}
			}
			way[0].CloseWrite()
		})
		wg.Go(func() {
			n, err := io.Copy(io.Discard, way[1])
			if err != nil || n < total {
				t.Errorf("read %d, %v", n, err)
			}
		})
	}
	wg.Wait()
	wg.Go(func() { client.Close() })
	wg.Go(func() { client.Close() })
	wg.Go(func() { server.Close() })
	wg.Wait()
}

func TestHandshakeContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, _, _ := pipe()
		server := Server(s, serverConfig())
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if err := server.HandshakeContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
		if _, err := s.Write([]byte("x")); err == nil {
			t.Error("the connection was left open")
		}
	})
	_, s, _, _ := pipe()
	server := Server(s, serverConfig())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := server.HandshakeContext(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A peer that sends one byte in a while is held off by the context, and what
// it makes the server hold stays small.
func TestSlowClientHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _, _ := pipe()
		server := Server(s, serverConfig())
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			c.Write([]byte{recordHandshake, 3, 1, 0x20, 0, 1, 0, 0x1f, 0xfc, 3, 3})
			for ctx.Err() == nil {
				c.Write([]byte{0})
				time.Sleep(time.Second) // the bubble's clock
			}
		})
		if err := server.HandshakeContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if len(server.in.buf) > smallBuffer {
			t.Errorf("holds %d bytes for a handful received", len(server.in.buf))
		}
		wg.Wait()
	})
}

func TestReadDeadlineLetsReadingGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var held []byte
		client, server := connected(t, clientConfig(), serverConfig(), func(toServer, _ *stream) {
			toServer.filter = func(b []byte) []byte {
				if b[0] != recordApplicationData {
					return b
				}
				held = append(held, b[10:]...)
				return b[:10] // the record arrives in two parts
			}
		})
		client.Write([]byte("late"))
		server.SetReadDeadline(time.Now().Add(time.Second))
		_, err := server.Read(make([]byte, 4))
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("got %v", err)
		}
		server.SetReadDeadline(time.Time{})
		toServer := client.conn.(*pipeEnd).out
		toServer.filter = nil
		toServer.Write(held)
		got := make([]byte, 4)
		if n, err := server.Read(got); string(got[:n]) != "late" || err != nil {
			t.Errorf("%q, %v", got[:n], err)
		}
	})
}

func TestWriteErrorIsFinal(t *testing.T) {
	client, _ := connected(t, clientConfig(), serverConfig())
	out := client.conn.(*pipeEnd).out
	out.write = func(b []byte) (int, error) { return 3, timeoutOnce{} }
	_, err := client.Write([]byte("x"))
	if err == nil {
		t.Fatal("no error")
	}
	out.write = nil
	if n, again := client.Write([]byte("y")); again == nil || n != 0 {
		t.Errorf("a stream cut inside a record was written to again: %d, %v", n, again)
	}
}

type timeoutOnce struct{}

func (timeoutOnce) Error() string   { return "timeout" }
func (timeoutOnce) Timeout() bool   { return true }
func (timeoutOnce) Temporary() bool { return true }

// Close frees a Write that is stuck because the peer does not read, and a
// Read that waits.
func TestCloseInterruptsStuckWriteAndRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		client, server := Client(c, clientConfig()), Server(s, serverConfig())
		go server.Handshake()
		if err := client.Handshake(); err != nil {
			t.Fatal(err)
		}
		wrote, read := make(chan error), make(chan error)
		go func() {
			_, err := client.Write(make([]byte, 100))
			wrote <- err
		}()
		go func() {
			_, err := client.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait() // both are stuck
		client.Close()
		if err := <-wrote; err == nil {
			t.Error("write succeeded")
		}
		if err := <-read; err == nil {
			t.Error("read succeeded")
		}
		server.Close()
	})
}

// An idle peer that does not read cannot hold a Close for longer than
// alertTimeout.
func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		client, server := Client(c, clientConfig()), Server(s, serverConfig())
		go server.Handshake()
		if err := client.Handshake(); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		client.Close()
		if took := time.Since(start); took > alertTimeout {
			t.Errorf("took %v", took)
		}
		server.Close()
	})
}

func TestHalfClose(t *testing.T) {
	client, server := connected(t, clientConfig(), serverConfig())
	client.CloseWrite()
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v", err)
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, errShutdown) {
		t.Errorf("write after CloseWrite: %v", err)
	}
	server.Write([]byte("still here"))
	got := make([]byte, 10)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "still here" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCutWithoutCloseNotify(t *testing.T) {
	client, server := connected(t, clientConfig(), serverConfig())
	client.NetConn().Close()
	if _, err := server.Read(make([]byte, 1)); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v", err)
	}
	if n, err := server.Read(nil); n != 0 || err != nil {
		t.Errorf("read of nothing: %d, %v", n, err)
	}
}
