package listen

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"sampan/broker"
	"sampan/tlsconf/detect"
)

// What an unknown client may cost.
const (
	firstByteTimeout = 10 * time.Second // from accept to the first byte
	mostUndecided    = 10_000           // connections without a first byte at one time

	// pause is for a machine that has run out of descriptors or memory.
	pause = 10 * time.Millisecond
)

// autoListener tells by the first byte what its clients speak. It looks at that byte without taking it, so
// that plain MQTT, which it is nearly always, goes to the broker as the socket it came on. The others find
// out what they are in their handshake.
type autoListener struct {
	net.Listener
	layers []layer
	log    *slog.Logger

	conns     chan net.Conn
	undecided chan struct{} // has a place for each connection without a first byte
	closed    chan struct{}
	once      sync.Once
	err       error // why it was closed
}

func tellApart(inner net.Listener, o Options) net.Listener {
	l := &autoListener{
		Listener: inner, layers: []layer{byFirstBytes(o)}, log: o.Log,
		conns: make(chan net.Conn), undecided: make(chan struct{}, mostUndecided), closed: make(chan struct{}),
	}
	go l.accept() // ends when Close closes the inner listener
	return l
}

func (l *autoListener) accept() {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if passing(err) {
				l.log.Warn("cannot accept connections for now", "listener", l.Addr(), "error", err)
				select {
				case <-time.After(pause):
				case <-l.closed:
				}
				continue
			}
			l.end(err)
			return
		}
		select {
		case l.undecided <- struct{}{}:
			go l.decide(conn) // ends with the first byte, or after firstByteTimeout
		default:
			l.log.Warn("closed: too many connections that say nothing", "listener", l.Addr(), "addr", conn.RemoteAddr(), "limit", mostUndecided)
			conn.Close()
		}
	}
}

// decide waits for the first byte and hands the connection to Accept.
func (l *autoListener) decide(conn net.Conn) {
	first, err := peek(conn, firstByteTimeout)
	<-l.undecided
	if err != nil {
		if !errors.Is(err, io.EOF) { // a port scan or a health check is no news
			l.log.Info("closed: no first byte", "listener", l.Addr(), "addr", conn.RemoteAddr(), "error", err)
		}
		conn.Close()
		return
	}
	if kind, told := detect.Bytes([]byte{first}); !told || kind != detect.MQTT {
		conn = newConn(conn, l.layers)
	}
	select {
	case l.conns <- conn:
	case <-l.closed:
		conn.Close()
	}
}

// peek waits for the first byte of a TCP connection without taking it.
func peek(conn net.Conn, timeout time.Duration) (first byte, err error) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	var n int
	var peekErr error
	var b [1]byte
	err = raw.Read(func(fd uintptr) bool {
		n, _, peekErr = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
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
	return b[0], conn.SetReadDeadline(time.Time{})
}

// passing reports whether an error of Accept is about the moment, not about the listener.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Accept returns the next connection that has said something.
func (l *autoListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, l.err
	}
}

func (l *autoListener) end(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.closed)
	})
}

// Close stops accepting. Connections that were accepted stay.
func (l *autoListener) Close() error {
	l.end(net.ErrClosed)
	return l.Listener.Close()
}

// byFirstBytes is the layer that finds out what a client speaks and puts on what that takes. Inside TLS it
// looks once more: for plain MQTT or WebSocket.
func byFirstBytes(o Options) layer {
	return func(ctx context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error) {
		conn, kind, err := detect.Client(below)
		if err != nil {
			return nil, err
		}
		switch {
		case kind == detect.PSK && o.PSK != nil:
			return toPSK(o.PSK)(ctx, conn, channel)
		case kind == detect.TLS && o.TLS != nil:
			secured, err := o.secure()(ctx, conn, channel)
			if err != nil {
				return nil, err
			}
			return byFirstBytesInside(ctx, secured, channel)
		case kind == detect.TLS || kind == detect.PSK:
			return nil, errors.New("the client wants TLS, and there is no certificate: set --cert and --key")
		case kind == detect.HTTP:
			return toWebSocket("/")(ctx, conn, channel)
		case kind == detect.MQTT:
			return conn, nil
		}
		return nil, errors.New("the client speaks neither MQTT nor TLS nor HTTP")
	}
}

// byFirstBytesInside tells MQTT from WebSocket inside TLS.
func byFirstBytesInside(ctx context.Context, secured net.Conn, channel *broker.Channel) (net.Conn, error) {
	conn, kind, err := detect.Client(secured)
	switch {
	case err != nil:
		return nil, err
	case kind == detect.HTTP:
		return toWebSocket("/")(ctx, conn, channel)
	case kind == detect.MQTT:
		return conn, nil
	}
	return nil, errors.New("inside TLS the client speaks neither MQTT nor HTTP")
}
