package packet

import "iter"

// Subscribe is the SUBSCRIBE packet (MQTT 3.1.1 section 3.8).
//
// After Decode it is a view: the filters alias the frame and live as long as the
// frame's bytes do. To build one, set ID and call Add for each filter.
type Subscribe struct {
	ID  uint16
	Dup bool // MQTT 3.1 only: sent before

	// Ignored has ReducedQoS if All shows 1 where 2 was asked for.
	Ignored Ignored
	// Refused counts the filters that All shows with SubackFailure.
	Refused int

	list   []byte // the payload: filters, each with its requested QoS
	start  int    // where list stands in the packet
	count  int
	bounds bounds
}

// bounds are the limits for each filter of a SUBSCRIBE.
type bounds struct {
	topic, slashes, filters int
	qos2                    Policy
	level                   byte
}

// Decode reads the frame into s and overwrites all of it. On an error, which is
// always an *Error that ends the connection, s is left zero. A filter that only
// breaks a limit is not an error: All shows it with SubackFailure, and Refusal
// explains it. Decode allocates nothing unless it returns an
// error.
func (s *Subscribe) Decode(f Frame, lim *Limits) error {
	*s = Subscribe{}
	lim = orStandard(lim)
	if err := expect(f, TypeSubscribe, lim); err != nil {
		return err
	}
	b := f.Body()
	v := Subscribe{
		ID:   uint16(b[0])<<8 | uint16(b[1]),
		Dup:  f.First&8 != 0,
		list: b[2:], start: int(f.head) + 2,
		bounds: bounds{
			topic: lim.Topic, slashes: lim.Slashes, filters: lim.Filters,
			qos2: lim.SubscribeQoS2, level: lim.Level,
		},
	}
	if v.ID == 0 { // MQTT-2.3.1-1
		return fail(f, 0, RuleZeroID, "packet identifier", 0, 0)
	}
	if len(b) == 2 { // MQTT-3.8.3-3
		return fail(f, 2, RuleSubscribeEmpty, "payload", 1, 0)
	}
	for i := 2; i < len(b); v.count++ {
		filter, next, ok := field(b, i)
		if !ok || next == len(b) {
			return fail(f, i, RuleFilterMissing, "topic filter", 0, len(b)-i)
		}
		slashes, e := checkFilter(filter)
		if e != nil { // MQTT-3.8.3-1, MQTT-4.7.1-2, MQTT-4.7.1-3, MQTT-4.7.3-1
			e.Type, e.Field, e.Offset = TypeSubscribe, "topic filter", int(f.head)+i+2+e.Offset
			return e
		}
		asked := v.bounds.asked(b[next])
		if asked > 2 { // MQTT-3.8.3-4
			return fail(f, next, RuleRequestedQoS, "requested QoS", 2, int(b[next]))
		}
		switch granted := v.bounds.grant(v.count, filter, slashes, asked); {
		case granted == SubackFailure:
			v.Refused++
		case granted < asked:
			v.Ignored |= ReducedQoS
		}
		i = next + 1
	}
	if lim.Filters > 0 && v.count > lim.Filters && lim.ExcessFilters == Refuse {
		return fail(f, 2, RuleLimitFilters, "payload", lim.Filters, v.count)
	}
	*s = v
	return nil
}

// asked returns the requested QoS in the byte behind a filter. MQTT 3.1 does not
// use the upper six bits.
func (l *bounds) asked(b byte) byte {
	if l.level == Level31 {
		return b & 3
	}
	return b
}

// grant returns what the limits leave of the QoS asked for by filter number i.
func (l *bounds) grant(i int, filter []byte, slashes int, asked byte) byte {
	switch rule, _, _ := l.broken(i, filter, slashes, asked); {
	case rule != "":
		return SubackFailure
	case asked == 2 && l.qos2 == Ignore:
		return 1
	}
	return asked
}

