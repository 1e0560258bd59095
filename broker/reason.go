package broker

// Reason says why a connection ended or a message was dropped. Each has one counter in Stats and one token
// in the log.
type Reason uint8

// Reasons for the end of a connection.
const (
	none Reason = iota
	ClientDisconnected
	ConnectionLost
	KeepAliveTimeout
	TakenOver
	SlowConsumer
	ProtocolViolation
	ConnectRefused
	ConnectTimeout
	HandshakeFailed // or what carries MQTT has failed behind it, before CONNECT was accepted
	TooManyConnections
	AddressLimit // too many connections from one address, or too fast
	Displaced    // kept the broker waiting while others waited for the place
	Kicked
	StoreFailed
	ShuttingDown

	// Reasons for dropping a message.
	DropOutboundFull  // QoS 0: the client's outbound buffer was full
	DropOffline       // QoS 0: the client's connection was gone
	DropQueueFull     // QoS 1: the session's queue was full
	DropQueueBudget   // QoS 1: all queues together were full
	DropExpired       // QoS 1: older than the storage time
	DropUnreadable    // QoS 1: the store could not read the message back
	DropForbidden     // the publisher may not use the topic
	DropQuota         // the publisher exceeded its quota
	DropHandlerBehind // an in-process subscriber did not keep up
	reasonCount
)

var reasonTokens = [reasonCount]string{
	none:               "none",
	ClientDisconnected: "client-disconnected",
	ConnectionLost:     "connection-lost",
	KeepAliveTimeout:   "keep-alive-timeout",
	TakenOver:          "taken-over",
	SlowConsumer:       "slow-consumer",
	ProtocolViolation:  "protocol-violation",
	ConnectRefused:     "connect-refused",
	ConnectTimeout:     "connect-timeout",
	HandshakeFailed:    "handshake-failed",
	TooManyConnections: "too-many-connections",
	AddressLimit:       "address-limit",
	Displaced:          "displaced",
	Kicked:             "kicked",
	StoreFailed:        "store-failed",
	ShuttingDown:       "shutting-down",
	DropOutboundFull:   "outbound-full",
	DropOffline:        "offline",
	DropQueueFull:      "queue-full",
	DropQueueBudget:    "queue-budget",
	DropExpired:        "expired",
	DropUnreadable:     "unreadable",
	DropForbidden:      "forbidden",
	DropQuota:          "quota",
	DropHandlerBehind:  "handler-behind",
}

// String is the reason's token.
func (r Reason) String() string { return reasonTokens[r] }

// firstDrop is where the reasons for dropping begin.
const firstDrop = DropOutboundFull
