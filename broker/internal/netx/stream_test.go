package netx

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"sampan/broker/internal/block"
)

// streams returns the two ends of a connection: ours wrapped, theirs plain.
func streams(t *testing.T, network string) (*Stream, net.Conn) {
	t.Helper()
	var ours, theirs net.Conn
	if network == "pipe" {
		ours, theirs = net.Pipe()
	} else {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if theirs, err = net.Dial("tcp", ln.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if ours, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	s := NewStream(ours)
	t.Cleanup(func() { s.Close(); theirs.Close() })
	return s, theirs
}

// Fill returns what has come behind what was left, whatever the sizes, and never waits for more than there
// is.
func TestFill(t *testing.T) {
	for _, network := range []string{"tcp", "pipe"} {
		s, theirs := streams(t, network)
		if s.Direct() || s.NetConn() == nil {
			t.Errorf("%s: Direct is %v", network, s.Direct())
		}
		for _, left := range []int{0, 1, 100, block.Chunk/2 - 1, block.Chunk / 2, block.Chunk, 200_000} {
			for _, n := range []int{1, 511, 2047, 2048, 2049, 4096} {
				rest := bytes.Repeat([]byte{'r'}, left)
				sent := make(chan struct{})
				go func() { // ends when the bytes are taken
					defer close(sent)
					theirs.Write(bytes.Repeat([]byte{'n'}, n))
				}()
				want := append(bytes.Clone(rest), bytes.Repeat([]byte{'n'}, n)...)
				for got := left; got < left+n; {
					buf, all, err := s.Fill(rest)
					if err != nil || all <= got {
						t.Fatalf("%s: %d bytes left, %d sent: got %d, %v", network, left, n, all, err)
					}
					if !bytes.Equal(buf[:all], want[:all]) {
						t.Fatalf("%s: %d bytes left, %d sent: other bytes arrived", network, left, n)
					}
					got, rest = all, bytes.Clone(buf[:all])
					block.Put(buf)
				}
				<-sent
			}
		}
		theirs.Close()
		if buf, n, err := s.Fill([]byte("rest")); err != io.EOF || n != 0 || buf != nil {
			t.Errorf("%s: after the end: %v %d %v", network, buf, n, err)
		}
	}
}

// A read of nothing, which net.Pipe can have, loses nothing.
func TestFillWithNothing(t *testing.T) {
	s, theirs := streams(t, "pipe")
	go theirs.Write(nil) // ends when it is read
	buf, n, err := s.Fill([]byte("rest"))
	if err != nil || string(buf[:n]) != "rest" {
		t.Errorf("got %q %v", buf[:n], err)
	}
}

// A connection that is read from through a buffer has a larger one while it is busy.
func TestWaitBufferFollowsTheTraffic(t *testing.T) {
	s, theirs := streams(t, "pipe")
	write := func(n int) {
		go theirs.Write(make([]byte, n)) // ends when it is read
		for n > 0 {
			buf, got, err := s.Fill(nil)
			if err != nil {
				t.Fatal(err)
			}
			n -= got
			block.Put(buf)
		}
	}
	write(100)
	if len(s.wait) != waitBytes {
		t.Errorf("%d bytes for a start", len(s.wait))
	}
	for range 20 {
		write(5000)
		write(10)
	}
	if len(s.wait) != busyBytes {
		t.Errorf("%d bytes while busy", len(s.wait))
	}
	for range 50 {
		write(10)
	}
	if len(s.wait) != waitBytes {
		t.Errorf("%d bytes when quiet again", len(s.wait))
	}
}

// Fill returns when the connection is closed, or interrupted.
func TestFillEnds(t *testing.T) {
	for _, network := range []string{"tcp", "pipe"} {
		for _, end := range []func(*Stream){func(s *Stream) { s.Close() }, (*Stream).Interrupt} {
			s, _ := streams(t, network)
			done := make(chan error)
			go func() { // ends when the connection is closed
				_, _, err := s.Fill(nil)
				done <- err
			}()
			end(s)
			if err := <-done; err == nil {
				t.Errorf("%s: no error", network)
			}
		}
	}
}

// Write waits as long as the other side takes anything within the stall time, and TryWrite takes nothing.
func TestStreamWrite(t *testing.T) {
	data := make([]byte, 300_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for _, network := range []string{"tcp", "pipe"} {
		s, theirs := streams(t, network)
		if n, err := s.TryWrite([][]byte{data}); n != 0 || err != nil {
			t.Errorf("%s: TryWrite: %d %v", network, n, err)
		}
		done := make(chan error)
		go func() { done <- s.Write(data, time.Minute) }() // ends when all is read
		got, err := io.ReadAll(io.LimitReader(theirs, int64(len(data))))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes arrived, %v", network, len(got), err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", network, err)
		}
		for err = nil; err == nil; { // until the socket is full
			err = s.Write(data, time.Millisecond)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: nobody reads: %v", network, err)
		}
	}
}

// A write deadline that has passed does not fail what is written later.
func TestWriteLeavesNoDeadlineBehind(t *testing.T) {
	const stall = 30 * time.Millisecond
	s, theirs := streams(t, "tcp")
	go io.Copy(io.Discard, theirs) // ends with the connection
	if err := s.Write([]byte("x"), stall); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * stall); time.Now().Before(end); {
		runtime.Gosched()
	}
	if n, err := s.NetConn().Write([]byte("x")); err != nil || n != 1 {
		t.Errorf("Write: %d %v", n, err)
	}
}

func TestStreamCloseWrite(t *testing.T) {
	s, theirs := streams(t, "tcp")
	if err := s.CloseWrite(); err != nil {
		t.Error(err)
	}
	if n, err := theirs.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the other side reads %d %v", n, err)
	}
	s, _ = streams(t, "pipe")
	if err := s.CloseWrite(); err == nil {
		t.Error("a pipe says that it has told the other side")
	}
}
