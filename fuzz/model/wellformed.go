package model

import (
	"strings"
	"unicode/utf8"

	"sampan/packet"
)

// This file judges the packets of clients a second time, by the text of the standard and without package
// packet: the broker decodes with that, too, and so a mistake in it would be the model's as well. It is about the
// standard alone; what a broker restricts beyond it is in Rules.

// reader takes a packet's fields off the front of its body.
type reader struct {
	b   []byte
	bad bool // something was missing
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() int {
	if b := r.take(2); b != nil {
		return int(b[0])<<8 | int(b[1])
	}
	return 0
}

func (r *reader) field() string { return string(r.take(r.uint16())) }

// illFormed returns the rule that a whole packet of a client breaks, on a connection that has settled on a level,
// or on none yet. Empty: it is one that the standard knows.
func illFormed(raw []byte, level byte) string {
	kind, flags, body := packet.Type(raw[0]>>4), raw[0]&15, raw[1:]
	switch {
	case kind != packet.TypeConnect && level == 0:
		return "MQTT-3.1.0-1"
	case kind == packet.TypeConnect && level != 0:
		return "MQTT-3.1.0-2"
	case kind == 0 || kind == 15:
		return "MQTT-2.2.1"
	}
	length := 1 // of the remaining length
	for ; body[length-1] >= 0x80; length++ {
		if length == 4 {
			return "MQTT-2.2.3"
		}
	}
	r := &reader{b: body[length:]}
	want := byte(0) // flags
	if kind == packet.TypePubrel || kind == packet.TypeSubscribe || kind == packet.TypeUnsubscribe {
		want = 2
	}
	switch again := level == packet.Level31 && want == 2; { // MQTT 3.1: DUP on a request that is sent again
	case kind == packet.TypePublish:
		return r.publish(flags, level)
	case flags != want && !(again && flags == want|8):
		return "MQTT-2.2.2-2"
	}
	switch kind {
	case packet.TypeConnect:
		return r.connect()
	case packet.TypeSubscribe, packet.TypeUnsubscribe:
		return r.filters(kind == packet.TypeSubscribe, level)
	case packet.TypePuback, packet.TypePubrec, packet.TypePubrel, packet.TypePubcomp:
		if id := r.uint16(); r.bad || id == 0 || len(r.b) > 0 {
			return "MQTT-2.3.1-6"
		}
	case packet.TypePingreq, packet.TypeDisconnect:
		if len(r.b) > 0 {
			return "MQTT-4.8.0-1"
		}
	default: // of a server
		return "MQTT-4.8.0-1"
	}
	return ""
}

func (r *reader) publish(flags, level byte) string {
	qos := flags >> 1 & 3
	topic := r.field()
	switch {
	case qos == 3:
		return "MQTT-3.3.1-4"
	case qos == 0 && flags&8 != 0 && level != packet.Level31:
		return "MQTT-3.3.1-2"
	case r.bad:
		return "MQTT-3.3.2-1"
	case strings.ContainsAny(topic, "+#"):
		return "MQTT-3.3.2-2"
	case qos > 0 && r.uint16() == 0: // or it is missing
		return "MQTT-2.3.1-1"
	}
	return illTopic(topic)
}

func (r *reader) filters(subscribe bool, level byte) string {
	if r.uint16() == 0 {
		return "MQTT-2.3.1-1"
	}
	none, text := "MQTT-3.8.3-3", "MQTT-3.8.3-1"
	if !subscribe {
		none, text = "MQTT-3.10.3-2", "MQTT-3.10.3-1"
	}
	if len(r.b) == 0 {
		return none
	}
	for len(r.b) > 0 {
		filter, qos := r.field(), byte(0)
		if subscribe {
			qos = r.byte()
		}
		if level == packet.Level31 {
			qos &= 3 // it does not use the others
		}
		switch rule := illFilter(filter); {
		case r.bad:
			return text
		case qos > 2:
			return "MQTT-3.8.3-4"
		case rule != "":
			return rule
		}
	}
	return ""
}

func illText(s string) string {
	switch {
	case strings.Contains(s, "\x00"):
		return "MQTT-1.5.3-2"
	case !utf8.ValidString(s): // surrogates are not valid
		return "MQTT-1.5.3-1"
	}
	return ""
}

func illTopic(s string) string {
	if s == "" {
		return "MQTT-4.7.3-1"
	}
	return illText(s)
}

func illFilter(s string) string {
	levels := strings.Split(s, "/")
	for i, level := range levels {
		switch {
		case strings.Contains(level, "#") && (level != "#" || i < len(levels)-1):
			return "MQTT-4.7.1-2"
		case strings.Contains(level, "+") && level != "+":
			return "MQTT-4.7.1-3"
		}
	}
	return illTopic(s)
}

// connect judges CONNECT. The rules that are answered with a code are told by refusal.
func (r *reader) connect() string {
	name, level, flags := r.field(), r.byte(), r.byte()
	r.uint16()
	has := func(bit byte) bool { return flags>>bit&1 != 0 }
	old := level == packet.Level31
	switch {
	case name != "MQTT" && name != "MQIsdp":
		return "MQTT-3.1.2-1"
	case (name == "MQIsdp") != old || level != packet.Level31 && level != packet.Level311:
		return "MQTT-3.1.2-2"
	case has(0) && !old: // MQTT 3.1: not used
		return "MQTT-3.1.2-3"
	case !has(2) && flags>>3&7 != 0 && !old: // MQTT 3.1: disregarded
		return "MQTT-3.1.2-11"
	case has(2) && flags>>3&3 == 3:
		return "MQTT-3.1.2-14"
	case has(6) && !has(7):
		return "MQTT-3.1.2-22"
	}
	client := r.field()
	texts := []string{client}
	if has(2) {
		texts = append(texts, r.field())
		r.field()
	}
	if has(7) && !(old && len(r.b) == 0) { // MQTT 3.1: the remaining length goes before the flags
		texts = append(texts, r.field())
	}
	if has(6) && !(old && len(r.b) == 0) {
		r.field()
	}
	switch rule := illText(strings.Join(texts, " ")); {
	case r.bad || len(r.b) > 0:
		return "MQTT-3.1.3-1"
	case rule != "":
		return rule
	case client == "" && (old || !has(1)):
		return "MQTT-3.1.3-8"
	}
	return ""
}

// refusal is the code with which a CONNECT that breaks a rule is answered, if it is.
func refusal(rule string) (code packet.ReturnCode, answered bool) {
	switch rule {
	case "MQTT-3.1.2-2":
		return packet.RefusedProtocolLevel, true
	case "MQTT-3.1.3-8":
		return packet.RefusedIdentifier, true
	}
	return 0, false
}
