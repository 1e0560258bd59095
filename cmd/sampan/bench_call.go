package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// callTransport is an HTTP transport that costs little: a call is written and its answer read by the goroutine
// that makes it, on a connection of its own. net/http's has two more goroutines for each connection, which
// would cost more than the broker that is measured.
type callTransport struct {
	mu   sync.Mutex
	idle []*callConn // guarded by mu
}

// callConn is a connection; whoever took it off the list owns it.
type callConn struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
}

// RoundTrip is part of http.RoundTripper. The answer's body is for the caller to read to its end and close.
func (t *callTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if c := t.take(); c != nil {
		response, err := t.over(c, request)
		if err == nil || ctx.Err() != nil || request.GetBody == nil {
			return response, err
		}
		// The server has closed it meanwhile, and the others too: it was started anew.
		t.CloseIdleConnections()
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		request = request.Clone(ctx)
		request.Body = body
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", request.URL.Host)
	if err != nil {
		return nil, err
	}
	return t.over(&callConn{conn, bufio.NewReader(conn), bufio.NewWriter(conn)}, request)
}

// over makes a call on a connection, which is closed if it fails or ctx ends.
func (t *callTransport) over(c *callConn, request *http.Request) (*http.Response, error) {
	stop := context.AfterFunc(request.Context(), func() { c.Close() })
	fail := func(err error) (*http.Response, error) {
		stop()
		c.Close()
		return nil, errors.Join(request.Context().Err(), err)
	}
	if err := request.Write(c.w); err != nil {
		return fail(err)
	}
	if err := c.w.Flush(); err != nil {
		return fail(err)
	}
	response, err := http.ReadResponse(c.r, request)
	if err != nil {
		return fail(err)
	}
	response.Body = &callBody{ReadCloser: response.Body, transport: t, conn: c, stop: stop, close: response.Close}
	return response, nil
}

// callBody gives the connection back when the answer has been read.
type callBody struct {
	io.ReadCloser
	transport *callTransport
	conn      *callConn
	stop      func() bool
	close     bool // the server closes after this answer
	read      bool
}

func (b *callBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read = b.read || errors.Is(err, io.EOF)
	return n, err
}

func (b *callBody) Close() error {
	if b.conn == nil {
		return nil
	}
	c := b.conn
	b.conn = nil
	if !b.stop() || !b.read || b.close {
		return c.Close()
	}
	b.transport.mu.Lock()
	b.transport.idle = append(b.transport.idle, c)
	b.transport.mu.Unlock()
	return nil
}

// take is the connection that was used last, nil if none is idle.
func (t *callTransport) take() *callConn {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.idle)
	if n == 0 {
		return nil
	}
	c := t.idle[n-1]
	t.idle = t.idle[:n-1]
	return c
}

// CloseIdleConnections is what http.Client calls.
func (t *callTransport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.idle {
		c.Close()
	}
	t.idle = nil
}
