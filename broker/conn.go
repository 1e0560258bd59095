package broker

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"

	"sampan/broker/internal/admission"
	"sampan/broker/internal/block"
	"sampan/broker/internal/deadline"
	"sampan/broker/internal/netx"
	"sampan/packet"
	"sampan/session"
)

// conn is one network connection. What it sends is handled by one goroutine at a time, a chunk at a time:
// packets are cut from it, each is handled, and everything that this has queued for others and for the client
// itself is flushed before the next chunk.
//
// That goroutine is the poller's for a plain socket. It takes one chunk and goes on to another connection; a
// connection whose handling has to wait for something keeps the goroutine, and the poller goes on with a new
// one (netx.Turn). An idle connection has neither goroutine nor buffer. Any other connection has a goroutine
// of its own, which runs serve.
type conn struct {
	number    uint64
	broker    *Broker
	prev      *conn // in Broker.conns
	next      *conn
	turn      *netx.Turn   // while a goroutine of the poller handles the connection
	batch     *batch       // while a chunk is handled
	socket    *netx.Socket // a plain socket, or nil
	stream    *netx.Stream // what else carries the connection, or nil
	out       outbound
	rest      []byte // block: the beginning of a packet
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
	since      session.Time // when it got its session; set once, with client.mu held
	endsAt     int64        // when the connection's lifetime is over, in the ticker's nanoseconds; 0: never
	lastRead   atomic.Int64 // when a packet came in, in the ticker's nanoseconds
	busy       atomic.Bool  // nothing is read from the client
	lastPacket packet.Type
	exhausted  bool // all that the client had sent was handled when the connection ended
	imposed    bool // the keep-alive is shorter than the client has asked for; set before aliveFor
	deadline   deadline.Item
	end        atomic.Pointer[ending] // why the connection ends; the first reason counts
	done       latch                  // closed when the goroutine has let go of the session
	gone       latch                  // closed when the connection is stopped
	answers    answers                // that wait for the store

	forbidden uint64 // events of one kind, for sparse logging
	overQuota uint64
	ignored   uint64
	refused   uint64
}

// never is the aliveFor of a connection without a keep-alive, in nanoseconds.
const never = 1 << 62

// begin starts the time that a client has for its CONNECT.
func (c *conn) begin() {
	b := c.broker
	now := b.ticker.Nanos()
	c.lastRead.Store(now)
	c.aliveFor.Store(-1)
	c.deadline.Owner = c
	b.deadlines.Set(&c.deadline, now+int64(b.opts.ConnectTimeout))
}

// serve is the goroutine of a connection that is not a plain socket, or not before its handshake.
func (c *conn) serve() {
	nc := c.stream.NetConn()
	if err := c.handshake(nc); err != nil {
		c.stop(handshakeEnding(err))
		c.finish(nil)
		return
	}
	if c.settle(nc) {
		return
	}
	for {
		if c.waitForClient(nil) != nil {
			break
		}
		buf, n, err := c.stream.Fill(c.rest)
		if err != nil {
			c.lost(err)
			break
		}
		if err := c.handleChunk(nil, buf, n); err != nil {
			break
		}
	}
	c.finish(nil)
}

// settle leaves the connection to the poller and reports true if it is a plain socket, and nothing else any
// more.
func (c *conn) settle(nc net.Conn) bool {
	socket, plain, err := c.broker.poller.Adopt(nc, c)
	if !plain {
		return false
	}
	if err != nil {
		c.stop(&ending{reason: ConnectionLost, detail: err.Error()})
		go c.finish(nil) // ends with the connection
		return true
	}
	c.socket, c.stream = socket, nil
	c.out.mu.Lock()
	c.out.socket = socket
	c.out.mu.Unlock()
	if c.end.Load() != nil {
		socket.Close() // who stopped the connection may have closed what it was before
	}
	if !socket.Park() {
		go c.Closed() // ends with the connection
	}
	return true
}

// Readable handles what a plain socket has received, a chunk at most. It is called on the poller's goroutine,
// which leaves the poller where it has to wait.
func (c *conn) Readable(t *netx.Turn) {
	c.turn = t
	connected := c.client != nil
	buf, n, err := c.socket.Read(c.rest)
	switch {
	case err != nil:
		c.lost(err)
	case n > 0:
		err = c.handleChunk(t, buf, n)
	}
	if err == nil {
		if connected {
			c.socket.Settle() // it is there for more than to connect
		}
		err = c.waitForClient(t)
	}
	if err == nil {
		c.turn = nil // from Park on another goroutine may handle the connection
		if c.socket.Park() {
			return
		}
		c.turn = t
		c.lost(net.ErrClosed)
	}
	c.finish(t)
}

