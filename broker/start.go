package broker

import (
	"io"
	"net"

	"sampan/broker/internal/netx"
)

// This file is a connection's beginning: from what a listener has accepted to a conn that is served.

func (b *Broker) newConn(channel Channel) *conn {
	c := &conn{
		number:  b.connections.Add(1),
		broker:  b,
		limits:  &b.limits[0],
		arrival: new(arrival),
		channel: channel,
	}
	c.out.broker = b
	return c
}

// serveConn begins to serve a connection: a plain socket on the poller, another on a goroutine of its own, which
// ends with the connection. If it is in a queue it waits for its turn.
func (b *Broker) serveConn(nc net.Conn, listener string, queued bool) error {
	c := b.newConn(Channel{Local: nc.LocalAddr(), Remote: nc.RemoteAddr(), Listener: listener})
	c.stream = netx.NewStream(nc)
	c.out.socket = c.stream
	c.arrival.of, _ = nc.(admittee)
	ok, err := c.enter(nil, nc, queued)
	if !ok {
		return err
	}
	if _, ok := nc.(handshaker); ok || !c.settle(nc) {
		go c.serve() // ends with the connection
	}
	return nil
}

// serveSocket does the same for a plain socket of a listener's queue, on the poller's goroutine, which leaves the
// poller where it has to wait.
func (b *Broker) serveSocket(t *netx.Turn, socket *netx.Socket, channel Channel) error {
	c := b.newConn(channel)
	c.turn = t
	c.socket, c.out.socket = socket, socket
	socket.SetHandler(c)
	ok, err := c.enter(t, socket, true)
	c.turn = nil
	if ok && !socket.Park() {
		go c.Closed() // ends with the connection
	}
	return err
}

// enter lets a connection in, which the broker has from then on in its books. Otherwise it closes the connection;
// the error says that the broker is shut down.
func (c *conn) enter(t *netx.Turn, channel io.Closer, queued bool) (ok bool, err error) {
	b := c.broker
	if e := c.admitSource(); e != nil {
		c.shed(channel, e)
		return false, nil
	}
	if !queued {
		b.gate.pending.Force(&c.arrival.pending, (*pending)(c))
	} else if !c.await(t) {
		b.leave(c)
		channel.Close()
		return false, ErrClosed
	}
	b.mu.Lock()
	if b.closed || b.conns.count >= b.opts.MaxConnections {
		closed := b.closed
		b.mu.Unlock()
		b.leave(c)
		if closed {
			channel.Close()
			return false, ErrClosed
		}
		c.shed(channel, &ending{reason: TooManyConnections, rule: "max-connections", limit: int64(b.opts.MaxConnections), value: int64(b.opts.MaxConnections) + 1})
		return false, nil
	}
	b.conns.add(c)
	b.goroutines.add()
	b.mu.Unlock()
	b.stats.accepted.Add(1)
	b.stats.connections.Add(1)
	c.begin()
	return true, nil
}

// shed closes a connection at once.
func (c *conn) shed(channel io.Closer, e *ending) {
	b := c.broker
	b.stats.reasons[e.reason].Add(1)
	c.emit(Event{Kind: ConnectionShed, Connection: c.number, Addr: c.addr(), Listener: c.channel.Listener,
		Reason: e.reason, Rule: e.rule, Limit: e.limit, Value: e.value})
	channel.Close()
}

// leave gives back what the connection has of the gate.
func (b *Broker) leave(c *conn) {
	c.arrival.leave()
	b.gate.sources.Leave(c.source)
}

// forget is the last thing that is done for a connection.
func (b *Broker) forget(c *conn) {
	b.leave(c)
	b.mu.Lock()
	b.conns.remove(c)
	b.mu.Unlock()
	b.stats.connections.Add(-1)
	b.goroutines.done()
}
