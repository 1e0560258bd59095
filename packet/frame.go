package packet

// MaxRemaining is the largest remaining length that four bytes can express, in
// bytes (MQTT 3.1.1 section 2.2.3).
const MaxRemaining = 268_435_455

// Frame is one whole control packet, cut from a stream and not yet decoded. It
// is a view: Raw and Body alias the bytes given to Next and live exactly as long
// as those do. Their capacity ends with the packet, so an append to them never
// reaches into the next one.
type Frame struct {
	Raw   []byte // the packet from its first byte to its last
	First byte   // packet type and flags
	head  uint8  // length of the fixed header
}

// Type returns the packet's type.
func (f Frame) Type() Type { return Type(f.First >> 4) }

// Body returns what follows the fixed header.
func (f Frame) Body() []byte {
	if int(f.head) > len(f.Raw) {
		return nil
	}
	return f.Raw[f.head:]
}

// Next cuts the first packet off b.
//
// With a whole packet in b it returns the frame and its length n. With a part
// of one it returns n = 0 and need, the number of bytes known to be missing, at
// least 1; as the length of a packet may itself be missing, more may be missing
// than that. With a packet that may not be it returns an *Error, which always
// ends the connection.
//
// All that the fixed header tells is judged at once, even when nothing of the
// body has come: reserved types and flags, a type that lim.Types leaves out, a
// remaining length in five bytes, one that the type cannot have, one beyond the
// limits. Whoever reserves need bytes of memory after Next is therefore bound
// by the limits, but still believes the peer's claim: see Reader for a way that
// does not.
//
// Next allocates nothing unless it returns an error.
func Next(b []byte, lim *Limits) (f Frame, n, need int, err error) {
	lim = orStandard(lim)
	if len(b) == 0 {
		return Frame{}, 0, 2, nil
	}
	first := b[0]
	if !plainFirst(first, lim) {
		if err := examineFirst(first, lim); err != nil {
			return Frame{}, 0, 0, err
		}
	}
	rem, h := 0, 2
	if len(b) >= 2 && b[1] < 0x80 {
		rem = int(b[1])
	} else if len(b) >= 3 && b[2] < 0x80 {
		rem, h = int(b[1]&0x7f)|int(b[2])<<7, 3
	} else if rem, h = longRemaining(b); h <= 0 {
		if h < 0 {
			return Frame{}, 0, 0, &Error{Rule: RuleRemainingLength, Type: Type(first >> 4), Field: "remaining length", Offset: 4, Limit: 4, Value: 5}
		}
		return Frame{}, 0, 1, nil
	}
	if t := Type(first >> 4); !lim.plainlyFits(t, rem) && !lim.fits(t, rem) {
		return Frame{}, 0, 0, misfit(first, rem, lim)
	}
	n = h + rem
	if len(b) < n {
		return Frame{}, 0, n - len(b), nil
	}
	return Frame{Raw: b[:n:n], First: first, head: uint8(h)}, n, 0, nil
}

// longRemaining reads the remaining length that starts at b[1] and returns it with
// the length of the fixed header; 0 as the latter means that bytes are missing,
// -1 that there is no end of it within four bytes. It stays out of the hot path,
// where a short length is read in place.
//
//go:noinline
func longRemaining(b []byte) (rem, header int) {
	for i := 1; i < len(b); i++ {
		if i > 4 {
			return 0, -1
		}
		rem |= int(b[i]&0x7f) << (7 * (i - 1))
		if b[i] < 0x80 {
			return rem, i + 1
		}
		if i == 4 {
			return 0, -1
		}
	}
	return 0, 0
}

