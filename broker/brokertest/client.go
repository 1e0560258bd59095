package brokertest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sampan/packet"
)

// Packet is anything that can be encoded: the packets of package packet, and Bytes.
type Packet interface{ AppendTo(dst []byte) []byte }

// Bytes is a packet, or anything else, as it is on the wire.
type Bytes []byte

// AppendTo implements Packet.
func (b Bytes) AppendTo(dst []byte) []byte { return append(dst, b...) }

// The packets without a body.
var (
	Pingreq    = Bytes(packet.AppendPingreq(nil))
	Pingresp   = Bytes(packet.AppendPingresp(nil))
	Disconnect = Bytes(packet.AppendDisconnect(nil))
)

// Puback is the acknowledgement of a QoS 1 PUBLISH.
func Puback(id uint16) Packet { return &packet.Ack{Type: packet.TypePuback, ID: id} }

// Unsuback is the answer to UNSUBSCRIBE.
func Unsuback(id uint16) Packet { return &packet.Ack{Type: packet.TypeUnsuback, ID: id} }

// Publish is a PUBLISH with RETAIN 0. id is 0 for QoS 0.
func Publish(topic, payload string, qos byte, id uint16) *packet.Publish {
	return &packet.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: qos, ID: id}
}

// Again is a PUBLISH with QoS 1 and DUP.
func Again(topic, payload string, id uint16) *packet.Publish {
	p := Publish(topic, payload, 1, id)
	p.Dup = true
	return p
}

// Client is a scripted MQTT client: it sends what it is told and compares what arrives byte by byte. It
// acknowledges nothing by itself. One goroutine at a time may send, and one receive.
type Client struct {
	Conn  net.Conn
	Level byte // of the last Connect

	t      testing.TB
	name   string
	buf    []byte // received, not yet looked at
	nextID uint16

	mu     sync.Mutex // guards script
	script []string   // what was said last

	once   sync.Once
	closed chan struct{}
}

// NewClient returns a client on nc, which is closed when the test ends.
func NewClient(t testing.TB, nc net.Conn) *Client {
	c := &Client{Conn: nc, t: t, name: "client", closed: make(chan struct{})}
	t.Cleanup(c.Close)
	return c
}

// Close cuts the connection. Nothing is sent.
func (c *Client) Close() {
	c.once.Do(func() {
		c.Conn.Close()
		close(c.closed)
	})
}

// Fatalf ends the test, with the end of the client's script.
func (c *Client) Fatalf(format string, args ...any) {
	c.t.Helper()
	c.mu.Lock()
	script := strings.Join(c.script, "\n  ")
	c.mu.Unlock()
	c.t.Fatalf("%s: %s\nwhat was said last (> sent, < received):\n  %s", c.name, fmt.Sprintf(format, args...), script)
}

// note keeps the end of the client's script.
func (c *Client) note(mark string, raw []byte) {
	const last = 20
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.script) == 2*last {
		c.script = append(c.script[:0], c.script[last:]...)
	}
	c.script = append(c.script, mark+" "+Describe(raw))
}

// Send writes packets in one piece.
func (c *Client) Send(packets ...Packet) {
	c.t.Helper()
	var raw []byte
	for _, p := range packets {
		at := len(raw)
		raw = p.AppendTo(raw)
		c.note(">", raw[at:])
	}
	if err := c.write(raw); err != nil {
		c.Fatalf("cannot send: %v", err)
	}
}

// TrySend is Send to a broker that may have closed the connection already, or may do so before it has read
// everything.
func (c *Client) TrySend(packets ...Packet) error {
	var raw []byte
	for _, p := range packets {
		raw = p.AppendTo(raw)
	}
	c.note(">", raw)
	return c.write(raw)
}

func (c *Client) write(raw []byte) error {
	c.Conn.SetWriteDeadline(time.Now().Add(Patience))
	_, err := c.Conn.Write(raw)
	return err
}

