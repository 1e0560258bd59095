package model

import (
	"fmt"

	"sampan/packet"
)

// Describe tells in one line what packet some bytes are.
func Describe(raw []byte) string {
	limits := &packet.Limits{Level: packet.Level31}
	f, n, _, err := packet.Next(raw, limits)
	if err != nil || n != len(raw) {
		return fmt.Sprintf("% x", raw)
	}
	switch f.Type() {
	case packet.TypeConnack:
		var p packet.Connack
		if p.Decode(f, nil) == nil {
			e := expect{kind: f.Type(), code: p.Code, present: p.SessionPresent}
			return e.String()
		}
	case packet.TypePublish:
		var p packet.Publish
		if p.Decode(f, limits) == nil {
			d := delivery{m: &message{topic: string(p.Topic), payload: string(p.Payload)}, qos: p.QoS, id: p.ID, retain: p.Retain}
			return "PUBLISH " + d.describe(p.Dup)
		}
	case packet.TypeSuback:
		var p packet.Suback
		if p.Decode(f, nil) == nil {
			e := expect{kind: f.Type(), id: p.ID, codes: p.Codes}
			return e.String()
		}
	case packet.TypePuback, packet.TypePubrec, packet.TypePubrel, packet.TypePubcomp, packet.TypeUnsuback:
		var p packet.Ack
		if p.Decode(f, limits) == nil {
			return fmt.Sprintf("%s %d", f.Type(), p.ID)
		}
	case packet.TypePingreq, packet.TypePingresp, packet.TypeDisconnect:
		return f.Type().String()
	}
	return fmt.Sprintf("%s % x", f.Type(), raw)
}

// Violates returns the rule that a packet of a client breaks by itself, wherever it is sent after CONNECT;
// empty if it breaks none.
func Violates(raw []byte) string {
	limits := &packet.Limits{Level: packet.Level311}
	f, n, _, err := packet.Next(raw, limits)
	if err == nil && n > 0 {
		switch f.Type() {
		case packet.TypeConnect:
			err = new(packet.Connect).Decode(f, limits)
		case packet.TypePublish:
			err = new(packet.Publish).Decode(f, limits)
		case packet.TypeSubscribe:
			err = new(packet.Subscribe).Decode(f, limits)
		case packet.TypeUnsubscribe:
			err = new(packet.Unsubscribe).Decode(f, limits)
		case packet.TypePuback, packet.TypePubrec, packet.TypePubrel, packet.TypePubcomp:
			err = new(packet.Ack).Decode(f, limits)
		}
	}
	if err == nil {
		return ""
	}
	return string(err.(*packet.Error).Rule)
}
