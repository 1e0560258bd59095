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