// Receive returns the next packet, or the error of the connection: io.EOF if the broker has closed it.
// Frames stay valid.
func (c *Client) Receive() (packet.Frame, error) {
	return c.receive(Patience)
}

func (c *Client) receive(patience time.Duration) (packet.Frame, error) {
	limits := &packet.Limits{Level: c.Level}
	for {
		f, n, need, err := packet.Next(c.buf, limits)
		if err != nil {
			return packet.Frame{}, fmt.Errorf("%w\n%s", err, hex.Dump(beginning(c.buf)))
		}
		if n > 0 {
			c.buf = c.buf[n:]
			c.note("<", f.Raw)
			return f, nil
		}
		c.Conn.SetReadDeadline(time.Now().Add(patience))
		chunk := make([]byte, max(need, 4<<10))
		n, err = c.Conn.Read(chunk)
		c.buf = append(c.buf[:len(c.buf):len(c.buf)], chunk[:n]...)
		if n == 0 && err != nil {
			if cut := len(c.buf); cut > 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
				return packet.Frame{}, fmt.Errorf("%w in the middle of a packet, after %d bytes of it\n%s", io.ErrUnexpectedEOF, cut, hex.Dump(beginning(c.buf)))
			}
			return packet.Frame{}, err
		}
	}
}

// beginning is as much of b as is worth printing.
func beginning(b []byte) []byte { return b[:min(len(b), 256)] }

// Next returns the next packet and fails the test if there is none.
func (c *Client) Next() packet.Frame {
	c.t.Helper()
	f, err := c.Receive()
	if err != nil {
		c.Fatalf("want a packet, got %v", err)
	}
	return f
}

// NextPublish returns the next packet, which must be a PUBLISH.
func (c *Client) NextPublish() packet.Publish {
	c.t.Helper()
	f := c.Next()
	var p packet.Publish
	if err := p.Decode(f, &packet.Limits{Level: c.Level}); err != nil {
		c.Fatalf("want PUBLISH, got %s: %v", Describe(f.Raw), err)
	}
	return p
}

// Expect compares what comes next with the packets, byte by byte.
func (c *Client) Expect(packets ...Packet) {
	c.t.Helper()
	for i, p := range packets {
		want := p.AppendTo(nil)
		f, err := c.Receive()
		if err != nil {
			c.Fatalf("packet %d of %d: want %s, got %v", i+1, len(packets), Describe(want), err)
		}
		if !bytes.Equal(f.Raw, want) {
			c.Fatalf("packet %d of %d: want %s\n got %s\n%s", i+1, len(packets), Describe(want), Describe(f.Raw), difference(want, f.Raw))
		}
	}
}

// ExpectClosed wants the broker to close the connection, without another packet.
func (c *Client) ExpectClosed() {
	c.t.Helper()
	f, err := c.Receive()
	if err == nil {
		c.Fatalf("want the end of the connection, got %s", Describe(f.Raw))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) {
		c.Fatalf("want the end of the connection, got %v", err)
	}
	c.Close()
}

// Sync sends PINGREQ and expects PINGRESP next: nothing else was on its way to the client. What the client
// has sent before has been handled when Sync returns.
func (c *Client) Sync() {
	c.t.Helper()
	c.Send(Pingreq)
	c.Expect(Pingresp)
}

// Drain is Sync, and returns the PUBLISH packets that come before the answer.
func (c *Client) Drain() (got []packet.Publish) {
	c.t.Helper()
	c.Send(Pingreq)
	for {
		f := c.Next()
		switch f.Type() {
		case packet.TypePingresp:
			return got
		case packet.TypePublish:
			var p packet.Publish
			if err := p.Decode(f, &packet.Limits{Level: c.Level}); err != nil {
				c.Fatalf("%v", err)
			}
			got = append(got, p)
		default:
			c.Fatalf("want PUBLISH or PINGRESP, got %s", Describe(f.Raw))
		}
	}
}

