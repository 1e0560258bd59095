package listen

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
)

// meter is the socket below the layers. It bounds what a client may send before its CONNECT was accepted, in
// whatever that is wrapped.
type meter struct {
	net.Conn
	limit int64
	left  atomic.Int64
}

// free is what is left for a client that was accepted.
const free = 1 << 62

func newMeter(below net.Conn, limit int) *meter {
	m := &meter{Conn: below, limit: int64(limit)}
	m.left.Store(m.limit)
	if limit <= 0 {
		m.lift()
	}
	return m
}

// Read reads from the socket, and fails when the limit is exceeded.
func (m *meter) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if m.left.Load() < free && m.left.Add(int64(-n)) < 0 {
		return 0, fmt.Errorf("more than %d bytes before CONNECT was accepted (max-unauthenticated-bytes)", m.limit)
	}
	return n, err
}

// lift ends the limit.
func (m *meter) lift() { m.left.Store(free) }

// peek waits until something has come and returns the beginning of it without taking it: as much as there is
// and fits b. It ends when the connection is closed.
func (m *meter) peek(b []byte) (n int, err error) {
	socket, ok := m.Conn.(syscall.Conn)
	if !ok {
		return 0, errors.New("the connection is no socket")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peekErr error
	err = raw.Read(func(fd uintptr) bool {
		n, _, peekErr = syscall.Recvfrom(int(fd), b, syscall.MSG_PEEK)
		return peekErr != syscall.EAGAIN && peekErr != syscall.EINTR
	})
	switch {
	case err != nil:
		return 0, err
	case peekErr != nil:
		return 0, peekErr
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
