package server

import (
	"time"

	"github.com/spf13/pflag"

	"sampan/broker"
	"sampan/cmd/internal/value"
)

// Bounds keep the broker within its machine. Each has a default in broker.Options.
type Bounds struct {
	bounds []*bound

	UnauthenticatedBytes value.Bound
}

// unauthenticatedBytes is the default for what a client may send before its CONNECT was accepted: handshake,
// certificates, WebSocket request and CONNECT together take a few kilobytes.
const unauthenticatedBytes = 64 << 10

// bound is one setting with the option that it sets.
type bound struct {
	name, help string
	value      value.Bound
	apply      func(o *broker.Options, n int64)
}

func (b *Bounds) register(flags *pflag.FlagSet) {
	count, size, duration := value.CountBound, value.SizeBound, value.DurationBound
	b.bounds = []*bound{
		{"max-connections", "connections at one time (1000000)", count(), func(o *broker.Options, n int64) { o.MaxConnections = int(n) }},
		{"max-connections-per-address", "connections at one time from one IPv4 address or IPv6 /64 network (10000)", count(), func(o *broker.Options, n int64) { o.MaxConnectionsPerAddress = int(n) }},
		{"max-connection-rate-per-address", "its new connections in a second, five times as many at once (200)", count(), func(o *broker.Options, n int64) { o.ConnectionRatePerAddress = int(n) }},
		{"max-connection-rate", "new connections in a second altogether; others wait (50000)", count(), func(o *broker.Options, n int64) { o.ConnectionRate = int(n) }},
		{"max-pending", "connections whose CONNECT was not accepted yet; others wait (5000)", count(), func(o *broker.Options, n int64) { o.MaxPending = int(n) }},
		{"max-handshakes", "TLS handshakes at one time; others wait (500)", count(), func(o *broker.Options, n int64) { o.MaxHandshakes = int(n) }},
		{"max-sessions", "sessions, connected or not (1000000)", count(), func(o *broker.Options, n int64) { o.MaxSessions = int(n) }},
		{"max-connect-bytes", "size of a CONNECT packet (4KiB)", size(), func(o *broker.Options, n int64) { o.MaxConnectBytes = int(n) }},
		{"connect-timeout", "time from accept to CONNECT, handshakes included (10s)", duration(), func(o *broker.Options, n int64) { o.ConnectTimeout = time.Duration(n) }},
		{"session-expiry", "time that a session is kept without a connection (7d)", duration(), func(o *broker.Options, n int64) { o.SessionExpiry = time.Duration(n) }},
		{"outbound-bytes", "what waits for one client's socket; then QoS 0 is dropped and QoS 1 waits in the session (1MiB)", size(), func(o *broker.Options, n int64) { o.OutboundBytes = int(n) }},
		{"outbound-total-bytes", "the same for all clients together (256MiB)", size(), func(o *broker.Options, n int64) { o.OutboundTotalBytes = int(n) }},
		{"write-stall", "time that a client may take nothing before it is cut off (30s)", duration(), func(o *broker.Options, n int64) { o.WriteStall = time.Duration(n) }},
		{"queue-messages", "QoS 1 messages that wait in one session (10000)", count(), func(o *broker.Options, n int64) { o.QueueMessages = int(n) }},
		{"queue-bytes", "their size (16MiB)", size(), func(o *broker.Options, n int64) { o.QueueBytes = n }},
		{"queue-total-messages", "the same for all sessions together (10000000)", count(), func(o *broker.Options, n int64) { o.QueueTotalMessages = n }},
		{"queue-total-bytes", "their size (1GiB in memory, 64GiB on disk)", size(), func(o *broker.Options, n int64) { o.QueueTotalBytes = n }},
	}
	b.UnauthenticatedBytes = size()
	flags.Var(&b.UnauthenticatedBytes, "max-unauthenticated-bytes", "what a client may send before its CONNECT was accepted, over TLS or WebSocket (64KiB)")
	for _, b := range b.bounds {
		flags.Var(&b.value, b.name, b.help)
	}
}

// apply sets the options that were given; the others keep the broker's defaults.
func (b *Bounds) apply(o *broker.Options) {
	for _, b := range b.bounds {
		if b.value.Value != 0 {
			b.apply(o, b.value.Value)
		}
	}
}

// unauthenticated is what a client may send before its CONNECT was accepted; 0: anything.
func (b *Bounds) unauthenticated() int {
	switch n := b.UnauthenticatedBytes.Value; {
	case n == 0:
		return unauthenticatedBytes
	case n < 0:
		return 0
	default:
		return int(n)
	}
}
