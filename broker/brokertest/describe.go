package brokertest

import (
	"encoding/hex"
	"fmt"
	"strings"

	"sampan/packet"
)

// Describe tells in one line what bytes are: the packet that they begin with, its fields, and the bytes
// themselves if they are few.
func Describe(raw []byte) string {
	f, n, _, err := packet.Next(raw, &packet.Limits{Level: packet.Level31})
	if err != nil || n == 0 {
		return "no packet" + dump(raw)
	}
	s := f.Type().String() + fields(f)
	if n < len(raw) {
		return fmt.Sprintf("%s and %d bytes more%s", s, len(raw)-n, dump(raw))
	}
	return s + dump(raw)
}

func dump(raw []byte) string {
	const most = 48
	if len(raw) > most {
		return fmt.Sprintf(" [% x ... %d bytes]", raw[:most], len(raw))
	}
	return fmt.Sprintf(" [% x]", raw)
}

func fields(f packet.Frame) string {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, " "+format, args...) }
	lim := &packet.Limits{Level: packet.Level31}
	switch f.Type() {
	case packet.TypeConnect:
		var p packet.Connect
		if p.Decode(f, nil) == nil {
			add("level %d id %q clean %v keep-alive %d", p.Level, p.ClientID, p.CleanSession, p.KeepAlive)
		}
	case packet.TypeConnack:
		var p packet.Connack
		if p.Decode(f, nil) == nil {
			add("%q present %v", p.Code, p.SessionPresent)
		}
	case packet.TypePublish:
		var p packet.Publish
		if p.Decode(f, lim) == nil {
			add("%q QoS %d", p.Topic, p.QoS)
			if p.QoS > 0 {
				add("id %d", p.ID)
			}
			if p.Dup {
				add("DUP")
			}
			if p.Retain {
				add("RETAIN")
			}
			if len(p.Payload) <= 40 {
				add("%q", p.Payload)
			} else {
				add("%d bytes", len(p.Payload))
			}
		}
	case packet.TypePuback, packet.TypePubrec, packet.TypePubrel, packet.TypePubcomp, packet.TypeUnsuback:
		var p packet.Ack
		if p.Decode(f, lim) == nil {
			add("id %d", p.ID)
		}
	case packet.TypeSubscribe:
		var p packet.Subscribe
		if p.Decode(f, lim) == nil {
			add("id %d", p.ID)
			for filter, qos := range p.All() {
				add("%q QoS %d", filter, qos)
			}
		}
	case packet.TypeSuback:
		var p packet.Suback
		if p.Decode(f, nil) == nil {
			add("id %d codes %x", p.ID, p.Codes)
		}
	case packet.TypeUnsubscribe:
		var p packet.Unsubscribe
		if p.Decode(f, lim) == nil {
			add("id %d", p.ID)
			for filter := range p.All() {
				add("%q", filter)
			}
		}
	}
	return b.String()
}

// difference shows where two packets part.
func difference(want, got []byte) string {
	at := 0
	for at < len(want) && at < len(got) && want[at] == got[at] {
		at++
	}
	around := func(p []byte) string {
		start := max(0, at-16) &^ 15
		return hex.Dump(p[min(start, len(p)):min(at+48, len(p))])
	}
	return fmt.Sprintf("they differ from byte %d on; around there, want\n%sgot\n%s", at, around(want), around(got))
}
