package broker

import (
	"context"
	"log/slog"
	"time"

	"sampan/packet"
)

// Observer is told what happens to clients. Observe is called on the goroutine where it happens, for many
// at once; it must not block. Messages are counted in Stats and not observed.
type Observer interface{ Observe(Event) }

// ObserverFunc makes an Observer of a function.
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }

// EventKind says what an Event is about.
type EventKind uint8

// What can happen to a client.
const (
	Connected         EventKind = iota + 1
	Refused                     // its connection was not accepted; see Reason and Rule
	Disconnected                // see Reason
	Subscribed                  // Topic is the filter, Value the granted QoS
	SubscribeRefused            // Topic is the filter, Rule says why
	Unsubscribed                // Topic is the filter
	PublishRefused              // Topic, Rule
	FieldIgnored                // a Will, a RETAIN flag or QoS 2 was ignored by configuration; Rule says which
	SessionDiscarded            // expired, or replaced by a clean one
	MessagesDropped             // QoS 1 messages for the client were dropped; Reason, Value of them; Rule names the bound of a full queue
	ConnectionShed              // a connection was closed at once because there are too many
	ConnectionDelayed           // connections wait to be accepted; Rule says why
)

var eventNames = [...]string{
	Connected: "connected", Refused: "refused", Disconnected: "disconnected", Subscribed: "subscribed",
	SubscribeRefused: "subscribe refused", Unsubscribed: "unsubscribed", PublishRefused: "publish refused",
	FieldIgnored: "field ignored", SessionDiscarded: "session discarded", MessagesDropped: "messages dropped", ConnectionShed: "connection shed",
	ConnectionDelayed: "connections wait to be accepted",
}

func (k EventKind) String() string { return eventNames[k] }

// Event is one thing that happened. Fields that do not apply are zero.
type Event struct {
	Kind       EventKind
	Time       time.Time
	Connection uint64 // number of the connection, from 1
	Client     string // the session's key, once known
	ClientID   string // as sent in CONNECT
	Addr       string // the client's address
	Listener   string
	Reason     Reason
	Rule       string // statement id (MQTT-2.2.2-2), or a token of the broker or of an extension
	Detail     string
	Limit      int64 // the limit that was exceeded, and by which value, where there is one
	Value      int64
	Offset     int         // of the fault of a malformed packet, in bytes from its first one
	LastPacket packet.Type // the last packet that the client sent, as far as it has come; 0 also for one of the reserved type 0
	Idle       time.Duration
	Topic      string
	Count      uint64 // which such event of this connection it is; logged when a power of two
	Missed     uint64 // such events of strangers since the last line in the log, which got none
	KeepAlive  time.Duration
	Clean      bool
	Present    bool // session present
	Level      byte
}

// Log lines in a second, and at once, about connections that end before their client is known, for each reason.
const (
	strangerLines = 20
	strangerBurst = 100
)

// level is that of an event's log line.
func (k EventKind) level() slog.Level {
	switch k {
	case Subscribed, Unsubscribed:
		return slog.LevelDebug
	case Refused, SubscribeRefused, PublishRefused, MessagesDropped, ConnectionShed, ConnectionDelayed:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// heeded reports whether anybody will see an event of this kind.
func (b *Broker) heeded(k EventKind) bool {
	return b.opts.Observer != nil || b.log.Enabled(context.Background(), k.level())
}

// emit hands on an event of the connection, from the goroutine that handles it. Whoever hears of it may take time.
func (c *conn) emit(e Event) {
	if c.broker.heeded(e.Kind) {
		c.leave()
		c.broker.emit(e)
	}
}

// emit counts, logs and hands on an event. It is the one place where log lines are made.
func (b *Broker) emit(e Event) {
	e.Time = b.ticker.clock.Now()
	if b.opts.Observer != nil {
		b.opts.Observer.Observe(e)
	}
	level := e.Kind.level()
	// A client that keeps doing the same wrong thing must not fill the log: its 1st, 2nd, 4th, 8th, ...
	// time is logged.
	if e.Count&(e.Count-1) != 0 || !b.log.Enabled(context.Background(), level) {
		return
	}
	// Neither must strangers, of whom there can be many.
	if e.Client == "" && (e.Kind == Refused || e.Kind == ConnectionShed) {
		var ok bool
		if ok, e.Missed = b.strangers[e.Reason].Tell(); !ok {
			return
		}
	}
	attrs := make([]slog.Attr, 0, 16)
	add := func(a slog.Attr) { attrs = append(attrs, a) }
	addText := func(key, value string) {
		if value != "" {
			add(slog.String(key, value))
		}
	}
	add(slog.Uint64("conn", e.Connection))
	addText("client", e.Client)
	if e.ClientID != e.Client {
		addText("clientID", e.ClientID)
	}
	addText("addr", e.Addr)
	addText("listener", e.Listener)
	if e.Reason != none {
		addText("reason", e.Reason.String())
	}
	addText("rule", e.Rule)
	addText("detail", e.Detail)
	if e.Limit != 0 || e.Value != 0 {
		add(slog.Int64("limit", e.Limit))
		add(slog.Int64("value", e.Value))
	}
	addText("topic", e.Topic)
	if e.LastPacket != 0 {
		addText("lastPacket", e.LastPacket.String())
	}
	if e.Kind == Disconnected {
		add(slog.Duration("idle", e.Idle.Round(time.Millisecond)))
	}
	if e.Kind == Connected {
		add(slog.Int("level", int(e.Level)))
		add(slog.Bool("clean", e.Clean))
		add(slog.Bool("sessionPresent", e.Present))
		add(slog.Duration("keepAlive", e.KeepAlive))
	}
	if e.Count > 1 {
		add(slog.Uint64("count", e.Count))
	}
	if e.Missed > 0 {
		add(slog.Uint64("missed", e.Missed))
	}
	b.log.LogAttrs(context.Background(), level, e.Kind.String(), attrs...)
}
