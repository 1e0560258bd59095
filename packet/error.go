package packet

import "strconv"

// Error is every error that this package returns about bytes or values. It is
// plain data: nothing is formatted until Error is called.
type Error struct {
	// Rule is the broken rule; Rule.Text explains it.
	Rule Rule
	// Type is the packet's type as its first byte gives it, 0 where a topic is
	// checked by itself.
	Type Type
	// Field is the field at fault in the standard's words, such as "topic
	// name"; empty where the packet as a whole is at fault.
	Field string
	// Offset is where the fault was seen, in bytes from the packet's first byte
	// (or from the topic's, where a topic is checked by itself).
	Offset int
	// Limit and Value are the bound and what was found instead, where the rule
	// is about a quantity; else Value is the offending byte or number and Limit
	// is 0.
	Limit, Value int

	scope scope
}

type scope byte

const (
	scopeConnection scope = iota
	scopeFilter
	scopeConnack // + the return code
)

// Error explains the refusal in one line, with the rule, the place and the
// numbers, for example:
//
//	PUBLISH: topic name: a topic name or filter is longer than its limit (IOT-TOPIC-LENGTH) at byte 2: 200, limit 128
func (e *Error) Error() string {
	b := make([]byte, 0, 160)
	if e.Type != 0 {
		b = append(b, e.Type.String()...)
		b = append(b, ": "...)
	}
	if e.Field != "" {
		b = append(b, e.Field...)
		b = append(b, ": "...)
	}
	b = append(b, e.Rule.Text()...)
	b = append(b, " ("...)
	b = append(b, e.Rule...)
	b = append(b, ") at byte "...)
	b = strconv.AppendInt(b, int64(e.Offset), 10)
	b = append(b, ": "...)
	b = strconv.AppendInt(b, int64(e.Value), 10)
	if e.Limit != 0 {
		b = append(b, ", limit "...)
		b = strconv.AppendInt(b, int64(e.Limit), 10)
	}
	return string(b)
}

// Fatal reports whether the connection must be closed (MQTT-4.8.0-1). The other
// errors are about one topic filter, which is answered with SubackFailure.
func (e *Error) Fatal() bool { return e.scope != scopeFilter }

// Connack returns the return code that a server sends before it closes, for the
// refused CONNECTs to which the standard gives one. Without a code the
// connection is closed and nothing is sent (MQTT-3.1.4-1, MQTT-3.2.2-6).
func (e *Error) Connack() (ReturnCode, bool) {
	if e.scope < scopeConnack {
		return 0, false
	}
	return ReturnCode(e.scope - scopeConnack), true
}

// fail builds the error for a fault i bytes into the body of f.
func fail(f Frame, i int, rule Rule, field string, limit, value int) error {
	return &Error{Rule: rule, Type: f.Type(), Field: field, Offset: int(f.head) + i, Limit: limit, Value: value}
}

// expect judges what every decoder needs before it looks at the body: that the
// frame is of the type t, that its first byte is legal and that the body has the
// length that such a packet may have. Frames from Next pass the last two.
func expect(f Frame, t Type, lim *Limits) error {
	if f.Type() != t {
		return &Error{Rule: RuleType, Type: f.Type(), Field: "packet type", Limit: int(t), Value: int(f.Type())}
	}
	if !plainFirst(f.First, lim) {
		if err := examineFirst(f.First, lim); err != nil {
			return err
		}
	}
	if !lim.plainlyFits(t, len(f.Body())) && !lim.fits(t, len(f.Body())) {
		return misfit(f.First, len(f.Body()), lim)
	}
	return nil
}

// checkText judges the text field that ends i bytes into the body of f.
func checkText(f Frame, i int, s []byte, name string) error {
	if rule, at := badText(s); rule != "" {
		return fail(f, i-len(s)+at, rule, name, 0, int(s[at]))
	}
	return nil
}

// sending returns the limits by which a packet to be sent is judged: what may
// be sent is not what may be received, so that Types does not count.
func sending(lim *Limits) Limits {
	l := *orStandard(lim)
	l.Types = 0
	return l
}

// recheck judges an encoded packet of type t as its receiver will. raw is nil
// for a packet that has no encoding.
func recheck(raw []byte, t Type, lim *Limits, decode func(Frame, *Limits) error) error {
	if raw == nil {
		return &Error{Rule: lengthRules[t&15], Type: t, Limit: MaxRemaining}
	}
	l := sending(lim)
	f, _, _, err := Next(raw, &l)
	if err != nil {
		return err
	}
	return decode(f, &l)
}
