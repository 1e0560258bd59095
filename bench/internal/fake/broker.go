// Package fake is a broker for tests: small, slow, and wrong on request.
package fake

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"sampan/packet"
)

// Behaviour is what the broker does other than a right one. The zero value is
// a right broker for QoS 0 and 1.
type Behaviour struct {
	// Accepted is called with each connection before it is served; the
	// connection is closed when it returns false.
	Accepted func(c net.Conn) bool
	// Connack makes the answer to a CONNECT; nil bytes: none.
	Connack func(c *packet.Connect, right []byte) []byte
	// Suback makes the answer to a SUBSCRIBE.
	Suback func(right []byte) []byte
	// Deliver makes what is sent to a subscriber instead of its nth PUBLISH,
	// n from 1.
	Deliver func(n int, right []byte) []byte
	// Puback makes the answer to the nth QoS 1 PUBLISH of all publishers.
	Puback func(n int, right []byte) []byte
	// KeepOld leaves the older connection of a client open.
	KeepOld bool
	// Forget drops sessions when their connection ends.
	Forget bool
}

// Broker is a running broker.
type Broker struct {
	Behaviour
	Addr string // "127.0.0.1:port"

	listener net.Listener
	all      sync.WaitGroup

	mu       sync.Mutex // guards everything below and all sessions
	sessions map[string]*session
	acked    int
	conns    map[net.Conn]bool
	closed   bool
}

// session is what a client has at the broker.
type session struct {
	filters map[string]byte
	conn    net.Conn // nil when not connected
	clean   bool
	sent    int
	nextID  uint16
	unacked []delivery // QoS 1, oldest first
}

// delivery is a QoS 1 message of a subscriber.
type delivery struct {
	packet packet.Publish
	sent   bool
}

// Listen runs a broker at a TCP address until Stop.
func Listen(addr string, b Behaviour) (*Broker, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	br := &Broker{
		Behaviour: b, Addr: ln.Addr().String(), listener: ln,
		sessions: map[string]*session{}, conns: map[net.Conn]bool{},
	}
	br.all.Go(br.accept)
	return br, nil
}

// Start runs a broker until the test ends.
func Start(t testing.TB, b Behaviour) *Broker {
	t.Helper()
	br, err := Listen("127.0.0.1:0", b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(br.Stop)
	return br
}

// Stop closes everything.
func (b *Broker) Stop() {
	b.mu.Lock()
	b.closed = true
	for c := range b.conns {
		c.Close()
	}
	b.mu.Unlock()
	b.listener.Close()
	b.all.Wait()
}

func (b *Broker) accept() {
	for {
		c, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		if b.closed {
			c.Close()
		}
		b.conns[c] = true
		b.mu.Unlock()
		b.all.Go(func() {
			if b.Accepted == nil || b.Accepted(c) {
				b.serve(c)
			}
			c.Close()
			b.mu.Lock()
			delete(b.conns, c)
			b.mu.Unlock()
		})
	}
}

// serve is one connection.
func (b *Broker) serve(c net.Conn) {
	r := packet.NewReader(c, nil)
	f, err := r.Next()
	var connect packet.Connect
	if err != nil || connect.Decode(f, nil) != nil {
		return
	}
	s := b.connect(c, &connect)
	defer b.disconnect(c, string(connect.ClientID), s)
	for {
		f, err := r.Next()
		if err != nil || b.handle(c, s, f) != nil {
			return
		}
	}
}

// connect finds or makes the session.
func (b *Broker) connect(c net.Conn, p *packet.Connect) *session {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sessions[string(p.ClientID)]
	present := s != nil && !s.clean && !p.CleanSession
	if s != nil && s.conn != nil && !b.KeepOld {
		s.conn.Close()
	}
	if !present {
		s = &session{filters: map[string]byte{}, clean: p.CleanSession}
		b.sessions[string(p.ClientID)] = s
	}
	s.conn = c
	ack := (&packet.Connack{SessionPresent: present}).AppendTo(nil)
	if b.Connack != nil {
		ack = b.Connack(p, ack)
	}
	c.Write(ack)
	for i := range s.unacked {
		s.send(b, &s.unacked[i])
	}
	return s
}

// disconnect keeps or forgets the session.
func (b *Broker) disconnect(c net.Conn, id string, s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.conn != c {
		return
	}
	s.conn = nil
	if (s.clean || b.Forget) && b.sessions[id] == s {
		delete(b.sessions, id)
	}
}

var errEnd = errors.New("end")

// handle is one packet of a client.
func (b *Broker) handle(c net.Conn, s *session, f packet.Frame) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch f.Type() {
	case packet.TypePublish:
		var p packet.Publish
		if err := p.Decode(f, nil); err != nil {
			return err
		}
		b.route(&p)
		if p.QoS == 1 {
			b.acked++
			ack := packet.AppendPuback(nil, p.ID)
			if b.Puback != nil {
				ack = b.Puback(b.acked, ack)
			}
			c.Write(ack)
		}
	case packet.TypePuback:
		id, _ := packet.CutPuback(f.Raw)
		s.unacked = slices.DeleteFunc(s.unacked, func(d delivery) bool { return d.packet.ID == id })
	case packet.TypeSubscribe:
		var p packet.Subscribe
		if err := p.Decode(f, nil); err != nil {
			return err
		}
		ack := packet.Suback{ID: p.ID}
		for filter, qos := range p.All() {
			s.filters[string(filter)] = qos
			ack.Codes = append(ack.Codes, qos)
		}
		out := ack.AppendTo(nil)
		if b.Suback != nil {
			out = b.Suback(out)
		}
		c.Write(out)
	case packet.TypePingreq:
		c.Write(packet.AppendPingresp(nil))
	case packet.TypeDisconnect:
		return errEnd
	}
	return nil
}

// route gives a message to every subscriber, once.
func (b *Broker) route(p *packet.Publish) {
	for _, s := range b.sessions {
		granted := -1
		for filter, qos := range s.filters {
			if matches(filter, string(p.Topic)) {
				granted = max(granted, int(qos))
			}
		}
		if granted < 0 {
			continue
		}
		d := delivery{packet: packet.Publish{
			Topic: slices.Clone(p.Topic), Payload: slices.Clone(p.Payload), QoS: min(p.QoS, byte(granted)),
		}}
		if d.packet.QoS == 0 {
			s.send(b, &d)
			continue
		}
		s.nextID = s.nextID%65_535 + 1
		d.packet.ID = s.nextID
		s.unacked = append(s.unacked, d)
		s.send(b, &s.unacked[len(s.unacked)-1])
	}
}

// send writes a delivery if the client is connected.
func (s *session) send(b *Broker, d *delivery) {
	if s.conn == nil {
		return
	}
	d.packet.Dup = d.sent
	d.sent = true
	s.sent++
	out := d.packet.AppendTo(nil)
	if b.Deliver != nil {
		out = b.Deliver(s.sent, out)
	}
	s.conn.Write(out)
}

// matches is the standard's matching of a topic name by a filter.
func matches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i >= len(t):
			return false
		case level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t)
}

// Discard reads until the connection ends, for an Accepted that answers
// nothing.
func Discard(c net.Conn) bool {
	io.Copy(io.Discard, c)
	return false
}

// Online lists the clients that are connected.
func (b *Broker) Online() (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, s := range b.sessions {
		if s.conn != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// Sessions is how many sessions there are, of clients that are connected or
// not.
func (b *Broker) Sessions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sessions)
}
