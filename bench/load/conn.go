package load

import (
	"errors"
	"io"
	"syscall"

	"sampan/bench/fault"
	"sampan/bench/wire"
	"sampan/packet"
)

// phase is how far a connection has come.
type phase uint8

const (
	dialling    phase = iota
	greeting          // CONNECT is sent
	subscribing       // all SUBSCRIBE are sent
	online            // every SUBACK has come
	gone              // closed by either side
)

var phaseNames = [...]string{"connecting", "waiting for CONNACK", "waiting for SUBACK", "online", "closed"}

func (p phase) String() string { return phaseNames[p] }

// maxBacklog is how many bytes a connection keeps for a broker that does not
// read; what is due beyond that waits in the schedule.
const maxBacklog = 1 << 20

// frameRoom is how much longer a packet may be than the run's payloads before
// its length is taken for garbage.
const frameRoom = 1 << 20

// conn is one connection of a client. The lane's lock guards it.
type conn struct {
	client *client
	lane   *lane
	wire   wire.Conn
	phase  phase
	ref    *reference // of the stream that came last, if it has one
	old    bool       // a newer connection of the same client is being made
	owed   int        // SUBACKs to come
	pings  int        // PINGRESPs to come
	asked  int64      // when the connection was meant to begin
	began  int64      // when it did
	used   int64      // when the last packet was sent
}

// name is how messages for a person call the client.
func (c *conn) name() string { return c.lane.engine.o.Identity(c.client.index).ClientID }

// write sends bytes.
func (c *conn) write(b []byte) {
	c.used = c.lane.engine.clock.Now()
	c.lane.count.Written += uint64(len(b))
	c.wire.Write(b)
}

// room reports whether one more message may be sent.
func (c *conn) room() bool {
	return c.client.inflight.len() < c.lane.engine.o.Inflight && c.wire.Backlog() < maxBacklog
}

// Opened sends CONNECT.
func (c *conn) Opened(int64) {
	e := c.lane.engine
	c.phase = greeting
	id := e.o.Identity(c.client.index)
	p := packet.Connect{
		Level: e.o.Level, CleanSession: !c.client.Persistent || c.client.forgotten, KeepAlive: e.keepAlive,
		ClientID:    []byte(id.ClientID),
		HasUsername: id.Username != "", Username: []byte(id.Username),
		HasPassword: id.Password != "", Password: []byte(id.Password),
	}
	c.write(p.AppendTo(nil))
}

// Data takes whole packets.
func (c *conn) Data(b []byte, now int64) (used int) {
	c.lane.count.Read += uint64(len(b)) // corrected by what is left over
	for used < len(b) && c.phase != gone {
		n := 0
		switch b[used] >> 4 {
		case byte(packet.TypePublish):
			if c.phase >= subscribing {
				n = c.publishes(b[used:], now)
			}
		case byte(packet.TypePuback):
			n = c.pubacks(b[used:], now)
		}
		if n == 0 && c.phase != gone {
			n = c.other(b[used:], now)
		}
		if n == 0 {
			break
		}
		used += n
	}
	c.lane.count.Read -= uint64(len(b) - used)
	return used
}

// pubacks takes a run of PUBACK.
func (c *conn) pubacks(b []byte, now int64) (used int) {
	l := c.lane
	var last *stream
	var run int64
	for {
		id, n := packet.CutPuback(b[used:])
		if n == 0 {
			break
		}
		f, ok := c.client.inflight.ack(id)
		if !ok {
			c.fail(fault.Violation, "PUBACK with identifier %d, which is not in use", id)
			break
		}
		used += n
		l.count.Acked++
		l.timesFor(f.sent).Ack.Record(since(f.sent, now))
		if f.stream != last {
			if last != nil {
				last.arrived(run, l)
			}
			last, run = f.stream, 0
		}
		run++
	}
	if last != nil {
		last.arrived(run, l)
		c.unblock(now)
	}
	return used
}

// other takes one packet that is not for the two ways above, and finds what
// is wrong with those that they left. It returns 0 when the packet is not yet
// complete.
func (c *conn) other(b []byte, now int64) int {
	f, n, need, err := packet.Next(b, nil)
	switch {
	case err != nil:
		c.fail(fault.Garbage, "%v: %s", err, fault.Show(b))
		return 0
	case n == 0 && len(b)+need > c.lane.engine.longest:
		c.fail(fault.Garbage, "a packet of at least %d bytes, longer than any of this run: %s", len(b)+need, fault.Show(b))
		return 0
	case n == 0:
		return 0
	}
	switch {
	case f.Type() == packet.TypeConnack && c.phase == greeting:
		c.connack(f, now)
	case f.Type() == packet.TypeSuback && c.phase == subscribing:
		c.suback(f, now)
	case f.Type() == packet.TypePingresp && c.pings > 0:
		c.pings--
	case f.Type() == packet.TypePublish && c.phase >= subscribing:
		c.strange(f)
	default:
		c.fail(fault.Violation, "%s while %s", f.Type(), c.phase)
	}
	return n
}