// remainingSize returns how many bytes the remaining length n takes.
func remainingSize(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

// appendHeader appends a fixed header with the shortest form of rem.
func appendHeader(dst []byte, first byte, rem int) []byte {
	switch {
	case rem < 1<<7:
		return append(dst, first, byte(rem))
	case rem < 1<<14:
		return append(dst, first, byte(rem)|0x80, byte(rem>>7))
	case rem < 1<<21:
		return append(dst, first, byte(rem)|0x80, byte(rem>>7)|0x80, byte(rem>>14))
	}
	return append(dst, first, byte(rem)|0x80, byte(rem>>7)|0x80, byte(rem>>14)|0x80, byte(rem>>21))
}

// sizeOf returns the length of a packet with that remaining length, or 0 if no
// packet can have it.
func sizeOf(rem int) int {
	if rem > MaxRemaining {
		return 0
	}
	return 1 + remainingSize(rem) + rem
}

// plain says of each first byte whether it is legal under every version and
// every Limits that accepts its type.
var plain = [256]bool{
	0x10: true, 0x20: true, // CONNECT, CONNACK
	0x30: true, 0x32: true, 0x3a: true, // PUBLISH: QoS 0, QoS 1, QoS 1 again
	0x40: true, 0x50: true, 0x62: true, 0x70: true, // PUBACK, PUBREC, PUBREL, PUBCOMP
	0x82: true, 0x90: true, 0xa2: true, 0xb0: true, // SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK
	0xc0: true, 0xd0: true, 0xe0: true, // PINGREQ, PINGRESP, DISCONNECT
}

func plainFirst(first byte, lim *Limits) bool {
	return plain[first] && lim.Types.Has(Type(first>>4))
}

// examineFirst judges a first byte by every rule there is for it.
func examineFirst(first byte, lim *Limits) error {
	t, flags := Type(first>>4), first&15
	bad := func(rule Rule, value int) error {
		return &Error{Rule: rule, Type: t, Field: "fixed header", Value: value}
	}
	if t == 0 || t == 15 {
		return bad(RuleType, int(t))
	}
	if !lim.Types.Has(t) {
		return bad(unexpected(t, lim.Types), int(t))
	}
	const dup, qos, retain = 8, 6, 1
	again := flags&^dup == 2 && lim.Level == Level31 // MQTT 3.1: DUP on a request sent again
	switch t {
	case TypePublish:
		switch {
		case flags&qos == 6: // MQTT-3.3.1-4
			return bad(RuleQoS3, int(flags))
		case flags&qos == 0 && flags&dup != 0 && lim.Level != Level31: // MQTT-3.3.1-2
			return bad(RuleDupQoS0, int(flags))
		case flags&qos == 4 && lim.PublishQoS2 == Refuse:
			return &Error{Rule: RuleLimitQoS2, Type: t, Field: "fixed header", Limit: 1, Value: 2}
		case flags&retain != 0 && lim.Retain == Refuse:
			return bad(RuleLimitRetain, 1)
		}
	case TypePubrel: // MQTT-3.6.1-1
		if flags != 2 && !again {
			return bad(RulePubrelFlags, int(flags))
		}
	case TypeSubscribe: // MQTT-3.8.1-1
		if flags != 2 && !again {
			return bad(RuleSubscribeFlags, int(flags))
		}
	case TypeUnsubscribe: // MQTT-3.10.1-1
		if flags != 2 && !again {
			return bad(RuleUnsubscribeFlags, int(flags))
		}
	case TypeDisconnect: // MQTT-3.14.1-1
		if flags != 0 {
			return bad(RuleDisconnectFlags, int(flags))
		}
	default: // MQTT-2.2.2-1, MQTT-2.2.2-2
		if flags != 0 {
			return bad(RuleFlags, int(flags))
		}
	}
	return nil
}

// unexpected names the rule by which t may not come when only want may.
func unexpected(t Type, want TypeSet) Rule {
	switch {
	case want == FirstFromClient:
		return RuleFirstConnect
	case want == FirstFromServer:
		return RuleFirstConnack
	case t == TypeConnect && want&FromClient != 0:
		return RuleSecondConnect
	case QoS2Types>>t&1 != 0:
		return RuleLimitQoS2
	}
	return RuleUnexpected
}

// minRemaining holds the shortest body of each type: its fixed part. What is
// missing of the rest is reported by the decoder under a rule of its own.
var minRemaining = [16]int{
	TypeConnect: 2, TypeConnack: 2, TypePublish: 2,
	TypePuback: 2, TypePubrec: 2, TypePubrel: 2, TypePubcomp: 2,
	TypeSubscribe: 2, TypeSuback: 3, TypeUnsubscribe: 2, TypeUnsuback: 2,
}

// fits reports whether a packet of type t may have that remaining length.
func (lim *Limits) fits(t Type, rem int) bool {
	return lim.plainlyFits(t, rem) || rem >= minRemaining[t] && rem <= lim.maxRemaining(t)
}

// plainlyFits is fits for the packets that come in numbers, PUBLISH and the
// acknowledgements; false means that fits has to look closer.
func (lim *Limits) plainlyFits(t Type, rem int) bool {
	if lim.Remaining != 0 && rem > lim.Remaining {
		return false
	}
	if t == TypePublish {
		return rem >= 2 && (lim.Payload == 0 || rem <= lim.Payload)
	}
	return rem == 2 && maxRemaining[t&15] == 2
}

// misfit explains a length for which fits said no.
func misfit(first byte, rem int, lim *Limits) error {
	t := Type(first >> 4)
	e := &Error{Rule: lengthRules[t], Type: t, Field: "remaining length", Offset: 1, Value: rem}
	if rem < minRemaining[t] {
		e.Limit = minRemaining[t]
		return e
	}
	e.Limit = lim.maxRemaining(t)
	if rem <= standard.maxRemaining(t) {
		e.Rule = RuleLimitPacket
	}
	return e
}