// broken returns the limit that filter number i breaks, with the bound and what
// was found instead; the rule is empty if there is none.
func (l *bounds) broken(i int, filter []byte, slashes int, asked byte) (rule Rule, limit, value int) {
	switch most := mostSlashes(filter, l.slashes); {
	case l.filters > 0 && i >= l.filters:
		return RuleLimitFilters, l.filters, i + 1
	case l.topic > 0 && len(filter) > l.topic:
		return RuleLimitTopic, l.topic, len(filter)
	case most > 0 && slashes > most:
		return RuleLimitTopicLevel, most, slashes
	case asked == 2 && l.qos2 == Refuse:
		return RuleLimitQoS2, 1, 2
	}
	return "", 0, 0
}

// Len returns the number of filters.
func (s *Subscribe) Len() int { return s.count }

// All returns the filters in wire order, each with the requested QoS as the
// limits cap it: 0, 1, 2, or SubackFailure for a filter that the limits refuse.
// The SUBACK has a code for each of them, in this order (MQTT-3.8.4-5,
// MQTT-3.9.3-1).
func (s *Subscribe) All() iter.Seq2[[]byte, byte] {
	return func(yield func([]byte, byte) bool) { s.each(yield) }
}

func (s *Subscribe) each(yield func([]byte, byte) bool) {
	for n, i := 0, 0; ; n++ {
		filter, next, ok := field(s.list, i)
		if !ok || next == len(s.list) {
			return
		}
		slashes := 0
		if s.bounds.slashes > 0 {
			slashes, _, _ = scan(filter)
		}
		asked := s.bounds.asked(s.list[next])
		if !yield(filter, s.bounds.grant(n, filter, slashes, asked)) {
			return
		}
		i = next + 1
	}
}

// Asked returns the filters in wire order, each with the QoS that was sent,
// whatever the limits make of it. MQTT 3.1 wants it back in the SUBACK, where it
// has no code for a failure.
func (s *Subscribe) Asked() iter.Seq2[[]byte, byte] {
	return func(yield func([]byte, byte) bool) {
		all := Subscribe{list: s.list, bounds: bounds{level: s.bounds.level}}
		all.each(yield)
	}
}

// Refusal explains why All shows filter number i, counted from 0, with
// SubackFailure: which limit it breaks, by how much and where it stands. It
// returns nil for a filter that was not refused. The error is not Fatal.
func (s *Subscribe) Refusal(i int) *Error {
	for n, at := 0, 0; ; n++ {
		filter, next, ok := field(s.list, at)
		if !ok || next == len(s.list) {
			return nil
		}
		if n < i {
			at = next + 1
			continue
		}
		slashes, _, _ := scan(filter)
		rule, limit, value := s.bounds.broken(n, filter, slashes, s.bounds.asked(s.list[next]))
		if rule == "" || i < 0 {
			return nil
		}
		return &Error{
			Rule: rule, Type: TypeSubscribe, Field: "topic filter", Offset: s.start + at + 2,
			Limit: limit, Value: value, scope: scopeFilter,
		}
	}
}

// Add appends a filter with the QoS asked for and reports whether it could: a
// filter of more than 65,535 bytes has no encoding. It copies the filter, and
// leaves alone the frame that s may have been decoded from.
func (s *Subscribe) Add(filter []byte, qos byte) bool {
	if len(filter) > maxText {
		return false
	}
	s.list = append(appendField(s.list, filter), qos)
	s.count++
	return true
}

// Check reports why s is not a legal packet under lim (nil: the standard
// alone). What Check accepts, AppendTo encodes and Decode accepts.
func (s *Subscribe) Check(lim *Limits) error {
	return recheck(s.AppendTo(nil), TypeSubscribe, lim, func(f Frame, lim *Limits) error {
		return new(Subscribe).Decode(f, lim)
	})
}

// Size returns the number of bytes that AppendTo appends, 0 for a packet that
// is too long to have an encoding.
func (s *Subscribe) Size() int { return sizeOf(2 + len(s.list)) }

// AppendTo appends the encoded packet to dst and returns the longer slice. The
// filters go out as they were added or received, also those that a limit
// refused. It checks nothing: see Check.
func (s *Subscribe) AppendTo(dst []byte) []byte {
	if s.Size() == 0 {
		return dst
	}
	first := byte(TypeSubscribe)<<4 | 2
	if s.Dup {
		first |= 8
	}
	dst = appendHeader(dst, first, 2+len(s.list))
	dst = append(dst, byte(s.ID>>8), byte(s.ID))
	return append(dst, s.list...)
}
