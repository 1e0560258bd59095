package server

import (
	"log/slog"
	"math"
	"time"

	"sampan/broker"
	"sampan/broker/quota"
	"sampan/packet"
)

func (s *Settings) open() bool { return s.profile() == broker.Open }

func (s *Settings) profile() broker.Profile {
	if s.Profile.String() == broker.Open.String() {
		return broker.Open
	}
	return broker.Platform
}

// quotas is the table of quantities in force.
func (s *Settings) quotas() *quota.Limits {
	l := quota.Platform()
	if s.open() {
		l = openQuantities()
	}
	s.Limits.apply(l)
	return l
}

// options are the broker's options as far as settings make them; who may come in is not among them. What
// is not set is left zero: the broker has the defaults of both profiles.
func (s *Settings) options(log *slog.Logger) broker.Options {
	o := broker.Options{Logger: log, Profile: s.profile(), Exempt: s.ProxyFrom}
	s.Bounds.apply(&o)
	s.Policy.apply(&o)
	o.Limits = s.decodeLimits()
	o.MaxSubscriptions = int(s.Limits.set("limit-subscriptions"))
	o.Window = int(s.Limits.set("limit-in-flight"))
	o.MessageExpiry = time.Duration(s.Limits.set("limit-storage"))
	o.KeepAliveMin = time.Duration(s.Limits.set("limit-keep-alive-min"))
	o.KeepAliveMax = time.Duration(s.Limits.set("limit-keep-alive-max"))
	return o
}

// decodeLimits are the restrictions on packets, or nil if none was set. The others stay what the profile has: one
// that is set must not lift its neighbours.
func (s *Settings) decodeLimits() *packet.Limits {
	l := s.profile().Limits()
	changed := false
	for name, field := range map[string]*int{
		"limit-payload":               &l.Payload,
		"limit-topic-length":          &l.Topic,
		"limit-topic-slashes":         &l.Slashes,
		"limit-filters-per-subscribe": &l.Filters,
	} {
		if n := s.Limits.set(name); n != 0 {
			*field, changed = int(max(0, n)), true
		}
	}
	if !changed {
		return nil
	}
	l.Remaining = 0
	if l.Payload > 0 {
		const lengthAndIdentifier = 2 + 2
		topic := l.Topic
		if topic == 0 {
			topic = math.MaxUint16
		}
		l.Remaining = min(packet.MaxRemaining, topic+lengthAndIdentifier+l.Payload)
	}
	return &l
}
