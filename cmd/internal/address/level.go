package address

import (
	"fmt"
	"slices"
	"strings"
)

// Level is how well a channel protects what it carries and proves who sends it.
type Level string

// The platform's three levels, and TLS with nothing but the server's certificate, which is none of them: it
// hides everything and proves the server only, so that the device's signature has to do for the device.
const (
	Low     Level = "low"    // plain TCP: anybody on the way can read along
	TLSOnly Level = "tls"    // TLS without a client certificate
	Medium  Level = "medium" // keys made of the device's secret
	High    Level = "high"   // a key of the device's own: a client certificate, a chip
)

// carries are the levels of a channel, from the lowest.
var carries = map[Scheme][]Level{
	MQTT: {Low}, WS: {Low}, Unix: {Low},
	MQTTS: {TLSOnly, High}, WSS: {TLSOnly, High},
	PSK: {Medium}, Chip: {High},
	Auto: {Low, TLSOnly, Medium, High},
}

// Words is a list of levels as it is written.
func Words(levels []Level) string {
	words := make([]string, len(levels))
	for i, l := range levels {
		words[i] = string(l)
	}
	return strings.Join(words, ",")
}

// The parameters of a listener's address.
const (
	acceptParameter = "accept" // levels, with commas between them
	socketParameter = "socket" // name of a socket that systemd has opened
)

// Levels are the levels that a listener accepts: those that accept= names, or all of its channel.
func (u URL) Levels() []Level {
	if !u.Query.Has(acceptParameter) {
		return carries[u.Scheme]
	}
	var levels []Level
	for word := range strings.SplitSeq(u.Query.Get(acceptParameter), ",") {
		levels = append(levels, Level(word))
	}
	return levels
}

// Plain reports whether a listener lets in clients whose channel is not encrypted.
func (u URL) Plain() bool { return slices.Contains(u.Levels(), Low) }

// Inherited is the name of the socket that the listener takes over instead of opening one, or empty.
func (u URL) Inherited() string { return u.Query.Get(socketParameter) }

// checkParameters refuses what a listener's address cannot say.
func (u URL) checkParameters() error {
	for name, values := range u.Query {
		if name != acceptParameter && name != socketParameter {
			return fmt.Errorf("unknown parameter %q; known are %s and %s", name, acceptParameter, socketParameter)
		}
		if len(values) != 1 || values[0] == "" {
			return fmt.Errorf("parameter %q needs one value", name)
		}
	}
	for _, l := range u.Levels() {
		if !slices.Contains(carries[u.Scheme], l) {
			return fmt.Errorf("%s:// has no level %q; it has %s", u.Scheme, l, Words(carries[u.Scheme]))
		}
	}
	return nil
}
