package broker

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"sampan/packet"
	"sampan/session"
)

// Authenticator decides who a CONNECT comes from. It is called on the connection's goroutine, for many
// connections at once, and may block until ctx ends. An error refuses the connection; if it is, or wraps, a
// *Refusal, that says how, otherwise the answer is CONNACK 4 (bad user name or password).
type Authenticator interface {
	Authenticate(ctx context.Context, r *ConnectRequest) (*Principal, error)
}

// AuthenticatorFunc makes an Authenticator of a function.
type AuthenticatorFunc func(ctx context.Context, r *ConnectRequest) (*Principal, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, r *ConnectRequest) (*Principal, error) {
	return f(ctx, r)
}

// ConnectRequest is what a client said of itself in CONNECT, and the channel it said it on. Its strings are
// copies; Password is valid during Authenticate only.
type ConnectRequest struct {
	ClientID     string
	Username     string
	HasUsername  bool
	Password     []byte
	HasPassword  bool
	Level        byte // 3: MQTT 3.1, 4: MQTT 3.1.1
	CleanSession bool
	KeepAlive    time.Duration
	Channel      Channel
}

// Security names what protects a channel.
type Security uint8

// The securities of a channel, from none upward.
const (
	Plain Security = iota
	PSK            // symmetric keys: TLS with a pre-shared key
	TLS            // TLS with a server certificate, possibly a client certificate
	Chip           // an identity proven by a key in a chip
)

func (s Security) String() string {
	return [...]string{"plain", "psk", "tls", "chip"}[s]
}

// Channel is what carries a connection.
type Channel struct {
	Local, Remote net.Addr
	Listener      string // name of the listener; empty for ServeConn without one
	Security      Security
	Identity      string               // what the channel proved of the client: a PSK identity, a chip's name
	TLS           *tls.ConnectionState // nil unless Security is TLS
	WebSocket     bool
}

// ChannelReporter is implemented by a net.Conn that knows what it is. The broker asks after the handshake.
// Connections that do not implement it are Plain, or TLS if they are a *tls.Conn.
type ChannelReporter interface{ Channel() Channel }

// Violation is what a net.Conn's Read fails with if the client has broken a rule of what is between the network and
// MQTT. The connection ends as ProtocolViolation.
type Violation struct{ Rule, Detail string }

// Error is both.
func (v *Violation) Error() string { return v.Detail + " (" + v.Rule + ")" }

// Principal is who a connection has been found to be, and what it may do. The broker does not change it.
type Principal struct {
	// Key names the client's session. At most one connection has it at a time: a new one takes over.
	Key string

	// Authorizer decides which topics the client may use. nil: all.
	Authorizer Authorizer

	// Quota limits the client's publishing. nil: no limits.
	Quota Quota

	// Subscriptions are made by the broker on the client's behalf when it connects, and last as long as
	// its session.
	Subscriptions []session.Subscription

	// MaxSubscriptions bounds the client's own subscriptions. 0: the broker's Options decide.
	MaxSubscriptions int

	// MaxUnacknowledged bounds the QoS 1 messages from the client that wait for their PUBACK, because the
	// store has to be waited for: with as many or more of them nothing more is read. 0: no such limit.
	MaxUnacknowledged int

	// KeepAlive replaces the keep-alive that CONNECT asked for; negative: none. 0: as asked.
	KeepAlive time.Duration

	// Ephemeral makes a session that ends with its connection, whatever CONNECT asked for.
	Ephemeral bool

	// Welcome is sent right behind CONNACK, at QoS 0, without the client having subscribed to anything.
	Welcome []Message

	// Lifetime ends the connection after that time, whatever happens on it. 0: no such limit.
	Lifetime time.Duration
}

// Authorizer says whether a client may use a topic. It is called on the hot path, on the goroutine of the
// client's connection: it must not block, and should not allocate. topic and filter are views, valid during
// the call.
type Authorizer interface {
	MayPublish(topic []byte) Verdict
	MaySubscribe(filter []byte) Verdict
}

// Quota limits how much a client sends. It is called on the goroutine of the client's connection: it must
// not block, and should not allocate. now is in monotonic nanoseconds.
type Quota interface {
	// Publish accounts a message; bytes is the size of the packet. A refused message is dropped and not
	// answered.
	Publish(now int64, qos byte, bytes int) Verdict
	// Read accounts bytes that have been read, and returns for how long nothing more is to be read.
	Read(now int64, bytes int) time.Duration
}

// WriteQuota is implemented by a Quota that limits what is sent to the client, too.
type WriteQuota interface {
	// Written accounts bytes that have been written, and returns for how long nothing more is to be
	// written; what is sent meanwhile waits like everything that the client does not take. Calls come one
	// at a time, on different goroutines; it must not block.
	Written(now int64, bytes int) time.Duration
}

// Verdict is an answer with its reason. The zero Verdict refuses without one.
type Verdict struct {
	OK    bool
	Rule  string // why not: a short stable token, used in logs
	Limit int64  // the limit that Rule names, and the value that broke it, where there are any
	Value int64

	// NoEcho, with OK, keeps a message from its own publisher, whatever that has subscribed to.
	NoEcho bool
}

// Allowed is the verdict that refuses nothing.
var Allowed = Verdict{OK: true}

// Interceptor takes part in the publications of clients before they are routed: RRPC answers, services of
// the platform. Both methods are called on a goroutine that is the connection's for the time; Wants must not block.
type Interceptor interface {
	// Wants reports whether Intercept is to see the messages of this topic. It must give the same answer
	// for the same topic always. topic is a view.
	Wants(topic []byte) bool
	// Intercept sees a message; p is a view, valid during the call. If it returns true the message is
	// acknowledged as usual but goes no further. While it waits for something, a disk say, the client waits, too,
	// and nobody else.
	Intercept(from *Principal, p *packet.Publish) (consumed bool)
}

// PromptInterceptor is an Interceptor some of whose topics take no time: handling them costs less than getting
// ready to wait.
type PromptInterceptor interface {
	Interceptor
	// Prompt reports whether Intercept waits for nothing with messages of this topic, which it wants. topic is a
	// view.
	Prompt(topic []byte) bool
}

// Refusal is an error that says how to refuse a CONNECT.
type Refusal struct {
	// Code is sent in CONNACK. packet.Accepted means: close without CONNACK.
	Code packet.ReturnCode
	// Rule is a short stable token for logs and metrics, such as "bad-signature".
	Rule string
	// Detail says what was wrong, for the log, without secrets.
	Detail string
	// Limit is the limit that Rule names, and Value what exceeded it, where there are any.
	Limit, Value int64
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return "broker: connection refused: " + r.Rule
	}
	return "broker: connection refused: " + r.Rule + ": " + r.Detail
}