// connack ends the greeting.
func (c *conn) connack(f packet.Frame, now int64) {
	var p packet.Connack
	if err := p.Decode(f, &packet.Limits{Level: c.lane.engine.o.Level}); err != nil {
		c.fail(fault.Garbage, "%v: %s", err, fault.Show(f.Raw))
		return
	}
	cl := c.client
	switch {
	case p.Code != packet.Accepted:
		c.fail(fault.Refused, "CONNACK %d, %s", p.Code, p.Code)
		return
	case p.SessionPresent && (!cl.Persistent || cl.forgotten):
		c.fail(fault.Violation, "CONNACK says that a session is present for clean session 1")
		return
	case cl.known && !cl.forgotten && !p.SessionPresent && c.lane.engine.o.level311():
		c.fail(fault.Lost, "the session: CONNACK says that none is present")
		return
	}
	l := c.lane
	l.count.Connects++
	cl.connects++
	l.timesFor(c.asked).Connect.Record(since(c.asked, now))
	if cl.known || cl.forgotten || len(cl.Filters) == 0 {
		c.ready(now)
		return
	}
	c.phase = subscribing
	var out []byte
	const filters = packet.PlatformFilters
	for i := 0; i < len(cl.Filters); i += filters {
		c.owed++
		p := packet.Subscribe{ID: uint16(c.owed)}
		for _, filter := range cl.Filters[i:min(i+filters, len(cl.Filters))] {
			p.Add([]byte(filter), cl.QoS)
		}
		out = p.AppendTo(out)
	}
	c.write(out)
}

// suback counts an answer to SUBSCRIBE.
func (c *conn) suback(f packet.Frame, now int64) {
	var p packet.Suback
	if err := p.Decode(f, nil); err != nil {
		c.fail(fault.Garbage, "%v: %s", err, fault.Show(f.Raw))
		return
	}
	first := (int(p.ID) - 1) * packet.PlatformFilters
	if first >= len(c.client.Filters) {
		c.fail(fault.Violation, "SUBACK with identifier %d, which is not in use", p.ID)
		return
	}
	filters := c.client.Filters[first:min(first+packet.PlatformFilters, len(c.client.Filters))]
	if len(p.Codes) != len(filters) { // MQTT-3.8.4-5
		c.fail(fault.Violation, "SUBACK with %d code(s) for %d filter(s)", len(p.Codes), len(filters))
		return
	}
	for i, code := range p.Codes {
		if code != c.client.QoS {
			c.fail(fault.Denied, "filter %q: asked for QoS %d, got %#02x", filters[i], c.client.QoS, code)
			return
		}
	}
	if c.owed--; c.owed == 0 {
		c.client.known = c.client.Persistent
		c.ready(now)
	}
}

// ready puts the connection to use.
func (c *conn) ready(now int64) {
	c.phase = online
	c.lane.count.Online++
	if c.client.life != nil {
		c.client.life.online(c, now)
	}
	c.unblock(now)
}

// Drained lets streams go on that had too much waiting.
func (c *conn) Drained(now int64) { c.unblock(now) }

// unblock sends what had to wait for this connection.
func (c *conn) unblock(now int64) {
	for _, s := range c.client.pubs {
		if s.blocked {
			s.send(now)
		}
	}
}

// Closed tells what the end of the connection means.
func (c *conn) Closed(err error, now int64) {
	was := c.phase
	c.end()
	switch {
	case c.old:
		// The broker closes the older connection of a client (MQTT-3.1.4-2).
	case errors.Is(err, wire.ErrExhausted):
		hint := "raise the limit of open files"
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EADDRINUSE) {
			hint = "ports are counted for each local address (Options.Sources)"
		}
		c.report(fault.Exhausted, "%v; %s", err, hint)
	case errors.Is(err, wire.ErrDial):
		c.report(fault.Unreachable, "%v", err)
	case errors.Is(err, io.EOF):
		c.report(fault.Closed, "by the broker while %s", was)
	default:
		c.report(fault.Closed, "while %s: %v", was, err)
	}
	if c.client.life != nil {
		c.client.life.offline(c, now)
	}
}

// fail closes the connection because of what the broker did on it.
func (c *conn) fail(kind fault.Kind, format string, args ...any) {
	c.report(kind, format, args...)
	c.drop()
	if c.client.life != nil {
		c.client.life.offline(c, c.lane.engine.clock.Now())
	}
}

// report counts a fault of this connection, which ends the run unless it
// tolerates faults.
func (c *conn) report(kind fault.Kind, format string, args ...any) {
	e := c.lane.engine
	e.faults.Add(kind, "client %q: "+format, append([]any{c.name()}, args...)...)
	if !e.o.Tolerant {
		e.abort()
	}
}

// leave says DISCONNECT and closes.
func (c *conn) leave() {
	if c.phase > dialling && c.phase < gone {
		c.write(packet.AppendDisconnect(nil))
	}
	c.drop()
}

// drop closes without a word.
func (c *conn) drop() {
	c.end()
	c.wire.Close()
}

// end takes the connection off the counts.
func (c *conn) end() {
	if c.phase == online {
		c.lane.count.Online--
	}
	c.phase = gone
	if c.client.conn == c {
		c.client.conn = nil
	}
	if c.lane.outConn == c {
		c.lane.out, c.lane.outConn = c.lane.out[:0], nil
	}
}
