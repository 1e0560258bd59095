package broker

import (
	"sync"

	"sampan/broker/internal/block"
	"sampan/packet"
)

// work is what a connection needs while it handles packets, lent for that time.
type work struct {
	batch   batch
	run     run
	view    packet.Publish // the message at hand; here because an Interceptor may see it
	runEnd  int            // where the run ends in the chunk
	acks    []uint16       // QoS 1 messages received, to be acknowledged
	acked   bool           // PUBACKs came in: the session may have more to send
	except  *client        // who is not to receive the run's messages
	wanted  bool           // the Interceptor wants to see messages of the run's topic
	stored  bool           // the store took note of something that an acknowledgement waits for
	scratch []byte
	packets uint64
	publish [2]uint64
	pubacks uint64
}

var works = sync.Pool{New: func() any { return new(work) }}

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

// handle goes through the packets of a chunk and returns how many bytes they took, the one with an error
// included. What is left is the beginning of a packet.
func (c *conn) handle(w *work, chunk []byte) (used int, err error) {
	for used < len(chunk) {
		n := 0
		if c.client != nil {
			n, err = c.handleRun(w, chunk, used)
		}
		if n == 0 && err == nil {
			n, err = c.handleOne(w, chunk, used)
		}
		used += n
		if n == 0 || err != nil {
			break
		}
	}
	return used, err
}

// handleRun takes the packets that come in numbers, PUBLISH and PUBACK, as long as they are plainly good.
// It returns 0 for everything else.
func (c *conn) handleRun(w *work, chunk []byte, at int) (n int, err error) {
	b := chunk[at:]
	switch packet.Type(b[0] >> 4) {
	case packet.TypePublish:
		p := &w.view
		if n = p.CutSame(b, w.run.topic, c.limits); n == 0 {
			if n = p.Cut(b, c.limits); n == 0 {
				return 0, nil
			}
		}
		c.count(w, 1)
		c.lastPacket = packet.TypePublish
		return n, c.publish(w, chunk, at, n, p)
	case packet.TypePuback:
		id, size := packet.CutPuback(b)
		if size == 0 {
			return 0, nil
		}
		if err := c.endRun(w); err != nil {
			return 0, err
		}
		c.mayWait()
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
		c.count(w, uint64(n/4))
		c.lastPacket = packet.TypePuback
	}
	return n, nil
}

// count notes packets that have come in whole. The first of a chunk is the sign of life, and is noted before
// its answer can leave.
func (c *conn) count(w *work, n uint64) {
	if w.packets == 0 {
		c.lastRead.Store(c.broker.ticker.Nanos())
	}
	w.packets += n
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
			c.lastPacket = packet.TypeConnect
			return 0, &ending{reason: ProtocolViolation, rule: "connect-size", limit: int64(limit), value: int64(len(b) + need)}
		}
		return 0, nil
	}
	c.count(w, 1)
	c.lastPacket = f.Type()
	if f.Type() == packet.TypePublish {
		if err := w.view.Decode(f, c.limits); err != nil {
			return 0, err
		}
		return n, c.publish(w, chunk, at, n, &w.view)
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
		c.mayWait()
		return c.subscribe(w, f)
	case packet.TypeUnsubscribe:
		c.mayWait()
		return c.unsubscribe(w, f)
	case packet.TypePingreq:
		w.scratch = packet.AppendPingresp(w.scratch[:0]) // [MQTT-3.12.4-1]
		c.out.control(w.scratch, &w.batch)
		return nil
	case packet.TypeDisconnect:
		return saidGoodbye
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
	c.mayWait()
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
	// What is answered has been counted.
	b.stats.packetsReceived.Add(w.packets)
	for qos, n := range w.publish {
		if n > 0 {
			b.stats.received[qos].Add(n)
		}
	}
	if w.pubacks > 0 {
		b.stats.acknowledged.Add(w.pubacks)
	}
	if w.acked {
		c.mayWait()
		c.client.acked(&w.batch)
	}
	if err == nil {
		c.acknowledge(w)
	}
	if c.busy.Load() {
		c.readAgain() // before the client has its answer, and counts from then on
	}
	w.batch.flush()
	w.run.flushed()
	w.view = packet.Publish{}
	w.packets, w.publish, w.pubacks = 0, [2]uint64{}, 0
	w.acks, w.acked, w.stored = w.acks[:0], false, false
	return err
}
