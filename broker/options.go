package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"time"

	"sampan/packet"
	"sampan/session"
)

// Profile chooses a set of defaults.
type Profile uint8

const (
	// Platform behaves like the MQTT endpoint of the Alibaba Cloud IoT Platform. It needs an
	// Authenticator.
	Platform Profile = iota
	// Open is for embedding, benchmarks and general clients: anonymous unless there is an Authenticator,
	// any topic, without the platform's quantity limits; what keeps one client from taking too much (Limits,
	// MaxSubscriptions, Window) is wider, not gone. QoS 2, Will and retained messages are restricted all the same.
	Open
)

func (p Profile) String() string {
	if p == Open {
		return "open"
	}
	return "platform"
}

// Limits are the restrictions on packets that a profile has by default. The result is the caller's to change: who
// lifts or sets one of them, for Options.Limits, keeps the others by starting here.
func (p Profile) Limits() packet.Limits {
	l := packet.DefaultLimits()
	if p == Open {
		l.Topic, l.Slashes, l.Filters = 0, openSlashes, 0
		l.Remaining = l.Payload + 1<<16 + 4
	}
	return l
}

// openSlashes bounds the levels of a topic in the Open profile: a filter of 64 KB that is nothing but levels
// would take megabytes of the topic tree.
const openSlashes = 127

// DeliveredQoS says at which QoS a message goes out.
type DeliveredQoS uint8

const (
	// ByProfile is PublishersQoS in the Platform profile and LowerQoS in the Open one.
	ByProfile DeliveredQoS = iota
	// PublishersQoS: the QoS the publisher used ("platform: subscription QoS is not supported").
	PublishersQoS
	// LowerQoS: the lower of the publisher's and the subscription's QoS [MQTT-3.8.4-6].
	LowerQoS
)

// Unlimited can be given for any of the Options' bounds. It has to be spelled: zero always means the
// default.
const Unlimited = -1

// Options configure a Broker. The zero value of each field is its default; a bound of zero is not "no
// bound", see Unlimited.
type Options struct {
	Profile       Profile
	Authenticator Authenticator // required in the Platform profile; nil in the Open one: anonymous
	Interceptor   Interceptor   // nil: none
	Observer      Observer      // nil: none
	Logger        *slog.Logger  // nil: slog.Default()
	Clock         Clock         // nil: the system's

	// Store keeps the sessions that outlive their connection. The broker owns it and closes it in
	// Shutdown. nil: in memory.
	Store session.Store

	// Limits are the restrictions enforced while packets are decoded. nil: Profile.Limits, which are
	// packet.DefaultLimits in the Platform profile; in the Open one the same without its limits on topics, but
	// for 127 slashes in each, and on filters per SUBSCRIBE.
	// QoS 2, Will and retained messages can be ignored or refused, but not accepted: packet.Accept means the
	// default for them.
	Limits *packet.Limits

	DeliveredQoS DeliveredQoS

	// CloseOnForbidden closes the connection of a client that publishes to a topic it may not use;
	// otherwise the message is dropped [MQTT-3.3.5-2].
	CloseOnForbidden bool
	// NoPubackOnForbidden leaves a forbidden QoS 1 PUBLISH unanswered instead of acknowledging it.
	NoPubackOnForbidden bool

	// KeepAliveMin and KeepAliveMax bound the keep-alive; a CONNECT outside is refused. Platform: 30 s to
	// 1,200 s; Open: no bounds.
	KeepAliveMin, KeepAliveMax time.Duration
	// AllowNoKeepAlive accepts a keep-alive of 0 (none) in spite of KeepAliveMin. The Open profile does
	// by default, having no KeepAliveMin.
	AllowNoKeepAlive bool
	// ClampKeepAlive accepts a keep-alive above KeepAliveMax and uses KeepAliveMax instead.
	ClampKeepAlive bool

	// ConnectTimeout bounds the time from accept to CONNECT, handshakes and authentication included.
	// Default 10 s.
	ConnectTimeout time.Duration
	// MaxConnectBytes bounds a CONNECT packet. Default 4 KiB.
	MaxConnectBytes int
	// MaxConnections bounds the connections at one time. Default 1,000,000.
	MaxConnections int
	// MaxConnectionsPerAddress bounds the connections at one time from one IPv4 address or one /64 network of
	// IPv6, and ConnectionRatePerAddress its new ones in a second, of which five times as many may come at
	// once. What exceeds them is closed. Default 10,000 and 200: devices share addresses. This machine's own
	// addresses are not limited.
	MaxConnectionsPerAddress, ConnectionRatePerAddress int
	// Exempt are networks whose addresses are not limited either: proxies, which say for whom they speak.
	Exempt []netip.Prefix
	// ConnectionRate bounds the new connections in a second of all listeners. What exceeds it waits to be
	// accepted. Default 50,000.
	ConnectionRate int
	// MaxPending bounds the connections that have not had their CONNECT accepted. Others wait to be accepted;
	// while they do, who has kept the broker waiting for longer than a quarter of ConnectTimeout is
	// disconnected for them. Default 5,000.
	MaxPending int
	// MaxHandshakes bounds the TLS handshakes at one time, in the same way. Default 500.
	MaxHandshakes int
	// MaxSessions bounds the sessions, connected or not. Default 1,000,000.
	MaxSessions int
	// MaxSubscriptions bounds the subscriptions of one client. Platform: 100; Open: 10,000.
	MaxSubscriptions int

	// OutboundBytes bounds what waits for one client's socket. Beyond it QoS 0 messages are dropped and
	// QoS 1 messages wait in the session. Default 1 MiB.
	OutboundBytes int
	// OutboundTotalBytes bounds the same for all clients together. Default 256 MiB.
	OutboundTotalBytes int
	// WriteStall is how long a client may take nothing at all before it is disconnected as a slow
	// consumer. Default 30 s.
	WriteStall time.Duration

	// Window is the number of unacknowledged QoS 1 messages towards a client. Platform: 50; Open: 4,096.
	Window int
	// QueueMessages and QueueBytes bound what waits in one session. Default 10,000 and 16 MiB.
	QueueMessages int
	QueueBytes    int64
	// QueueTotalMessages and QueueTotalBytes bound all sessions together. Default 10,000,000 and 1 GiB
	// for a store in memory, 64 GiB for another.
	QueueTotalMessages int64
	QueueTotalBytes    int64
	// DropNewest drops the new message when a queue is full, instead of the oldest.
	DropNewest bool
	// MessageExpiry is how long a QoS 1 message is kept for a client. Default 7 days.
	MessageExpiry time.Duration
	// SessionExpiry is how long a session is kept without a connection. Default 7 days.
	SessionExpiry time.Duration

	// HandlerQueue bounds the messages that wait for one in-process subscriber. Default 4,096.
	HandlerQueue int
}