// ConnectOption changes a CONNECT.
type ConnectOption func(*packet.Connect)

// Persistent asks for a session that outlives the connection: CleanSession 0.
func Persistent(p *packet.Connect) { p.CleanSession = false }

// MQTT31 makes the client one of MQTT 3.1.
func MQTT31(p *packet.Connect) { p.Level = packet.Level31 }

// KeepAlive is in seconds.
func KeepAlive(seconds uint16) ConnectOption {
	return func(p *packet.Connect) { p.KeepAlive = seconds }
}

// Credentials sets user name and password.
func Credentials(username, password string) ConnectOption {
	return func(p *packet.Connect) {
		p.HasUsername, p.Username = true, []byte(username)
		p.HasPassword, p.Password = true, []byte(password)
	}
}

// ConnectPacket is the CONNECT that Connect sends.
func ConnectPacket(clientID string, options ...ConnectOption) *packet.Connect {
	p := &packet.Connect{Level: packet.Level311, CleanSession: true, KeepAlive: 60, ClientID: []byte(clientID)}
	for _, o := range options {
		o(p)
	}
	return p
}

// Connect connects and reports whether the broker has a session. It fails the test if the broker refuses.
func (c *Client) Connect(clientID string, options ...ConnectOption) (present bool) {
	c.t.Helper()
	ack := c.TryConnect(ConnectPacket(clientID, options...))
	if ack.Code != packet.Accepted {
		c.Fatalf("CONNECT was answered with %q", ack.Code)
	}
	return ack.SessionPresent
}

// TryConnect sends p and returns the answer, which must be a CONNACK.
func (c *Client) TryConnect(p *packet.Connect) packet.Connack {
	c.t.Helper()
	c.Level, c.name = p.Level, string(p.ClientID)
	c.Send(p)
	f := c.Next()
	var ack packet.Connack
	if err := ack.Decode(f, nil); err != nil {
		c.Fatalf("want CONNACK, got %s: %v", Describe(f.Raw), err)
	}
	return ack
}

// ID returns an identifier that the client has not used lately.
func (c *Client) ID() uint16 {
	if c.nextID++; c.nextID == 0 {
		c.nextID = 1
	}
	return c.nextID
}

// SubscribePacket is a SUBSCRIBE for filters that all ask for the same QoS.
func SubscribePacket(id uint16, qos byte, filters ...string) *packet.Subscribe {
	p := &packet.Subscribe{ID: id}
	for _, f := range filters {
		p.Add([]byte(f), qos)
	}
	return p
}

// Subscribe subscribes to a filter and expects it to be granted with that QoS.
func (c *Client) Subscribe(filter string, qos byte) {
	c.t.Helper()
	id := c.ID()
	c.Send(SubscribePacket(id, qos, filter))
	c.Expect(&packet.Suback{ID: id, Codes: []byte{qos}})
}

// Unsubscribe takes filters back.
func (c *Client) Unsubscribe(filters ...string) {
	c.t.Helper()
	p := &packet.Unsubscribe{ID: c.ID()}
	for _, f := range filters {
		p.Add([]byte(f))
	}
	c.Send(p)
	c.Expect(Unsuback(p.ID))
}

// Publish publishes a message. When it returns the message is on its way to everybody who subscribes to it:
// at QoS 1 PUBACK has come, at QoS 0 the answer to a PINGREQ.
func (c *Client) Publish(topic, payload string, qos byte) {
	c.t.Helper()
	if qos == 0 {
		c.Send(Publish(topic, payload, 0, 0), Pingreq)
		c.Expect(Pingresp)
		return
	}
	id := c.ID()
	c.Send(Publish(topic, payload, qos, id))
	c.Expect(Puback(id))
}

// Disconnect says DISCONNECT and expects the broker to close the connection.
func (c *Client) Disconnect() {
	c.t.Helper()
	c.Send(Disconnect)
	c.ExpectClosed()
}
