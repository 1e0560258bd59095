//go:build unix

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

// pair returns two ends of a connection: ours wrapped, theirs plain.
func pair(t *testing.T, network string) (*Conn, net.Conn) {
	t.Helper()
	var ours, theirs net.Conn
	if network == "pipe" {
		ours, theirs = net.Pipe()
	} else {
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
	}
	c := New(ours)
	t.Cleanup(func() { c.Close(); theirs.Close() })
	return c, theirs
}

var networks = []string{"tcp", "unix", "pipe"}

// Fill returns what has come behind what was left, whatever the sizes, and never waits for more than there
// is.
func TestFill(t *testing.T) {
	for _, network := range networks {
		c, theirs := pair(t, network)
		if c.Direct() != (network != "pipe" && rawSupported) || c.NetConn() == nil {
			t.Errorf("%s: Direct is %v", network, c.Direct())
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
					buf, all, err := c.Fill(rest)
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
		if buf, n, err := c.Fill([]byte("rest")); err != io.EOF || n != 0 || buf != nil {
			t.Errorf("%s: after the end: %v %d %v", network, buf, n, err)
		}
	}
}

// A read of nothing, which net.Pipe can have, loses nothing.
func TestFillWithNothing(t *testing.T) {
	c, theirs := pair(t, "pipe")
	go theirs.Write(nil) // ends when it is read
	buf, n, err := c.Fill([]byte("rest"))
	if err != nil || string(buf[:n]) != "rest" {
		t.Errorf("got %q %v", buf[:n], err)
	}
}

// A connection that is read from through a buffer has a larger one while it is busy.
func TestWaitBufferFollowsTheTraffic(t *testing.T) {
	c, theirs := pair(t, "pipe")
	write := func(n int) {
		go theirs.Write(make([]byte, n)) // ends when it is read
		for n > 0 {
			buf, got, err := c.Fill(nil)
			if err != nil {
				t.Fatal(err)
			}
			n -= got
			block.Put(buf)
		}
	}
	write(100)
	if len(c.wait) != waitBytes {
		t.Errorf("%d bytes for a start", len(c.wait))
	}
	for range 20 {
		write(5000)
		write(10)
	}
	if len(c.wait) != busyBytes {
		t.Errorf("%d bytes while busy", len(c.wait))
	}
	for range 50 {
		write(10)
	}
	if len(c.wait) != waitBytes {
		t.Errorf("%d bytes when quiet again", len(c.wait))
	}
}

// Fill returns when the connection is closed.
func TestFillEnds(t *testing.T) {
	for _, network := range networks {
		c, _ := pair(t, network)
		done := make(chan error)
		go func() { // ends when the connection is closed
			_, _, err := c.Fill(nil)
			done <- err
		}()
		c.Close()
		if err := <-done; err == nil {
			t.Errorf("%s: no error", network)
		}
	}
}

// TryWrite writes what the socket takes and says how much; the pieces are one stream.
func TestTryWrite(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		c, theirs := pair(t, network)
		var sent, got []byte
		chunk := make([]byte, 3000)
		full := 0
		for i := 0; full < 20; i++ {
			bufs := [][]byte{nil, bytes.Repeat([]byte{byte(i)}, 1+i*37%700), {}, bytes.Repeat([]byte{byte(i + 1)}, 1+i*7919%20000), bytes.Repeat([]byte{byte(i + 2)}, 100)}
			all := bytes.Join(bufs, nil)
			n, err := c.TryWrite(bufs)
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
		if n, err := c.TryWrite([][]byte{nil, {}}); n != 0 || err != nil {
			t.Errorf("%s: TryWrite of nothing: %d %v", network, n, err)
		}
		theirs.Close()
		for err := error(nil); err == nil; { // until the reset has arrived
			_, err = c.TryWrite([][]byte{chunk})
		}
	}
	c, _ := pair(t, "pipe")
	if n, err := c.TryWrite([][]byte{[]byte("x")}); n != 0 || err != nil {
		t.Errorf("pipe: TryWrite: %d %v", n, err)
	}
}

// Write waits as long as the other side takes anything within the stall time.
func TestWrite(t *testing.T) {
	data := make([]byte, 300_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for _, network := range networks {
		c, theirs := pair(t, network)
		done := make(chan error)
		go func() { done <- c.Write(data, time.Minute) }() // ends when all is read
		got, err := io.ReadAll(io.LimitReader(theirs, int64(len(data))))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes arrived, %v", network, len(got), err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", network, err)
		}
		if err := c.Write(data, time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: nobody reads: %v", network, err)
		}
	}
}

// A socket that takes little, but something within each stall time, is slow and not stalled, however long a
// piece takes.
func TestWriteToASlowSocket(t *testing.T) {
	const stall = 250 * time.Millisecond
	c, theirs := pair(t, "tcp")
	data := make([]byte, 200_000)
	done := make(chan error)
	start := time.Now()
	go func() { done <- c.Write(data, stall) }() // ends when all is read
	chunk := make([]byte, 8<<10)
	for left := len(data); left > 0; {
		n, err := theirs.Read(chunk)
		if err != nil {
			t.Fatalf("cut off after %v: %v", time.Since(start), err)
		}
		left -= n
		// The pace is real time, as the deadline of a socket is.
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

// A write deadline that has passed does not fail what is written later.
func TestWriteLeavesNoDeadlineBehind(t *testing.T) {
	const stall = 30 * time.Millisecond
	for _, network := range networks {
		c, theirs := pair(t, network)
		go io.Copy(io.Discard, theirs) // ends with the connection
		if err := c.Write([]byte("x"), stall); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(2 * stall); time.Now().Before(end); {
			runtime.Gosched()
		}
		if n, err := c.TryWrite([][]byte{[]byte("x")}); err != nil || n != 1 && c.Direct() {
			t.Errorf("%s: TryWrite: %d %v", network, n, err)
		}
	}
}

// Waiting for bytes and reading them allocates nothing, nor does writing.
func TestNoAllocation(t *testing.T) {
	c, theirs := pair(t, "tcp")
	if !c.Direct() {
		t.Skip("no direct access to descriptors on this system")
	}
	one := []byte("x")
	bufs := [][]byte{one, one}
	read := func() {
		theirs.Write(one)
		buf, n, err := c.Fill(nil)
		if n != 1 || err != nil {
			t.Fatal(n, err)
		}
		block.Put(buf)
	}
	write := func() {
		if n, err := c.TryWrite(bufs); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		theirs.Read(bufs[0][:1])
		theirs.Read(bufs[0][:1])
	}
	for name, f := range map[string]func(){"read": read, "write": write} {
		f()
		if n := testing.AllocsPerRun(200, f); n >= 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestCloseWrite(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		c, theirs := pair(t, network)
		if err := c.CloseWrite(); err != nil {
			t.Errorf("%s: %v", network, err)
		}
		if n, err := theirs.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%s: the other side reads %d %v", network, n, err)
		}
	}
	c, _ := pair(t, "pipe")
	if err := c.CloseWrite(); err != nil {
		t.Errorf("pipe: %v", err)
	}
}
