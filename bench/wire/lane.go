package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// Lane serves connections. Its lock guards all of them.
type Lane interface {
	// Lock keeps the lane's callbacks away. Unlock also wakes the lane.
	Lock()
	Unlock()
	// Wake makes the lane take a turn soon. It needs no lock.
	Wake()
	// Dial begins a connection; the handler is told how it went. It never
	// blocks and may be called from a callback. The lock is held.
	Dial(e Endpoint, h Handler) Conn
	// Load tells what the lane has cost so far. The lock is held.
	Load() Load
	// Stop closes all connections without telling their handlers, ends the
	// lane and returns when its goroutines have ended. The lock is not held.
	Stop()
}

// Conn is a connection of a lane. Its methods are called with the lane's lock
// held.
type Conn interface {
	// Write sends p, or keeps what does not go at once and sends it when it
	// does. It never blocks, copies what it keeps, and drops everything once
	// the connection is closed.
	Write(p []byte)
	// Backlog is the number of bytes that Write keeps.
	Backlog() int
	// Close ends the connection after what was written, as far as the system
	// takes it. The handler is not told.
	Close()
}

// Handler is told what happens on a connection. It is called with the lane's
// lock held.
type Handler interface {
	// Opened comes once, when bytes can be written.
	Opened(now int64)
	// Data is given bytes in their order and tells how many of them it has
	// used up; the rest comes again with what follows. The bytes are the
	// lane's: they are valid during the call only.
	Data(b []byte, now int64) (used int)
	// Drained comes when everything that Write had to keep has gone out.
	Drained(now int64)
	// Closed comes at most once and is the last call: the peer closed
	// (io.EOF), the connection failed, or it could not be opened (ErrDial).
	Closed(err error, now int64)
}

// ErrDial is in the error of a connection that could not be opened.
var ErrDial = errors.New("no connection")

// ErrExhausted is beside it if that was for want of something on this machine:
// a port towards the address, or a descriptor.
var ErrExhausted = errors.New("this machine has none to spare")

// unopened is the error of a connection that could not be opened.
func unopened(err error) error {
	var call *os.SyscallError
	switch {
	case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE),
		// A port is chosen when it connects, or, where a source is bound before, then.
		errors.Is(err, syscall.EADDRNOTAVAIL) && errors.As(err, &call) && call.Syscall == "connect",
		errors.Is(err, syscall.EADDRINUSE) && errors.As(err, &call) && call.Syscall == "bind":
		return fmt.Errorf("%w: %w: %w", ErrDial, ErrExhausted, err)
	}
	return fmt.Errorf("%w: %w", ErrDial, err)
}

// fullRetry is how long a connection to a Unix socket waits before it tries
// again to find room in the queue of those that are not yet accepted. TCP does
// that by itself.
const fullRetry = time.Millisecond

// isFull reports whether a Unix socket had no room.
func isFull(e Endpoint, err error) bool { return e.Unix != "" && errors.Is(err, syscall.EAGAIN) }

// Work is what a lane does besides its connections.
type Work interface {
	// Turn does everything that is due by now, and what the callbacks since
	// the last Turn have left to do, and tells when it wants its next turn at
	// the latest. The lock is held.
	Turn(now int64) (next int64)
}

// Endpoint is where a connection goes.
type Endpoint struct {
	// Addr is the broker's address, or zero when Unix is set.
	Addr netip.AddrPort
	// Unix is the path of a Unix socket.
	Unix string
	// Source is the local address to come from; zero leaves the choice to the
	// system.
	Source netip.Addr
	// Dial makes the connection on a streamed lane; nil dials Addr or Unix.
	// A polled lane does not look at it.
	Dial func(ctx context.Context) (net.Conn, error)
}

// Load is what a lane has cost since it began.
type Load struct {
	// Busy is the time in which the lane was not waiting for something to do;
	// a streamed lane counts the time inside its callbacks.
	Busy time.Duration
	// Reads and Writes count system calls (streamed: calls of net.Conn).
	Reads, Writes uint64
	// In and Out count bytes.
	In, Out uint64
}

// keep is the capacity up to which an empty buffer of a connection is kept.
const keep = 4 << 10
