package listen

import (
	"context"
	"errors"
	"net"
	"testing"

	"sampan/broker"
)

// closing is a connection that knows whether it was closed.
type closing struct {
	sent
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// A connection that is closed during its handshake is closed with all that the handshake puts on, also what it has put on
// after that.
func TestWhatIsPutOnAConnectionThatWasClosedIsClosed(t *testing.T) {
	var c *conn
	first, second := &closing{}, &closing{}
	c = newConn(&closing{}, []layer{
		func(context.Context, net.Conn, *broker.Channel) (net.Conn, error) { c.Close(); return first, nil },
		func(context.Context, net.Conn, *broker.Channel) (net.Conn, error) { return second, nil },
	}, 0)
	if err := c.HandshakeContext(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the handshake: %v", err)
	}
	if !first.closed || *c.top.Load() == net.Conn(second) {
		t.Errorf("the layer is closed: %v; the next one is put on: %v", first.closed, *c.top.Load() == net.Conn(second))
	}
}
