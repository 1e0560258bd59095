package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

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
	client    *client // nil until CONNECT was accepted
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

// ending is why a connection ends.
type ending struct {
	reason       Reason
	rule, detail string
	limit, value int64
}

func (e *ending) Error() string { return e.reason.String() + " " + e.rule + " " + e.detail }

// work is what a connection needs while it handles packets, lent for that time.
type work struct {
	batch   batch
	run     run
	runEnd  int      // where the run ends in the chunk
	acks    []uint16 // QoS 1 messages received, to be acknowledged
	acked   bool     // PUBACKs came in: the session may have more to send
	wanted  bool     // the Interceptor wants to see messages of the run's topic
	stored  bool     // the store took note of something that an acknowledgement waits for
	scratch []byte
	packets uint64
	publish [2]uint64
	pubacks uint64
}

var works = sync.Pool{New: func() any { return new(work) }}

// serve is the connection's goroutine.
func (c *conn) serve() {
	c.run()
	linger := c.end.Load().reason.answered(c.client != nil) && c.out.closeAfterWrite()
	c.cleanUp()
	close(c.done)
	if linger {
		c.linger()
	}
	c.broker.forget(c)
}

// run reads and handles packets until the connection has a reason to end.
func (c *conn) run() {
	b := c.broker
	now := b.ticker.Nanos()
	c.lastRead.Store(now)
	c.aliveFor.Store(-1)
	c.deadline.Due = c.due
	b.deadlines.Set(&c.deadline, now+int64(b.opts.ConnectTimeout))
	if err := c.handshake(); err != nil {
		c.stop(&ending{reason: HandshakeFailed, detail: err.Error()})
		return
	}
	var rest []byte
	for {
		c.out.waitForRoom()
		c.answers.waitForStore()
		had := len(rest)
		buf, n, err := c.socket.Fill(rest)
		block.Put(rest)
		if err != nil {
			c.lost(err)
			return
		}
		b.stats.bytesReceived.Add(uint64(n - had))
		w := works.Get().(*work)
		used, err := c.handle(w, buf[:n])
		if e := c.finishChunk(w); err == nil {
			err = e
		}
		if err != nil {
			c.fail(err, w)
		}
		works.Put(w)
		if err != nil {
			block.Put(buf)
			return
		}
		rest = keep(buf, used, n)
		if p := c.principal; p != nil && p.Quota != nil {
			c.pause(p.Quota.Read(b.ticker.Nanos(), n-had))
		}
	}
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

// keep returns what is left of a chunk in a block of about its size: a client pays for memory with the
// bytes it has sent.
func keep(buf []byte, used, n int) []byte {
	left := n - used
	if left == 0 {
		block.Put(buf)
		return nil
	}
	if left > len(buf)/4 {
		copy(buf, buf[used:n])
		return buf[:left]
	}
	rest := block.Get(left)[:left]
	copy(rest, buf[used:n])
	block.Put(buf)
	return rest
}

// handshake finds out what the channel is and, if it has a handshake, runs that.
func (c *conn) handshake() error {
	nc := c.socket.NetConn()
	if h, ok := nc.(interface{ HandshakeContext(context.Context) error }); ok {
		ctx, cancel := c.untilConnected()
		defer cancel()
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

// untilConnected is the context of what happens before CONNACK. The deadline queue cancels it by closing
// the connection, in the broker's own time.
func (c *conn) untilConnected() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.broker.ctx)
	stop := c.broker.opts.Clock.AfterFunc(c.broker.opts.ConnectTimeout, cancel)
	return ctx, func() { stop.Stop(); cancel() }
}

// handle goes through the packets of a chunk and returns how many bytes they took. What is left is the
// beginning of a packet.
func (c *conn) handle(w *work, chunk []byte) (used int, err error) {
	for used < len(chunk) {
		n := 0
		if c.client != nil {
			n, err = c.handleRun(w, chunk, used)
		}
		if n == 0 && err == nil {
			n, err = c.handleOne(w, chunk, used)
		}
		if n == 0 || err != nil {
			break
		}
		used += n
	}
	return used, err
}

// handleRun takes the packets that come in numbers, PUBLISH and PUBACK, as long as they are plainly good.
// It returns 0 for everything else.
func (c *conn) handleRun(w *work, chunk []byte, at int) (n int, err error) {
	b := chunk[at:]
	switch packet.Type(b[0] >> 4) {
	case packet.TypePublish:
		var p packet.Publish
		if n = p.CutSame(b, w.run.topic, c.limits); n == 0 {
			if n = p.Cut(b, c.limits); n == 0 {
				return 0, nil
			}
		}
		w.packets++
		c.lastPacket = packet.TypePublish
		return n, c.publish(w, chunk, at, n, &p)
	case packet.TypePuback:
		id, size := packet.CutPuback(b)
		if size == 0 {
			return 0, nil
		}
		if err := c.endRun(w); err != nil {
			return 0, err
		}
		cl := c.client
		cl.mu.Lock()
		for size > 0 {
			if cl.conn == c && cl.session.Ack(id) {
				w.acked = true
			}
			w.pubacks++
			n += size
			id, size = packet.CutPuback(b[n:])
		}
		cl.mu.Unlock()
		w.packets += uint64(n / 4)
		c.lastPacket = packet.TypePuback
	}
	return n, nil
}

// handleOne takes one packet of any type. It returns 0 if the chunk holds only a part of it.
func (c *conn) handleOne(w *work, chunk []byte, at int) (int, error) {
	b := chunk[at:]
	f, n, need, err := packet.Next(b, c.limits)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		if limit := c.broker.opts.MaxConnectBytes; c.client == nil && len(b)+need > limit {
			return 0, &ending{reason: ProtocolViolation, rule: "connect-size", limit: int64(limit), value: int64(len(b) + need)}
		}
		return 0, nil
	}
	w.packets++
	c.lastPacket = f.Type()
	if f.Type() == packet.TypePublish {
		var p packet.Publish
		if err := p.Decode(f, c.limits); err != nil {
			return 0, err
		}
		return n, c.publish(w, chunk, at, n, &p)
	}
	if err := c.endRun(w); err != nil {
		return 0, err
	}
	return n, c.control(w, f)
}

