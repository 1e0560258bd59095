// Package scenario says what a benchmark does to a broker. A scenario is a
// value: take one from [Of] or [Find], change what should be different, and
// give it to bench.Run.
package scenario

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Kind is the shape of a scenario.
type Kind string

const (
	// Connect opens connections: as many as possible, each closed after its
	// CONNACK, or with Stay a number of them at a rate, which then stay.
	Connect Kind = "connect"
	// Idle opens connections and leaves them alone.
	Idle Kind = "idle"
	// Fanout has few publishers and many subscribers who get everything.
	Fanout Kind = "fanout"
	// Fanin has many publishers, each on a topic of its own, and few
	// subscribers who get their share by a wildcard.
	Fanin Kind = "fanin"
	// Pairs has publishers with one subscriber each.
	Pairs Kind = "pairs"
	// Wildcard is Fanout through filters with a wildcard.
	Wildcard Kind = "wildcard"
	// RRPC calls devices, which answer; the latency is that of the answer.
	RRPC Kind = "rrpc"
	// Broadcast is Fanout on the platform's broadcast topic.
	Broadcast Kind = "broadcast"
	// Churn has clients that connect, subscribe, publish one message to
	// themselves, receive it and disconnect, again and again.
	Churn Kind = "churn"
	// Takeover is Pairs whose subscribers connect a second time, with the same
	// client identifier, while messages are on their way to them.
	Takeover Kind = "takeover"
	// Offline publishes to subscribers who are away, and then lets them come
	// back and fetch what was queued.
	Offline Kind = "offline"
	// Soak is Pairs and Churn together, for long.
	Soak Kind = "soak"
)

// Kinds lists all of them, in the order in which a person meets them.
var Kinds = []Kind{Connect, Idle, Fanout, Fanin, Pairs, Wildcard, RRPC, Broadcast, Churn, Takeover, Offline, Soak}

// Scenario is what happens. Fields that a kind does not use are zero.
type Scenario struct {
	// Name is the kind or the preset's name; About is one sentence.
	Name  string `json:"name"`
	About string `json:"about"`
	Kind  Kind   `json:"kind"`

	// Publishers and Subscribers are the clients that send and receive. Pairs,
	// Takeover, Offline and Soak have one publisher for each subscriber and
	// leave Publishers zero.
	Publishers  int `json:"publishers,omitempty"`
	Subscribers int `json:"subscribers,omitempty"`
	// Clients are those that connect, in Connect, Idle and Churn, and the
	// devices of RRPC. In Soak they are those that come and go.
	Clients int `json:"clients,omitempty"`
	// QoS is that of publishing and subscribing, 0 or 1.
	QoS byte `json:"qos"`
	// Payload is the size of a message in bytes, at least 16.
	Payload int `json:"payload_bytes,omitempty"`

	// Rate makes an open load: messages a second of all publishers together,
	// or connections a second of all clients. 0 makes a closed load.
	Rate float64 `json:"rate_per_second,omitempty"`
	// Window is what is under way in a closed load: messages of each
	// publisher, sent at once, and the next when all have arrived everywhere;
	// or connections of all clients.
	Window int `json:"window,omitempty"`
	// Sliding sends a new message for each one that arrived, instead of whole
	// windows.
	Sliding bool `json:"sliding,omitempty"`
	// Cycles is the rate of connections in Soak, and of takeovers in Takeover,
	// a second.
	Cycles float64 `json:"cycles_per_second,omitempty"`
	// Messages is how many messages are queued for each client of Offline.
	Messages int `json:"messages,omitempty"`
	// Stay keeps the connections of Connect open.
	Stay bool `json:"stay,omitempty"`
	// Shared makes the subscribers of Fanin share one subscription ($share).
	Shared bool `json:"shared,omitempty"`
	// Self lets every client of Pairs publish to itself.
	Self bool `json:"self,omitempty"`

	// Unrelated is a number of further filters that match nothing, held by
	// UnrelatedClients (0: one for every 1,000 filters).
	Unrelated        int `json:"unrelated_filters,omitempty"`
	UnrelatedClients int `json:"unrelated_clients,omitempty"`
	// IdleClients are connected and do nothing.
	IdleClients int `json:"idle_clients,omitempty"`
	// Earlier is a number of clients that subscribe to the same before the
	// load begins, and go.
	Earlier int `json:"earlier_subscribers,omitempty"`

	// Topic and Filter are templates; empty: those of the kind. In them {run}
	// is different in every run, {i} is the number of the publisher, {s} that
	// of the subscriber, and {pk} and {dn} are the names of the client that
	// Credentials give: the subscriber's in Filter and in topics that reach
	// one subscriber, else the publisher's.
	Topic  string `json:"topic,omitempty"`
	Filter string `json:"filter,omitempty"`

	// Warmup and Cooldown are under load and not measured; Duration is. A
	// Connect with Stay and an Offline have as much to do as they have;
	// Duration is then how long connections are held.
	Warmup   time.Duration `json:"warmup_ns"`
	Duration time.Duration `json:"duration_ns"`
	Cooldown time.Duration `json:"cooldown_ns"`
	// KeepAlive is announced by every client; 0: 300 s.
	KeepAlive time.Duration `json:"keep_alive_ns,omitempty"`
}

