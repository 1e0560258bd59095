package listen

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"sampan/broker"
)

// layer turns a connection into one that is nearer to MQTT, and notes in the channel what it has found out.
// It gives up when the connection below is closed.
type layer func(ctx context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error)

// conn is a connection that becomes what it is to be in HandshakeContext. Before that it is the one below.
// It implements broker.ChannelReporter.
type conn struct {
	below   net.Conn
	top     atomic.Pointer[net.Conn]
	layers  []layer
	channel broker.Channel // written by HandshakeContext
}

func newConn(below net.Conn, layers []layer) *conn {
	c := &conn{below: below, layers: layers, channel: broker.Channel{Local: below.LocalAddr(), Remote: below.RemoteAddr()}}
	c.top.Store(&below)
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
	}
	return nil
}

// Channel says what carries the connection; it is known after the handshake.
func (c *conn) Channel() broker.Channel { return c.channel }

func (c *conn) Read(b []byte) (int, error)         { return (*c.top.Load()).Read(b) }
func (c *conn) Write(b []byte) (int, error)        { return (*c.top.Load()).Write(b) }
func (c *conn) Close() error                       { return (*c.top.Load()).Close() }
func (c *conn) LocalAddr() net.Addr                { return c.below.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr               { return c.below.RemoteAddr() }
func (c *conn) SetDeadline(t time.Time) error      { return (*c.top.Load()).SetDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return (*c.top.Load()).SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return (*c.top.Load()).SetWriteDeadline(t) }

// CloseWrite tells the other side that nothing more will come, if what is on top can say so.
func (c *conn) CloseWrite() error {
	if top, ok := (*c.top.Load()).(interface{ CloseWrite() error }); ok {
		return top.CloseWrite()
	}
	return nil
}