// control handles every packet but PUBLISH.
func (c *conn) control(w *work, f packet.Frame) error {
	switch f.Type() {
	case packet.TypeConnect:
		return c.connect(w, f)
	case packet.TypePuback:
		return c.puback(w, f)
	case packet.TypeSubscribe:
		return c.subscribe(w, f)
	case packet.TypeUnsubscribe:
		return c.unsubscribe(w, f)
	case packet.TypePingreq:
		w.scratch = packet.AppendPingresp(w.scratch[:0]) // [MQTT-3.12.4-1]
		c.out.control(w.scratch, &w.batch)
		return nil
	case packet.TypeDisconnect:
		return &ending{reason: ClientDisconnected}
	default:
		// PUBREC, PUBREL, PUBCOMP belong to QoS 2, which is never granted.
		return &ending{reason: ProtocolViolation, rule: "MQTT-4.8.0-1", detail: "unexpected " + f.Type().String()}
	}
}

// puback takes a message out of flight.
func (c *conn) puback(w *work, f packet.Frame) error {
	var a packet.Ack
	if err := a.Decode(f, c.limits); err != nil {
		return err
	}
	w.pubacks++
	cl := c.client
	cl.mu.Lock()
	if cl.conn == c && cl.session.Ack(a.ID) {
		w.acked = true
	}
	cl.mu.Unlock()
	return nil
}

// finishChunk routes what is left, acknowledges what was received, sends what acknowledgements have made
// room for, and flushes.
func (c *conn) finishChunk(w *work) error {
	err := c.endRun(w)
	b := c.broker
	if w.packets > 0 {
		c.lastRead.Store(b.ticker.Nanos())
	}
	if w.acked {
		c.client.acked(&w.batch)
	}
	if err == nil {
		c.acknowledge(w)
	}
	w.batch.flush()

	b.stats.packetsReceived.Add(w.packets)
	for qos, n := range w.publish {
		if n > 0 {
			b.stats.received[qos].Add(n)
		}
	}
	if w.pubacks > 0 {
		b.stats.acknowledged.Add(w.pubacks)
	}
	w.packets, w.publish, w.pubacks = 0, [2]uint64{}, 0
	w.acks, w.acked, w.stored = w.acks[:0], false, false
	return err
}

