// Package client is a small MQTT 3.1 and 3.1.1 client with QoS 0 and 1, on the broker's own codec: what the
// commands pub, sub and demo need, and no more. It does not reconnect; whoever uses it decides what a lost
// connection means.
package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"sampan/packet"
)

// Options say who connects, and how.
type Options struct {
	Conn      net.Conn // an open connection; the client owns it from then on
	ClientID  string
	Username  string // empty: none is sent
	Password  []byte // nil: none is sent
	Level     byte   // packet.Level31 or packet.Level311; 0 means the latter
	Clean     bool
	KeepAlive time.Duration // whole seconds, at most 65,535; 0: none

	// OnMessage is called for each message, one after the other, on the client's own goroutine. A QoS 1
	// message is acknowledged when it returns true; after false that is left to Ack, and without one the
	// broker keeps the message. It may call Publish with QoS 0; everything else there waits for an answer
	// that cannot come before it returns. nil: messages are acknowledged and dropped.
	OnMessage func(Message) (taken bool)
}

// Message is a received publication. The payload belongs to the receiver.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
	ID      uint16 // packet identifier; 0 for QoS 0
	Dup     bool
	Retain  bool
}

// RefusedError is a CONNACK that is no welcome.
type RefusedError struct{ Code packet.ReturnCode }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the broker refused the connection with code %d: %s", e.Code, e.Code)
}

// ErrClosed is the error of a client that was closed by its own side.
var ErrClosed = errors.New("the client is closed")

// writeTimeout bounds one packet's way into the socket.
const writeTimeout = 30 * time.Second

// largest bounds a packet from the broker, in bytes: far above the platform's limits, far below memory.
const largest = 64 << 20

// Client is a connection to a broker.
type Client struct {
	conn    net.Conn
	options Options
	present bool

	handling sync.Mutex // held while a message is handled and acknowledged
	writing  sync.Mutex // held for each packet's way into the socket; guards buffer, pinger
	buffer   []byte
	pinger   *time.Timer // sends PINGREQ

	mu      sync.Mutex               // guards what follows
	waiting map[uint16]chan<- []byte // requests without an answer: SUBACK codes, or nothing for the others
	lastID  uint16
	err     error

	done chan struct{} // closed when the reading goroutine has ended
}

// Connect sends CONNECT and waits for the answer. Its errors are a *RefusedError, a *packet.Error, ctx's or
// the connection's; after an error the connection is closed.
func Connect(ctx context.Context, o Options) (*Client, error) {
	if o.Level == 0 {
		o.Level = packet.Level311
	}
	c := &Client{conn: o.Conn, options: o, waiting: map[uint16]chan<- []byte{}, done: make(chan struct{})}
	connect := packet.Connect{
		Level: o.Level, CleanSession: o.Clean, KeepAlive: uint16(o.KeepAlive / time.Second),
		ClientID: []byte(o.ClientID), HasUsername: o.Username != "", Username: []byte(o.Username),
		HasPassword: o.Password != nil, Password: o.Password,
	}
	if err := connect.Check(nil); err != nil {
		o.Conn.Close()
		return nil, err
	}
	limits := &packet.Limits{Level: o.Level, Remaining: largest, Types: packet.FirstFromServer}
	reader := packet.NewReader(o.Conn, limits)
	stop := context.AfterFunc(ctx, func() { o.Conn.Close() })
	connack, err := c.shakeHands(reader, &connect, limits)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err == nil && connack.Code != packet.Accepted {
		err = &RefusedError{connack.Code}
	}
	if err != nil {
		o.Conn.Close()
		return nil, err
	}
	c.present = connack.SessionPresent
	if o.KeepAlive > 0 {
		c.writing.Lock()
		c.pinger = time.AfterFunc(o.KeepAlive/2, c.ping) // stopped by close
		c.writing.Unlock()
	}
	go c.read(reader, limits) // ends when the connection does, which Close sees to
	return c, nil
}

func (c *Client) shakeHands(reader *packet.Reader, connect *packet.Connect, limits *packet.Limits) (connack packet.Connack, err error) {
	if err = c.send(connect.AppendTo(nil)); err != nil {
		return connack, err
	}
	frame, err := reader.Next()
	if err != nil {
		return connack, fmt.Errorf("no answer to CONNECT: %w", err)
	}
	if err = connack.Decode(frame, limits); err != nil {
		return connack, err
	}
	limits.Types = packet.FromServer
	return connack, nil
}

// SessionPresent reports whether the broker had kept a session. MQTT 3.1 does not tell.
func (c *Client) SessionPresent() bool { return c.present }

// Done is closed when the connection has ended and OnMessage will not be called again.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the connection has ended: ErrClosed after Disconnect or Close. nil as long as it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Disconnect takes leave and closes the connection. Like Close, it waits for OnMessage to return, so it
// cannot be called there.
func (c *Client) Disconnect() error {
	c.end(ErrClosed)
	c.handling.Lock() // the PUBACK of the last message goes first
	err := c.send(packet.AppendDisconnect(nil))
	c.handling.Unlock()
	c.close()
	return err
}

// Close cuts the connection without a DISCONNECT, as a lost network would.
func (c *Client) Close() {
	c.end(ErrClosed)
	c.close()
}

func (c *Client) close() {
	c.conn.Close()
	c.writing.Lock()
	if c.pinger != nil {
		c.pinger.Stop()
	}
	c.writing.Unlock()
	<-c.done
}

// end notes why the connection ends; the first reason counts.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// send writes a packet.
func (c *Client) send(p []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.write(p)
}

func (c *Client) write(p []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(p); err != nil {
		return fmt.Errorf("sending %s: %w", packet.Type(p[0]>>4), err)
	}
	return nil
}

// ping asks for a sign of life twice in each keep-alive, whatever else is sent: the answers tell a silent
// broker from a dead one.
func (c *Client) ping() {
	if c.send(packet.AppendPingreq(nil)) != nil {
		c.conn.Close() // the reading goroutine finds the reason
		return
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.pinger.Reset(c.options.KeepAlive / 2)
}
