package listen

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"sampan/broker"
	"sampan/tlsconf/detect"
)

// layer turns a connection into one that is nearer to MQTT, and notes in the channel what it has found out.
// It gives up when the connection below is closed.
type layer func(ctx context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error)

// conn is a connection that becomes what it is to be in HandshakeContext. Before that it is the one below, and
// after it too if no layer was put on: then the broker uses the socket itself.
// It implements broker.ChannelReporter.
type conn struct {
	below   *meter
	top     atomic.Pointer[net.Conn]
	closed  atomic.Bool
	layers  []layer
	channel broker.Channel // written by HandshakeContext
	bare    bool           // written by HandshakeContext
}

func newConn(below net.Conn, layers []layer, limit int) *conn {
	c := &conn{below: newMeter(below, limit), layers: layers, channel: broker.Channel{Local: below.LocalAddr(), Remote: below.RemoteAddr()}}
	var top net.Conn = c.below
	c.top.Store(&top)
	return c
}

// HandshakeContext puts all layers on. When ctx ends first, the connection is closed.
func (c *conn) HandshakeContext(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.below.Close() })
	defer stop()
	for _, put := range c.layers {
		top, err := put(ctx, *c.top.Load(), &c.channel)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		c.top.Store(&top)
		if c.closed.Load() {
			top.Close() // Close may have seen what was on top before
			return net.ErrClosed
		}
	}
	c.layers = nil
	c.bare = *c.top.Load() == net.Conn(c.below)
	return nil
}

// Channel says what carries the connection; it is known after the handshake.
func (c *conn) Channel() broker.Channel { return c.channel }

// Below is the socket.
func (c *conn) Below() net.Conn { return c.below.Conn }

// Bare reports, after the handshake, whether the connection is its socket and nothing more.
func (c *conn) Bare() bool { return c.bare }

// Admitted is called when the client's CONNECT was accepted.
func (c *conn) Admitted() { c.below.lift() }

func (c *conn) Read(b []byte) (int, error)         { return (*c.top.Load()).Read(b) }
func (c *conn) Write(b []byte) (int, error)        { return (*c.top.Load()).Write(b) }
func (c *conn) LocalAddr() net.Addr                { return c.below.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr               { return c.below.RemoteAddr() }
func (c *conn) SetDeadline(t time.Time) error      { return (*c.top.Load()).SetDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return (*c.top.Load()).SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return (*c.top.Load()).SetWriteDeadline(t) }

// Close closes the connection. A handshake closes what it puts on later.
func (c *conn) Close() error {
	c.closed.Store(true)
	return (*c.top.Load()).Close()
}

// CloseWrite tells the other side that nothing more will come, and fails if what is on top cannot say so.
func (c *conn) CloseWrite() error {
	top := *c.top.Load()
	if looked, ok := top.(*detect.Conn); ok {
		top = looked.NetConn() // to look at the first bytes put nothing on
	}
	if top == net.Conn(c.below) {
		top = c.below.Conn
	}
	if top, ok := top.(interface{ CloseWrite() error }); ok {
		return top.CloseWrite()
	}
	return errors.ErrUnsupported
}
