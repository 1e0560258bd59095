package server

import (
	"slices"
	"time"

	"github.com/spf13/pflag"

	"sampan/broker"
	"sampan/broker/quota"
	"sampan/cmd/internal/value"
)

// openQuantities is the table of the open profile: nothing of the platform's, but what keeps one client from taking
// the broker for itself. The broker has these defaults (broker.Options), a test compares them.
func openQuantities() *quota.Limits {
	packets := broker.Open.Limits()
	l := quota.Open()
	l.Payload, l.TopicSlashes = quota.Bytes(packets.Payload), packets.Slashes
	l.TopicLength, l.FiltersPerSubscribe = quota.Bytes(packets.Topic), packets.Filters
	l.Subscriptions, l.InFlight, l.Storage = 10_000, 4096, 7*24*time.Hour
	return l
}

// ofBroker are the quantities that the broker itself keeps, in both profiles. Every other one, and every rate, is of
// the platform around it, which the open profile does not have.
var ofBroker = []string{
	"limit-payload", "limit-topic-length", "limit-topic-slashes", "limit-filters-per-subscribe", "limit-subscriptions",
	"limit-in-flight", "limit-storage", "limit-keep-alive-min", "limit-keep-alive-max",
}

// ofPlatform are the settings beside quantities that are about devices, their topics and those who call them.
var ofPlatform = []string{"api", "forbidden-publish", "match-channel", "plain-registration"}

// asItIs are the words by which such a setting says how it is in the open profile anyway: no API, no such rule, and
// nothing forbidden.
var asItIs = []string{"off", "false", "acknowledge"}

// idle names the settings that were given and have no effect in the open profile. What only says how it is there
// anyway is not among them.
func (s *Settings) idle() (names []string) {
	s.flags.VisitAll(func(f *pflag.Flag) {
		asks := false
		switch v := f.Value.(type) {
		case *value.Rate:
			asks = v.Limit > 0
		case *value.Bound:
			asks = v.Value > 0 && s.Limits.has(f.Name) && !slices.Contains(ofBroker, f.Name)
		default:
			asks = slices.Contains(ofPlatform, f.Name) && !slices.Contains(asItIs, v.String())
		}
		if f.Changed && asks {
			names = append(names, f.Name)
		}
	})
	return names
}
