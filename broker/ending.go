package broker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"sampan/broker/internal/block"
	"sampan/broker/internal/netx"
	"sampan/packet"
)

// ending is why a connection ends.
type ending struct {
	reason       Reason
	rule, detail string
	limit, value int64
	offset       int // of a malformed packet's fault
}

// saidGoodbye is the end of every connection that sends DISCONNECT.
var saidGoodbye = &ending{reason: ClientDisconnected}

// behindGoodbye is why a connection ends when its client has sent more than the packet that ends it: after DISCONNECT
// it may not [MQTT-3.14.4-2].
func behindGoodbye(err error, more []byte) error {
	if err != error(saidGoodbye) || len(more) == 0 {
		return err
	}
	e := *saidGoodbye
	e.rule, e.detail = "MQTT-3.14.4-2", packet.Type(more[0]>>4).String()+" behind DISCONNECT"
	e.offset, e.value = len(packet.AppendDisconnect(nil)), int64(len(more))
	return &e
}

func (e *ending) Error() string { return e.reason.String() + " " + e.rule + " " + e.detail }

// Due is called by the deadline queue: before CONNECT when the time for it is over, later when the
// keep-alive may have run out. It returns when to ask again.
func (c *conn) Due(now int64) int64 {
	if c.end.Load() != nil {
		return 0
	}
	if c.tooLate() {
		return 0
	}
	limit := time.Duration(c.aliveFor.Load())
	if c.endsAt != 0 && now >= c.endsAt {
		c.stop(&ending{reason: Kicked, rule: "lifetime", limit: c.principal.Lifetime.Milliseconds()})
		return 0
	}
	busy := c.busy.Load() // before lastRead, which says when it ended
	last := c.lastRead.Load()
	if busy {
		last = now // it is not the client that says nothing
	}
	if at := last + min(int64(limit), never-last); at > now {
		if c.endsAt != 0 {
			at = min(at, c.endsAt)
		}
		return at
	}
	rule := "MQTT-3.1.2-24"
	if c.imposed {
		rule = "keep-alive-imposed"
	}
	c.stop(&ending{reason: KeepAliveTimeout, rule: rule,
		limit: limit.Milliseconds(), value: (now - last) / int64(time.Millisecond)})
	return 0
}

// tooLate ends the connection, and reports true, if its CONNECT has not come. It is called when the time for that is
// over.
func (c *conn) tooLate() bool {
	if c.aliveFor.Load() >= 0 {
		return false
	}
	c.stop(&ending{reason: ConnectTimeout, rule: "connect-timeout", limit: c.broker.opts.ConnectTimeout.Milliseconds()})
	return true
}

// stop ends the connection from any goroutine. The first reason is the one that is reported.
func (c *conn) stop(e *ending) {
	if c.end.CompareAndSwap(nil, e) {
		c.gone.close()
		c.out.close()
		c.answers.release()
		c.closeSocket()
	}
}

// stopAfterWrite is stop once everything that waits for the client has been sent, unless something else ends the
// connection before.
func (c *conn) stopAfterWrite(e *ending) {
	done := c.out.closeAfterWrite(true, func() {
		if c.end.CompareAndSwap(nil, e) {
			c.gone.close()
			c.answers.release()
		}
	})
	if done {
		c.stop(e)
	}
}

// closeSocket closes the socket without waiting: a channel that says goodbye, as TLS does, may take its time
// when the client is gone.
func (c *conn) closeSocket() {
	c.out.mu.Lock()
	socket := c.out.socket
	c.out.mu.Unlock()
	stream, ok := socket.(*netx.Stream)
	if !ok {
		socket.Close()
		return
	}
	stream.Interrupt() // the reader need not wait for that
	c.broker.goroutines.add()
	go func() { // ends when Close does
		defer c.broker.goroutines.done()
		stream.Close()
	}()
}

// drain ends the connection after what waits for the client has been sent.
func (c *conn) drain() {
	if c.end.CompareAndSwap(nil, &ending{reason: ShuttingDown}) {
		c.gone.close()
		c.answers.release()
		if c.out.closeAfterWrite(true, nil) {
			c.out.close()
			c.closeSocket()
		}
	}
}

