package broker

import (
	"context"
	"crypto/tls"
	"sync/atomic"
	"time"

	"sampan/broker/internal/admission"
	"sampan/broker/internal/block"
	"sampan/broker/internal/deadline"
	"sampan/broker/internal/netx"
	"sampan/packet"
)

// conn is one network connection. Its goroutine runs serve: it waits for bytes, cuts packets from them,
// handles each, and flushes everything that this has queued for others and for itself before it waits
// again. An idle connection holds no buffer.
type conn struct {
	number    uint64
	broker    *Broker
	socket    *netx.Conn
	out       outbound
	channel   Channel
	limits    *packet.Limits
	client    *client  // nil until CONNECT was accepted
	arrival   *arrival // nil once CONNECT was accepted
	source    admission.Source
	principal *Principal
	clientID  string
	level     byte
	routes    routes

	aliveFor   atomic.Int64 // nanoseconds of silence that end the connection; -1: CONNECT has not come yet
	endsAt     int64        // when the connection's lifetime is over, in the ticker's nanoseconds; 0: never
	lastRead   atomic.Int64 // when a packet came in, in the ticker's nanoseconds
	lastPacket packet.Type
	deadline   deadline.Item
	end        atomic.Pointer[ending] // why the connection ends; the first reason counts
	done       chan struct{}          // closed when the goroutine has let go of the session
	gone       chan struct{}          // closed when the connection is stopped
	answers    answers                // that wait for the store

	forbidden uint64 // events of one kind, for sparse logging
	overQuota uint64
	ignored   uint64
	refused   uint64
}

// never is the aliveFor of a connection without a keep-alive, in nanoseconds.
const never = 1 << 62

// serve begins the connection's goroutine.
func (c *conn) serve() {
	b := c.broker
	now := b.ticker.Nanos()
	c.lastRead.Store(now)
	c.aliveFor.Store(-1)
	c.deadline.Due = c.due
	b.deadlines.Set(&c.deadline, now+int64(b.opts.ConnectTimeout))
	if err := c.handshake(); err != nil {
		c.stop(handshakeEnding(err))
		c.finish()
		return
	}
	c.run(nil)
}

// run reads and handles packets until the connection has a reason to end. rest is the beginning of a packet.
//
// What CONNECT and SUBSCRIBE need of the stack is several times what waiting needs, and a stack does not
// shrink by itself. After them the connection goes on, where it waits without more, on a goroutine with a new
// stack: that is half of what an idle connection takes.
func (c *conn) run(rest []byte) {
	for {
		c.out.waitForRoom()
		c.answers.waitForStore(c.mostUnacknowledged())
		buf, n, err := c.socket.Fill(rest)
		if err != nil {
			block.Put(rest)
			c.lost(err)
			break
		}
		had := len(rest)
		block.Put(rest)
		var deep bool
		if rest, deep, err = c.handleChunk(buf, n, had); err != nil {
			break
		}
		if deep && c.socket.Direct() {
			go c.run(rest)
			return
		}
	}
	c.finish()
}

// mostUnacknowledged is how many of the client's messages may wait for the store; 0: any number.
func (c *conn) mostUnacknowledged() int {
	if c.principal == nil {
		return 0
	}
	return c.principal.MaxUnacknowledged
}

// handleChunk handles the packets in buf[:n], of which the first had bytes were there before, and returns the
// beginning of a packet that is left; deep reports whether that took a deep stack. It gives buf back. After an
// error the connection has a reason to end.
func (c *conn) handleChunk(buf []byte, n, had int) (rest []byte, deep bool, err error) {
	b := c.broker
	b.stats.bytesReceived.Add(uint64(n - had))
	w := works.Get().(*work)
	used, err := c.handle(w, buf[:n])
	if e := c.finishChunk(w); err == nil {
		err = e
	}
	if err != nil {
		c.fail(err, w)
	}
	deep, w.deep = w.deep, false
	works.Put(w)
	if err != nil {
		block.Put(buf)
		return nil, false, err
	}
	rest = keep(buf, used, n)
	if p := c.principal; p != nil && p.Quota != nil {
		c.pause(p.Quota.Read(b.ticker.Nanos(), n-had))
	}
	return rest, deep, nil
}

// finish lets go of everything, on the connection's goroutine.
func (c *conn) finish() {
	answered := c.end.Load().reason.answered(c.client != nil)
	linger := answered && c.out.closeAfterWrite()
	c.cleanUp()
	close(c.done)
	if linger {
		c.linger()
	} else if answered {
		c.out.waitUntilClosed() // by whoever writes what is left
	}
	c.broker.forget(c)
}

// pause holds up the reader of a client that has sent more than its bandwidth.
func (c *conn) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-c.broker.after(d):
	case <-c.gone:
	}
}

// handshake finds out what the channel is and, if it has a handshake, runs that.
func (c *conn) handshake() error {
	nc := c.socket.NetConn()
	if h, ok := nc.(interface{ HandshakeContext(context.Context) error }); ok {
		ctx, cancel := c.untilConnected()
		defer cancel()
		ctx = context.WithValue(ctx, connKey{}, c)
		if _, ok := nc.(*tls.Conn); ok {
			end, err := BeginHandshake(ctx)
			if err != nil {
				return err
			}
			defer end()
		}
		if err := h.HandshakeContext(ctx); err != nil {
			return err
		}
		c.socket.Settle()
	}
	local, remote, listener := c.channel.Local, c.channel.Remote, c.channel.Listener
	switch t := nc.(type) {
	case ChannelReporter:
		c.channel = t.Channel()
	case interface{ ConnectionState() tls.ConnectionState }:
		state := t.ConnectionState()
		c.channel.Security, c.channel.TLS = TLS, &state
	}
	if c.channel.Local == nil {
		c.channel.Local = local
	}
	if c.channel.Remote == nil {
		c.channel.Remote = remote
	}
	if c.channel.Listener == "" {
		c.channel.Listener = listener
	}
	return nil
}

// untilConnected is the context of what happens before CONNACK. The deadline queue cancels it by closing
// the connection, in the broker's own time.
func (c *conn) untilConnected() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.broker.ctx)
	stop := c.broker.opts.Clock.AfterFunc(c.broker.opts.ConnectTimeout, cancel)
	return ctx, func() { stop.Stop(); cancel() }
}

// event is an Event about this connection.
func (c *conn) event(kind EventKind) Event {
	e := Event{Kind: kind, Connection: c.number, ClientID: c.clientID, Listener: c.channel.Listener,
		LastPacket: c.lastPacket, Level: c.level}
	e.Addr = c.addr()
	if c.client != nil {
		e.Client = c.client.key
	}
	if alive := c.aliveFor.Load(); alive > 0 && alive < never {
		e.KeepAlive = time.Duration(alive) * 2 / 3
	}
	e.Idle = time.Duration(c.broker.ticker.Nanos() - c.lastRead.Load())
	return e
}

func (c *conn) addr() string {
	if c.channel.Remote == nil {
		return ""
	}
	return c.channel.Remote.String()
}
