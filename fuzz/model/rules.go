package model

import (
	"strings"
	"time"

	"sampan/packet"
)

// Rules are what the standard leaves to a broker, or what the platform does otherwise. Zero quantities mean
// that there is no such bound, or that it is not known.
type Rules struct {
	Name string

	// Limits are the restrictions on packets, such as QoS 2 refused. Their Level and Types are not used.
	Limits packet.Limits

	// Strict holds for a broker whose choices are known: each message once however many subscriptions
	// match, all messages of one QoS in one order, PUBACKs in the order of the messages, connections
	// closed at the very instant.
	Strict bool

	LowerQoS bool // deliver at the lower of the publisher's and the subscription's QoS [MQTT-3.8.4-6]; otherwise at the publisher's
	QoS2     bool // QoS 2 is supported
	Will     bool // Will is supported
	Retain   bool // retained messages are supported

	KeepAliveMin     time.Duration // a CONNECT below or above is refused
	KeepAliveMax     time.Duration
	ConnectTimeout   time.Duration // from the connection's beginning to CONNECT
	MaxSubscriptions int           // of one session
	Window           int           // QoS 1 messages sent and not acknowledged, of one session
	Queue            int           // QoS 1 messages that wait in one session; beyond it the oldest is dropped
	Outbound         int           // bytes that wait for a client that does not read
	WriteStall       time.Duration // a client that takes nothing for so long is disconnected
	SessionExpiry    time.Duration // without a connection
	MessageExpiry    time.Duration // of a QoS 1 message that waits

	NoKeepAlive    bool // a keep-alive of 0 is accepted in spite of KeepAliveMin
	DropNewest     bool // a full queue drops the new message
	CloseForbidden bool // who publishes to a forbidden topic is disconnected [MQTT-3.3.5-2]

	// Forbidden is a prefix of topics that nobody may publish or subscribe to. Empty: none.
	Forbidden string
	// Password is what every client must send. Empty: none is asked for.
	Password string

	// Principal is what every client is told to be.
	Principal Principal

	// Slack is how early a broker may be at the end of a keep-alive, as far as the model can tell: over a
	// network nobody knows to the millisecond when it has received a packet.
	Slack time.Duration

	// Foreign reports topics that others use at the same time, whose messages say nothing. nil: none.
	Foreign func(topic string) bool
}

// Open is the broker's profile for general clients.
func Open() Rules {
	l := packet.DefaultLimits()
	l.Topic, l.Slashes, l.Filters = 0, 127, 0
	l.Remaining = l.Payload + 1<<16 + 4
	l.Connect = 4 << 10
	return Rules{
		Name: "open", Limits: l, Strict: true, LowerQoS: true,
		ConnectTimeout: 10 * time.Second, MaxSubscriptions: 10_000, Window: 4096, Queue: 10_000,
		SessionExpiry: week, MessageExpiry: week, WriteStall: 30 * time.Second,
	}
}

const week = 7 * 24 * time.Hour

// Platform is the platform's endpoint: keep-alive of 30 to 1,200 s, 100 subscriptions, 50 messages in
// flight, the publisher's QoS, a password, and topics that are forbidden.
func Platform() Rules {
	r := Open()
	r.Name, r.LowerQoS = "platform", false
	r.Limits = packet.DefaultLimits()
	r.Limits.Connect = 4 << 10
	r.KeepAliveMin, r.KeepAliveMax = 30*time.Second, 1200*time.Second
	r.MaxSubscriptions, r.Window = 100, 50
	r.Forbidden, r.Password = "no/", "secret"
	return r
}

// Small is Open with bounds that a short script reaches.
func Small() Rules {
	r := Open()
	r.Name = "small"
	r.MaxSubscriptions, r.Window, r.Queue = 3, 2, 3
	r.MessageExpiry = time.Hour
	return r
}

// Tight is Small with room for a handful of packets towards a client that does not read.
func Tight() Rules {
	r := Small()
	r.Name, r.Outbound = "tight", 64
	return r
}

// Standard is MQTT 3.1.1 without restrictions, as a general broker serves it. What such a broker may
// choose is not held against it.
func Standard() Rules {
	return Rules{
		Name: "standard", LowerQoS: true, QoS2: true, Will: true, Retain: true,
	}
}

// ByName returns the rules called so: platform, open, small, tight or standard.
func ByName(name string) (Rules, bool) {
	switch name {
	case "platform":
		return Platform(), true
	case "open":
		return Open(), true
	case "small":
		return Small(), true
	case "tight":
		return Tight(), true
	case "standard":
		return Standard(), true
	}
	return Rules{}, false
}

func (r *Rules) forbidden(topic string) bool {
	return begins(topic, r.Forbidden)
}

// beyond returns the restriction that a topic name or filter breaks by its length or its levels, of which the
// platform's own topics may have three more. Empty: none.
func (r *Rules) beyond(topic string) string {
	most := r.Limits.Slashes
	if len(topic) > 5 && (strings.HasPrefix(topic, "/sys/") || strings.HasPrefix(topic, "/ext/")) {
		most += 3
	}
	switch {
	case r.Limits.Topic > 0 && len(topic) > r.Limits.Topic:
		return string(packet.RuleLimitTopic)
	case r.Limits.Slashes > 0 && strings.Count(topic, "/") > most:
		return string(packet.RuleLimitTopicLevel)
	}
	return ""
}

// limits returns the restrictions for a connection that has settled on a level, or on none yet.
func (r *Rules) limits(level byte) *packet.Limits {
	l := r.Limits
	l.Level = level
	l.Types = packet.FirstFromClient
	if level != 0 {
		l.Types = packet.FromClient
	}
	return &l
}