// lost ends the connection after a read error. A channel may fail with what the client has done wrong.
func (c *conn) lost(err error) {
	if v, ok := errors.AsType[*Violation](err); ok {
		c.stop(&ending{reason: ProtocolViolation, rule: v.Rule, detail: v.Error()})
		return
	}
	if c.client == nil && !cut(err) {
		c.stop(handshakeEnding(err)) // a stranger has made what carries MQTT fail
		return
	}
	e := &ending{reason: ConnectionLost}
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		e.detail = err.Error()
	}
	if c.out.stalled.Load() {
		e.reason, e.limit = SlowConsumer, c.broker.opts.WriteStall.Milliseconds()
	} else if errors.Is(err, io.EOF) && len(c.rest) > 0 {
		c.cutOff(e)
	}
	c.stop(e)
}

// cutOff notes that the client has closed the connection within a packet, whose length says that there is more of it.
// That is no limit.
func (c *conn) cutOff(e *ending) {
	_, _, need, err := packet.Next(c.rest, c.limits)
	if err != nil {
		return // it was judged when it came
	}
	c.lastPacket = packet.Type(c.rest[0] >> 4)
	e.rule, e.offset, e.value = string(packet.RuleRemainingLength), len(c.rest), int64(len(c.rest))
	e.detail = fmt.Sprintf("%s is cut off by the end of the connection, at least %d bytes before its own", c.lastPacket, need)
}

// cut reports whether a read error is about the network, and not about what has come over it.
func cut(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// fail ends the connection from the goroutine that handles its input, because of a packet or because of the store.
func (c *conn) fail(err error, w *work) {
	e, ok := err.(*ending)
	if !ok {
		e = &ending{reason: StoreFailed, detail: err.Error()}
		if pe, ok := errors.AsType[*packet.Error](err); ok {
			e.reason, e.rule, e.detail = ProtocolViolation, string(pe.Rule), pe.Error()
			e.limit, e.value, e.offset = int64(pe.Limit), int64(pe.Value), pe.Offset
			if pe.Type != 0 || pe.Rule == packet.RuleType {
				c.lastPacket = pe.Type // refused for its first bytes
			}
			if code, ok := pe.Connack(); ok && c.client == nil {
				c.connack(w, packet.Connack{Code: code})
				w.batch.flush()
			}
		}
	}
	if e.reason.answered(c.client != nil) {
		c.end.CompareAndSwap(nil, e) // finish closes the socket when the answer is written
	} else {
		c.stop(e)
	}
}

// finish lets go of everything. It leaves the poller where it has to wait.
func (c *conn) finish(t *netx.Turn) {
	if c.rest != nil {
		block.Put(c.rest)
		c.rest = nil
	}
	reason := c.end.Load().reason
	answered := reason.answered(c.client != nil)
	written := answered && c.out.closeAfterWrite(false, nil)
	c.mayWait()
	c.cleanUp()
	c.done.close()
	switch {
	case written && reason == ClientDisconnected && c.exhausted:
		c.out.close()
		c.out.socket.Close()
	case written:
		t.Leave()
		c.linger()
	case answered:
		t.Leave()
		c.out.waitUntilClosed() // by whoever writes what is left
		c.linger()
	}
	c.broker.forget(c)
}

// answered reports whether what waits for the client is still sent when a connection ends for this reason:
// after DISCONNECT, and a refusing CONNACK.
func (r Reason) answered(accepted bool) bool {
	return r == ClientDisconnected || !accepted && (r == ConnectRefused || r == ProtocolViolation)
}

// linger closes the socket in such a way that the last answer reaches a client which has already sent
// more: a socket closed with bytes unread is reset, and the reset overtakes the answer.
func (c *conn) linger() {
	defer c.out.socket.Close()
	defer c.out.close()
	if c.out.socket.CloseWrite() == nil {
		c.out.socket.Drain(lingerBytes, lingerTime)
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
	var ev Event
	heeded := b.heeded(kind)
	if heeded {
		ev = c.event(kind)
		ev.Reason, ev.Rule, ev.Detail, ev.Limit, ev.Value = e.reason, e.rule, e.detail, e.limit, e.value
		ev.Offset = e.offset
	}
	if c.client != nil {
		c.detach()
	}
	if heeded {
		c.emit(ev)
	}
}