// due is called by the deadline queue: before CONNECT when the time for it is over, later when the
// keep-alive may have run out. It returns when to ask again.
func (c *conn) due(now int64) int64 {
	if c.end.Load() != nil {
		return 0
	}
	limit := time.Duration(c.aliveFor.Load())
	if limit < 0 {
		c.stop(&ending{reason: ConnectTimeout, rule: "connect-timeout",
			limit: int64(c.broker.opts.ConnectTimeout / time.Millisecond)})
		return 0
	}
	if c.endsAt != 0 && now >= c.endsAt {
		c.stop(&ending{reason: Kicked, rule: "lifetime", limit: c.principal.Lifetime.Milliseconds()})
		return 0
	}
	last := c.lastRead.Load()
	if at := last + min(int64(limit), never-last); at > now {
		if c.endsAt != 0 {
			at = min(at, c.endsAt)
		}
		return at
	}
	c.stop(&ending{reason: KeepAliveTimeout, rule: "MQTT-3.1.2-24",
		limit: limit.Milliseconds(), value: (now - last) / int64(time.Millisecond)})
	return 0
}

// stop ends the connection from any goroutine. The first reason is the one that is reported.
func (c *conn) stop(e *ending) {
	if c.end.CompareAndSwap(nil, e) {
		close(c.gone)
		c.out.close()
		c.answers.release()
		c.socket.Close()
	}
}

// drain ends the connection after what waits for the client has been sent.
func (c *conn) drain() {
	if c.end.CompareAndSwap(nil, &ending{reason: ShuttingDown}) {
		close(c.gone)
		c.answers.release()
		if c.out.closeAfterWrite() {
			c.out.close()
			c.socket.Close()
		}
	}
}

// lost ends the connection after a read error.
func (c *conn) lost(err error) {
	e := &ending{reason: ConnectionLost}
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		e.detail = err.Error()
	}
	if c.out.stalled.Load() {
		e.reason, e.limit = SlowConsumer, c.broker.opts.WriteStall.Milliseconds()
	}
	c.stop(e)
}

// fail ends the connection from its own goroutine, because of a packet or because of the store.
func (c *conn) fail(err error, w *work) {
	e, ok := err.(*ending)
	if !ok {
		e = &ending{reason: StoreFailed, detail: err.Error()}
		var pe *packet.Error
		if errors.As(err, &pe) {
			e.reason, e.rule, e.detail = ProtocolViolation, string(pe.Rule), pe.Error()
			e.limit, e.value = int64(pe.Limit), int64(pe.Value)
			if code, ok := pe.Connack(); ok && c.client == nil {
				c.connack(w, packet.Connack{Code: code})
				w.batch.flush()
			}
		}
	}
	if e.reason.answered(c.client != nil) {
		c.end.CompareAndSwap(nil, e) // serve closes the socket when the answer is written
	} else {
		c.stop(e)
	}
}

// answered reports whether what waits for the client is still sent when a connection ends for this reason:
// after DISCONNECT, and a refusing CONNACK.
func (r Reason) answered(accepted bool) bool {
	return r == ClientDisconnected || !accepted && (r == ConnectRefused || r == ProtocolViolation)
}

// linger closes the socket in such a way that the last answer reaches a client which has already sent
// more: a socket closed with bytes unread is reset, and the reset overtakes the answer.
func (c *conn) linger() {
	defer c.socket.Close()
	defer c.out.close()
	if !c.socket.Direct() || c.socket.CloseWrite() != nil {
		return
	}
	nc := c.socket.NetConn()
	if nc.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	var sink [512]byte
	for range lingerBytes / len(sink) {
		if _, err := nc.Read(sink[:]); err != nil {
			return
		}
	}
}

const (
	lingerTime  = time.Second
	lingerBytes = 64 << 10
)

// cleanUp lets go of the session and says why the connection ended.
func (c *conn) cleanUp() {
	b := c.broker
	b.deadlines.Cancel(&c.deadline)
	e := c.end.Load()
	b.stats.reasons[e.reason].Add(1)
	kind := Refused
	if c.client != nil {
		kind = Disconnected
	}
	ev := c.event(kind)
	ev.Reason, ev.Rule, ev.Detail, ev.Limit, ev.Value = e.reason, e.rule, e.detail, e.limit, e.value
	if c.client != nil {
		c.detach()
	}
	b.emit(ev)
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