// Closed ends a plain socket's connection that was closed while nothing was handled.
func (c *conn) Closed() {
	c.lost(net.ErrClosed)
	c.finish(nil)
}

// waitForClient holds up the reader while the client does not take its answers, or too many of them wait for
// the store. The error is unread's.
func (c *conn) waitForClient(t *netx.Turn) (err error) {
	if c.out.mustDrain() {
		err = c.unread(t, c.out.waitForRoom)
	}
	if most := c.mostUnacknowledged(); err == nil && c.answers.tooMany(most) {
		err = c.unread(t, func() { c.answers.waitForStore(most) })
	}
	return err
}

// unread leaves the poller and waits, while nothing is read from the client. Its keep-alive stands still: what it sends
// meanwhile nobody sees. If the connection has ended meanwhile nobody will: the error is why.
func (c *conn) unread(t *netx.Turn, wait func()) error {
	t.Leave()
	c.busy.Store(true)
	wait()
	c.readAgain()
	if e := c.end.Load(); e != nil {
		c.out.waitUntilClosed() // what waits for the client may still be sent
		return e
	}
	return nil
}

// readAgain ends a time in which nothing was read from the client: because of unread, or because what it had sent had to
// wait for something (batch.leave).
func (c *conn) readAgain() {
	c.lastRead.Store(c.broker.ticker.Nanos())
	c.busy.Store(false)
}

// mostUnacknowledged is how many of the client's messages may wait for the store; 0: any number.
func (c *conn) mostUnacknowledged() int {
	if c.principal == nil {
		return 0
	}
	return c.principal.MaxUnacknowledged
}

// handleChunk handles the packets in buf[:n], which begins with c.rest, and keeps the beginning of a packet that
// is left as c.rest. It gives buf and the old c.rest back. After an error the connection has a reason to end.
func (c *conn) handleChunk(t *netx.Turn, buf []byte, n int) error {
	b := c.broker
	received := n - len(c.rest)
	if c.rest != nil {
		block.Put(c.rest)
		c.rest = nil
	}
	b.stats.bytesReceived.Add(uint64(received))
	w := works.Get().(*work)
	w.batch.turn, w.batch.spent = t, 0
	w.batch.conn, c.batch = c, &w.batch
	used, err := c.handle(w, buf[:n])
	if e := c.finishChunk(w); err == nil {
		err = e
	}
	if err != nil {
		c.exhausted = used == n && n < len(buf)
		c.fail(behindGoodbye(err, buf[used:n]), w)
	}
	w.batch.turn, w.batch.conn, c.batch = nil, nil, nil
	works.Put(w)
	if err != nil {
		block.Put(buf)
		return err
	}
	c.rest = keep(buf, used, n)
	if p := c.principal; p != nil && p.Quota != nil {
		return c.pause(t, p.Quota.Read(b.ticker.Nanos(), received))
	}
	return nil
}

// mayWait leaves the poller if the client's session is one that a store keeps, and that may take its time.
func (c *conn) mayWait() {
	if c.client != nil && c.client.sessionID.Load() != 0 && c.broker.storeMayWait() {
		c.leave()
	}
}

// leave is called on the goroutine that handles the connection, before it waits for something.
func (c *conn) leave() {
	if c.batch != nil {
		c.batch.leave()
	} else {
		c.turn.Leave()
	}
}

// pause holds up the reader of a client that has sent more than its bandwidth. The error is unread's.
func (c *conn) pause(t *netx.Turn, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return c.unread(t, func() {
		over := c.broker.after(d)
		// A client that takes nothing any more is not waited for, either.
		for change := c.out.change(); change != nil; change = c.out.change() {
			select {
			case <-over:
				return
			case <-c.gone.closed():
				return
			case <-change:
			}
		}
	})
}

// handshaker is a net.Conn that has something to do before it carries MQTT.
type handshaker interface {
	HandshakeContext(context.Context) error
}

// handshake finds out what the channel is and, if it has a handshake, runs that.
func (c *conn) handshake(nc net.Conn) error {
	if h, ok := nc.(handshaker); ok {
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

// untilConnected is the context of what happens before CONNACK. It ends with the client's time for CONNECT, in the
// broker's own time.
func (c *conn) untilConnected() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.broker.ctx)
	timer := c.broker.opts.Clock.AfterFunc(c.broker.opts.ConnectTimeout, func() {
		// The deadline queue may be a moment later. The reason comes before the cancellation: what waits for ctx
		// fails with that, as if the client had done something wrong.
		c.tooLate()
		cancel()
	})
	return ctx, func() { timer.Stop(); cancel() }
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
