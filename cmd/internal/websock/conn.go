// Package websock makes a stream of a WebSocket: MQTT is sent in binary messages of any length.
package websock

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Conn is a WebSocket of binary messages, as a stream. Deadlines are those of the connection below, so that they hold
// wherever the WebSocket reads and writes; after one it is of no more use. Packets and messages need not line up
// [MQTT-6.0.0-2].
type Conn struct {
	net.Conn  // below
	ws        *websocket.Conn
	notBinary error
	message   io.Reader   // the rest of the message that is being read, or nil
	notGood   atomic.Bool // the other side has sent a message that is not binary
	bounded   atomic.Bool // reading has a deadline
}

// New makes a stream of a WebSocket and the connection that carries it. Read fails with notBinary when a message is
// not. How much is read is for the caller to limit.
func New(below net.Conn, ws *websocket.Conn, notBinary error) *Conn {
	ws.SetReadLimit(-1)
	return &Conn{Conn: below, ws: ws, notBinary: notBinary}
}

// Read reads on in the messages. It returns io.EOF when the other side has said goodbye.
func (c *Conn) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil && len(p) > 0 {
		if c.message == nil {
			if c.message, err = c.next(); err != nil {
				break
			}
		}
		if n, err = c.message.Read(p); err == io.EOF {
			c.message, err = nil, nil
		}
	}
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		err = io.EOF
	}
	return n, err
}

// next waits for the next message.
func (c *Conn) next() (io.Reader, error) {
	kind, message, err := c.ws.Reader(context.Background())
	if err == nil && kind != websocket.MessageBinary {
		c.notGood.Store(true)
		err = c.notBinary
	}
	return message, err
}

// Write sends p as a message.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.ws.Write(context.Background(), websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetReadDeadline bounds reading, and with it how long Close waits.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.bounded.Store(!t.IsZero())
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline bounds reading and writing.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// goodbyeTime is how long the other side may take to say goodbye, too.
const goodbyeTime = time.Second

// Close says goodbye, waits a moment for the other side's, and closes the connection. The WebSocket waits for the rest of
// a message without a bound of its own. Whoever reads and is to stop for a deadline is not kept from it by a new one.
func (c *Conn) Close() error {
	until := time.Now().Add(goodbyeTime)
	c.SetWriteDeadline(until) // if it fails there is nobody to wait for
	if !c.bounded.Load() {
		c.SetReadDeadline(until)
	}
	if c.notGood.Load() {
		return c.ws.Close(websocket.StatusUnsupportedData, "MQTT is sent in binary messages")
	}
	return c.ws.Close(websocket.StatusNormalClosure, "")
}
