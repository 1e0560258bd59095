package broker

import (
	"sync/atomic"
	"time"

	"sampan/session"
)

// counters are the broker's own. Goroutines that move many messages add to them once per read, not once
// per message.
type counters struct {
	connections     atomic.Int64 // open, authenticated or not
	connected       atomic.Int64 // with a session
	accepted        atomic.Uint64
	delayed         atomic.Uint64
	sessions        atomic.Int64
	subscriptions   atomic.Int64
	packetsReceived atomic.Uint64
	bytesReceived   atomic.Uint64
	bytesSent       atomic.Uint64
	received        [2]atomic.Uint64 // PUBLISH, by QoS
	sent            [2]atomic.Uint64
	intercepted     atomic.Uint64
	redelivered     atomic.Uint64
	acknowledged    atomic.Uint64
	ignoredFields   atomic.Uint64
	subRefused      atomic.Uint64
	reasons         [reasonCount]atomic.Uint64
}

// Stats is a snapshot of a broker. Every bound in Options has its gauge here, and every reason to refuse,
// disconnect or drop its counter. Counters only grow.
type Stats struct {
	Connections      int64 // open now, those that have not sent CONNECT included
	Connected        int64 // with a session now
	Accepted         uint64
	Pending          int64  // connections whose CONNECT was not accepted yet
	Delayed          uint64 // connections that waited to be accepted
	Handshakes       int64  // TLS handshakes in progress
	HandshakesQueued int64  // connections that wait for their handshake
	HandshakeDelays  uint64 // handshakes that had to wait
	Addresses        int64  // addresses and networks whose connections are counted
	Clients          int64  // sessions and in-process subscribers known
	Sessions         int64
	Subscriptions    int64
	PacketsReceived  uint64
	BytesReceived    uint64
	BytesSent        uint64
	Received         [2]uint64 // PUBLISH packets from clients, by QoS
	Sent             [2]uint64 // PUBLISH packets to clients, by QoS
	Intercepted      uint64    // PUBLISH packets that an Interceptor consumed
	Redelivered      uint64
	Acknowledged     uint64 // PUBACKs received
	IgnoredFields    uint64 // Will, RETAIN and QoS 2 ignored by configuration
	SubscribeRefused uint64 // topic filters refused
	QueuedMessages   int64  // QoS 1 messages that wait in sessions
	QueuedBytes      int64
	OutboundBytes    int64 // bytes that wait for sockets which do not take them
	Deadlines        int   // timers

	Ended   map[string]uint64 // connections ended, by Reason token
	Dropped map[string]uint64 // messages dropped, by Reason token
	Store   session.StoreStats
	Bounds  Bounds
}

// Bounds are the limits in force, beside the gauges in Stats that they bound.
type Bounds struct {
	Connections        int64
	AddressConnections int64 // from one address
	AddressRate        int64 // new ones in a second from one address
	ConnectionRate     int64 // new ones in a second
	Pending            int64
	Handshakes         int64
	ConnectBytes       int64 // of a CONNECT packet
	Sessions           int64
	Subscriptions      int64 // of one client
	OutboundBytes      int64 // of one client
	OutboundTotalBytes int64
	QueueMessages      int64 // of one session
	QueueBytes         int64
	QueueTotalMessages int64
	QueueTotalBytes    int64
	Window             int64
	ConnectTimeout     time.Duration
	WriteStall         time.Duration
	SessionExpiry      time.Duration // a very large one if sessions are kept for ever
}

// Stats returns a snapshot. Its numbers are read one after the other, not at one instant.
func (b *Broker) Stats() Stats {
	c := &b.stats
	pending, handshakes := b.gate.pending.Stats(), b.gate.handshakes.Stats()
	s := Stats{
		Connections:      c.connections.Load(),
		Connected:        c.connected.Load(),
		Accepted:         c.accepted.Load(),
		Pending:          int64(pending.Taken),
		Delayed:          c.delayed.Load(),
		Handshakes:       int64(handshakes.Taken),
		HandshakesQueued: int64(handshakes.Waiting),
		HandshakeDelays:  handshakes.Waited,
		Addresses:        int64(b.gate.sources.Len()),
		Clients:          b.clients.count.Load(),
		Sessions:         c.sessions.Load(),
		Subscriptions:    c.subscriptions.Load(),
		PacketsReceived:  c.packetsReceived.Load(),
		BytesReceived:    c.bytesReceived.Load(),
		BytesSent:        c.bytesSent.Load(),
		Intercepted:      c.intercepted.Load(),
		Redelivered:      c.redelivered.Load(),
		Acknowledged:     c.acknowledged.Load(),
		IgnoredFields:    c.ignoredFields.Load(),
		SubscribeRefused: c.subRefused.Load(),
		QueuedMessages:   b.budget.Messages(),
		QueuedBytes:      b.budget.Bytes(),
		OutboundBytes:    b.outboundBytes.Load(),
		Deadlines:        b.deadlines.Len(),
		Ended:            make(map[string]uint64),
		Dropped:          make(map[string]uint64),
		Store:            b.store.Stats(),
		Bounds: Bounds{
			Connections:        int64(b.opts.MaxConnections),
			AddressConnections: int64(b.opts.MaxConnectionsPerAddress),
			AddressRate:        int64(b.opts.ConnectionRatePerAddress),
			ConnectionRate:     int64(b.opts.ConnectionRate),
			Pending:            int64(b.opts.MaxPending),
			Handshakes:         int64(b.opts.MaxHandshakes),
			ConnectBytes:       int64(b.opts.MaxConnectBytes),
			Sessions:           int64(b.opts.MaxSessions),
			Subscriptions:      int64(b.opts.MaxSubscriptions),
			OutboundBytes:      int64(b.opts.OutboundBytes),
			OutboundTotalBytes: int64(b.opts.OutboundTotalBytes),
			QueueMessages:      int64(b.opts.QueueMessages),
			QueueBytes:         b.opts.QueueBytes,
			QueueTotalMessages: b.opts.QueueTotalMessages,
			QueueTotalBytes:    b.opts.QueueTotalBytes,
			Window:             int64(b.opts.Window),
			ConnectTimeout:     b.opts.ConnectTimeout,
			WriteStall:         b.opts.WriteStall,
			SessionExpiry:      b.opts.SessionExpiry,
		},
	}
	if s.Bounds.SessionExpiry < 0 {
		s.Bounds.SessionExpiry = maxInt64
	}
	for i := range c.received {
		s.Received[i] = c.received[i].Load()
		s.Sent[i] = c.sent[i].Load()
	}
	for r := none + 1; r < reasonCount; r++ {
		if r < firstDrop {
			s.Ended[r.String()] = c.reasons[r].Load()
		} else {
			s.Dropped[r.String()] = c.reasons[r].Load()
		}
	}
	return s
}