// Stamp is the smallest payload in bytes: it holds the message's stamp.
const Stamp = 16

// Check reports what is missing or contradictory, all of it.
func (s *Scenario) Check() error {
	var errs []error
	bad := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf("scenario %s: "+format, append([]any{s.Name}, args...)...))
		}
	}
	bad(!slices.Contains(Kinds, s.Kind), "no kind %q", s.Kind)
	bad(s.QoS > 1, "QoS %d: the platform has 0 and 1", s.QoS)
	bad(s.sends() && s.Payload < Stamp, "a payload of %d bytes cannot hold the stamp of %d", s.Payload, Stamp)
	for _, rate := range []float64{s.Rate, s.Cycles} {
		bad(rate < 0 || math.IsNaN(rate) || math.IsInf(rate, 0), "a rate of %v a second", rate)
	}
	bad(min(s.Window, s.Unrelated, s.UnrelatedClients, s.IdleClients, s.Earlier) < 0, "a negative number of messages, filters or clients")
	bad(s.Duration <= 0, "nothing is measured in a duration of %v", s.Duration)
	bad(s.Warmup < 0 || s.Cooldown < 0, "a negative warm-up or cool-down")
	switch s.Kind {
	case Connect, Idle, Churn:
		bad(s.Clients < 1, "no clients")
	case RRPC:
		bad(s.Clients < 1, "no devices")
		bad(s.QoS != 0, "RRPC answers come at QoS 0")
	case Fanout, Fanin, Wildcard, Broadcast:
		bad(s.Publishers < 1 || s.Subscribers < 1, "%d publishers and %d subscribers", s.Publishers, s.Subscribers)
	case Pairs, Takeover, Offline, Soak:
		bad(s.Subscribers < 1, "no subscribers")
		bad(s.Publishers != 0, "has a publisher for each subscriber, so Publishers stays 0")
	}
	switch s.Kind {
	case Takeover:
		bad(s.QoS != 1, "what a takeover must not lose is QoS 1")
		bad(s.Cycles <= 0, "no rate of takeovers")
		bad(s.Rate <= 0, "messages come at a rate")
	case Offline:
		bad(s.QoS != 1, "only QoS 1 is queued")
		bad(s.Messages < 1, "no messages to queue")
		bad(s.Window < 1, "no window")
	case Soak:
		bad(s.Rate <= 0, "messages come at a rate")
		bad(s.Cycles > 0 && s.Clients < 1, "no clients that come and go")
	case Idle:
	case Connect:
		bad(s.Stay && s.Rate <= 0 && s.Window < 1, "neither a rate nor a window")
		bad(!s.Stay && s.Rate <= 0 && s.Window < 1, "neither a rate nor a window")
	default:
		bad(s.Rate <= 0 && s.Window < 1, "neither a rate nor a window")
	}
	bad(s.Shared && s.Kind != Fanin, "a shared subscription is for fanin")
	bad(s.Self && s.Kind != Pairs, "publishing to oneself is for pairs")
	return errors.Join(errs...)
}

// sends reports whether messages are part of the scenario.
func (s *Scenario) sends() bool { return s.Kind != Connect && s.Kind != Idle }
