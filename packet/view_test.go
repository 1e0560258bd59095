package packet_test

import (
	"encoding/hex"
	"unicode/utf8"

	"sampan/packet"
)

// coder is what all decoded packets have in common.
type coder interface {
	Decode(packet.Frame, *packet.Limits) error
	Check(*packet.Limits) error
	Size() int
	AppendTo([]byte) []byte
}

// newPacket returns the value to decode a packet of type t into, nil for the
// types without a body.
func newPacket(t packet.Type) coder {
	switch t {
	case packet.TypeConnect:
		return new(packet.Connect)
	case packet.TypeConnack:
		return new(packet.Connack)
	case packet.TypePublish:
		return new(packet.Publish)
	case packet.TypeSubscribe:
		return new(packet.Subscribe)
	case packet.TypeSuback:
		return new(packet.Suback)
	case packet.TypeUnsubscribe:
		return new(packet.Unsubscribe)
	case packet.TypePuback, packet.TypePubrec, packet.TypePubrel, packet.TypePubcomp, packet.TypeUnsuback:
		return new(packet.Ack)
	}
	return nil
}

// appendBodyless appends the packet of a type without a body.
func appendBodyless(t packet.Type) []byte {
	switch t {
	case packet.TypePingreq:
		return packet.AppendPingreq(nil)
	case packet.TypePingresp:
		return packet.AppendPingresp(nil)
	case packet.TypeDisconnect:
		return packet.AppendDisconnect(nil)
	}
	return nil
}

// view renders a decoded packet as the vectors write it.
func view(f packet.Frame, p coder) map[string]any {
	m := map[string]any{"type": f.Type().String()}
	text := func(key string, b []byte) {
		switch {
		case len(b) > 256:
			m[key+"Length"] = float64(len(b))
		case utf8.Valid(b):
			m[key] = string(b)
		default:
			m[key+"Hex"] = hex.EncodeToString(b)
		}
	}
	ignored := func(set packet.Ignored) {
		var names []any
		for i, name := range []string{"will", "retain", "qos", "publish"} {
			if set>>i&1 != 0 {
				names = append(names, name)
			}
		}
		if names != nil {
			m["ignored"] = names
		}
	}
	switch p := p.(type) {
	case *packet.Connect:
		m["level"], m["cleanSession"], m["keepAlive"] = float64(p.Level), p.CleanSession, float64(p.KeepAlive)
		text("clientID", p.ClientID)
		if p.Will {
			m["will"] = map[string]any{
				"qos": float64(p.WillQoS), "retain": p.WillRetain,
				"topic": string(p.WillTopic), "message": string(p.WillMessage),
			}
		}
		if p.HasUsername {
			text("username", p.Username)
		}
		if p.HasPassword {
			text("password", p.Password)
		}
		ignored(p.Ignored)
	case *packet.Connack:
		m["sessionPresent"], m["code"] = p.SessionPresent, float64(p.Code)
	case *packet.Publish:
		text("topic", p.Topic)
		text("payload", p.Payload)
		m["qos"], m["id"], m["dup"], m["retain"] = float64(p.QoS), float64(p.ID), p.Dup, p.Retain
		ignored(p.Ignored)
	case *packet.Ack:
		m["id"], m["dup"] = float64(p.ID), p.Dup
	case *packet.Subscribe:
		m["id"], m["dup"] = float64(p.ID), p.Dup
		var filters []any
		for filter, qos := range p.All() {
			filters = append(filters, map[string]any{"filter": string(filter), "qos": float64(qos)})
		}
		m["filters"] = filters
		if p.Refused != 0 {
			m["refused"] = float64(p.Refused)
		}
		ignored(p.Ignored)
	case *packet.Suback:
		m["id"] = float64(p.ID)
		var codes []any
		for _, c := range p.Codes {
			codes = append(codes, float64(c))
		}
		m["codes"] = codes
	case *packet.Unsubscribe:
		m["id"], m["dup"] = float64(p.ID), p.Dup
		var filters []any
		for filter := range p.All() {
			filters = append(filters, string(filter))
		}
		m["filters"] = filters
	}
	return m
}

// short prints the bytes of a failure.
func short(b []byte) string {
	if len(b) > 96 {
		return hex.EncodeToString(b[:96]) + "…"
	}
	return hex.EncodeToString(b)
}