// setDefaults fills in what is zero and returns every mistake.
func (o *Options) setDefaults() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("broker: "+format, args...)) }
	if o.Profile > Open {
		bad("Options.Profile %d does not exist; use Platform or Open", o.Profile)
	}
	open := o.Profile == Open
	if o.Authenticator == nil && !open {
		bad("Options.Authenticator is required in the Platform profile")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = SystemClock
	}
	if o.Limits == nil {
		l := o.Profile.Limits()
		o.Limits = &l
	} else {
		o.Limits = restricted(*o.Limits)
	}
	if o.DeliveredQoS == ByProfile {
		o.DeliveredQoS = PublishersQoS
		if open {
			o.DeliveredQoS = LowerQoS
		}
	}
	if !open {
		setDefault(&o.KeepAliveMin, 30*time.Second, Unlimited)
		setDefault(&o.KeepAliveMax, 1200*time.Second, Unlimited)
	}
	if o.KeepAliveMax > 0 && o.KeepAliveMin > o.KeepAliveMax {
		bad("Options.KeepAliveMin %v is above KeepAliveMax %v", o.KeepAliveMin, o.KeepAliveMax)
	}
	setDefault(&o.ConnectTimeout, 10*time.Second, 24*time.Hour)
	setDefault(&o.MaxConnectBytes, 4<<10, maxInt)
	setDefault(&o.MaxConnections, 1_000_000, maxInt)
	setDefault(&o.MaxConnectionsPerAddress, 10_000, maxInt)
	setDefault(&o.ConnectionRatePerAddress, 200, maxInt)
	setDefault(&o.ConnectionRate, 50_000, maxInt)
	setDefault(&o.MaxPending, 5_000, maxInt)
	setDefault(&o.MaxHandshakes, 500, maxInt)
	setDefault(&o.MaxSessions, 1_000_000, maxInt)
	setDefault(&o.OutboundBytes, 1<<20, maxInt/4)
	setDefault(&o.OutboundTotalBytes, 256<<20, maxInt/4)
	setDefault(&o.WriteStall, 30*time.Second, 24*time.Hour)
	setDefault(&o.QueueMessages, 10_000, maxInt)
	setDefault(&o.QueueBytes, 16<<20, maxInt64)
	setDefault(&o.QueueTotalMessages, 10_000_000, maxInt64)
	total := int64(64 << 30)
	if o.Store == nil {
		total = 1 << 30
	}
	setDefault(&o.QueueTotalBytes, total, maxInt64)
	setDefault(&o.MessageExpiry, 7*24*time.Hour, Unlimited)
	setDefault(&o.SessionExpiry, 7*24*time.Hour, Unlimited)
	setDefault(&o.HandlerQueue, 4096, maxInt)
	if open {
		setDefault(&o.Window, 4096, 65_535)
		setDefault(&o.MaxSubscriptions, 10_000, maxInt)
	} else {
		setDefault(&o.Window, 50, 65_535)
		setDefault(&o.MaxSubscriptions, 100, maxInt)
	}
	if o.Window > 65_535 {
		bad("Options.Window is %d, but there are only 65,535 packet identifiers", o.Window)
	}
	return errors.Join(errs...)
}

// restricted makes sure that limits do not accept what the broker cannot do.
func restricted(l packet.Limits) *packet.Limits {
	def := packet.DefaultLimits()
	for _, p := range []struct {
		policy *packet.Policy
		def    packet.Policy
	}{
		{&l.PublishQoS2, def.PublishQoS2}, {&l.SubscribeQoS2, def.SubscribeQoS2},
		{&l.Will, def.Will}, {&l.Retain, def.Retain},
	} {
		if *p.policy == packet.Accept {
			*p.policy = p.def
		}
	}
	return &l
}

// What Unlimited becomes: half of what the type holds, so that sums stay within it.
const (
	maxInt   = math.MaxInt / 2
	maxInt64 = math.MaxInt64 / 2
)

// setDefault replaces 0 by def and Unlimited, or any negative number, by unlimited.
func setDefault[T ~int | ~int64](v *T, def, unlimited T) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = unlimited
	}
}

func (o *Options) session(budget *session.Budget) session.Options {
	return session.Options{
		Window: o.Window, MaxMessages: o.QueueMessages, MaxBytes: o.QueueBytes,
		DropNewest: o.DropNewest, Budget: budget,
	}
}
