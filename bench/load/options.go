package load

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// Credentials are what a client connects with, and the names that a platform
// knows it by.
type Credentials struct {
	ClientID string
	// Username and Password are left out of CONNECT when empty.
	Username, Password string
	// ProductKey and DeviceName fill {pk} and {dn} in topic templates.
	ProductKey, DeviceName string
}

// Options are how an engine reaches the broker and how patient it is. The
// zero value of each field but Addr has a meaning.
type Options struct {
	// Addr is "host:port", or "unix:" and a path.
	Addr string
	// TLS makes every connection a TLS connection.
	TLS *tls.Config
	// Dial makes connections in another way, for example through WebSocket;
	// Addr is passed to it as it is, and TLS and Sources are left to it. The
	// index is the client's.
	Dial func(ctx context.Context, addr string, client int) (net.Conn, error)
	// Sources are the local addresses to come from, in turn. Each has some
	// 28,000 ports towards one broker address. Empty: the system's choice.
	Sources []netip.Addr
	// Identity gives the credentials of a client. Nil: "bench-" and a number.
	Identity func(client int) Credentials
	// Publish sends the messages of streams that no client publishes, for
	// example through a server's HTTP interface. It is called for one message
	// of a stream at a time.
	Publish func(ctx context.Context, topic string, payload []byte) error
	// Level is the protocol level, 3 or 4. 0: 4.
	Level byte
	// KeepAlive is announced, in whole seconds, and kept by PINGREQ. 0: 300 s.
	// Negative: announced as 0, that is, none.
	KeepAlive time.Duration
	// Lanes is the number of generator loops. 0: one for each processor that
	// the process may use.
	Lanes int
	// ConnectTime bounds the time from the first byte of connecting to the
	// last SUBACK. 0: 10 s.
	ConnectTime time.Duration
	// StallTime is how long nothing may move while the broker owes something.
	// 0: 5 s.
	StallTime time.Duration
	// Inflight bounds the QoS 1 messages that a client has sent and the
	// broker has not acknowledged. 0: 32,768.
	Inflight int
	// Tolerant lets the load go on after a fault; it is counted all the same.
	Tolerant bool
	// Streamed forces goroutines with net.Conn where an epoll loop would do.
	Streamed bool
}

const (
	defaultKeepAlive   = 300 * time.Second
	defaultConnectTime = 10 * time.Second
	defaultStallTime   = 5 * time.Second
	defaultInflight    = 32_768
)

// anonymous is the identity of clients of which nothing is known.
func anonymous(client int) Credentials {
	return Credentials{ClientID: "bench-" + strconv.Itoa(client)}
}

// withDefaults fills in what zero means.
func (o Options) withDefaults() Options {
	if o.Level == 0 {
		o.Level = 4
	}
	switch {
	case o.KeepAlive == 0:
		o.KeepAlive = defaultKeepAlive
	case o.KeepAlive < 0:
		o.KeepAlive = 0
	}
	if o.ConnectTime <= 0 {
		o.ConnectTime = defaultConnectTime
	}
	if o.StallTime <= 0 {
		o.StallTime = defaultStallTime
	}
	if o.Inflight <= 0 || o.Inflight > defaultInflight {
		o.Inflight = defaultInflight
	}
	if o.Identity == nil {
		o.Identity = anonymous
	}
	return o
}
