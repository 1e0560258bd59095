package packet

const (
	// connectFixed is the variable header of CONNECT behind the protocol name:
	// level, flags and keep-alive.
	connectFixed = 1 + 1 + 2
	// maxConnect is the longest body that CONNECT can have: the longer protocol
	// name, and five fields.
	maxConnect = 2 + len(name31) + connectFixed + 5*(2+maxText)

	name31  = "MQIsdp"
	name311 = "MQTT"
)

// The bits of the connect flags (MQTT 3.1.1 section 3.1.2.3).
const (
	flagReserved = 1 << iota
	flagCleanSession
	flagWill
	flagWillQoS0
	flagWillQoS1
	flagWillRetain
	flagPassword
	flagUsername
)

// Connect is the CONNECT packet (MQTT 3.1.1 section 3.1).
//
// After Decode it is a view: all byte slices alias the frame and live as long as
// the frame's bytes do. The protocol name follows from Level.
type Connect struct {
	Level        byte // Level31 or Level311; AppendTo takes 0 as Level311
	CleanSession bool
	KeepAlive    uint16 // seconds; 0 turns the keep-alive off
	ClientID     []byte

	Will        bool
	WillQoS     byte
	WillRetain  bool
	WillTopic   []byte
	WillMessage []byte

	HasUsername bool
	HasPassword bool
	Username    []byte
	Password    []byte // any bytes, not text

	Ignored Ignored // what Decode left out; not encoded
}

// Decode reads the frame into c and overwrites all of it. On an error, which is
// always an *Error that ends the connection, c is left zero, and Error.Connack
// says whether a CONNACK with a return code goes out first. Decode allocates
// nothing unless it returns an error.
func (c *Connect) Decode(f Frame, lim *Limits) error {
	*c = Connect{}
	lim = orStandard(lim)
	if err := expect(f, TypeConnect, lim); err != nil {
		return err
	}
	b := f.Body()

	// Protocol name and level come first and decide how to read the rest.
	name, i, ok := field(b, 0)
	if !ok || string(name) != name311 && string(name) != name31 { // MQTT-3.1.2-1
		return fail(f, 0, RuleProtocolName, "protocol name", 0, len(name))
	}
	if len(b)-i < connectFixed {
		if len(b) > i && !lim.named(string(name), b[i]) {
			return refuseLevel(f, i, lim)
		}
		return fail(f, i, RuleConnectLength, "variable header", connectFixed, len(b)-i)
	}
	if !lim.named(string(name), b[i]) { // MQTT-3.1.2-2
		return refuseLevel(f, i, lim)
	}
	flags, at := b[i+1], i+1
	if b[i] == Level31 {
		flags = used31(flags)
	}
	v := Connect{
		Level:        b[i],
		CleanSession: flags&flagCleanSession != 0,
		KeepAlive:    uint16(b[i+2])<<8 | uint16(b[i+3]),
		Will:         flags&flagWill != 0,
		WillQoS:      flags / flagWillQoS0 & 3,
		WillRetain:   flags&flagWillRetain != 0,
		HasUsername:  flags&flagUsername != 0,
		HasPassword:  flags&flagPassword != 0,
	}
	i += connectFixed
	if rule := badConnectFlags(flags); rule != "" {
		return fail(f, at, rule, "connect flags", 0, int(b[at]))
	}

	// Payload: client identifier, Will topic, Will message, user name, password
	// (MQTT-3.1.3-1).
	if v.ClientID, i, ok = field(b, i); !ok { // MQTT-3.1.3-3
		return fail(f, i, RuleClientIDMissing, "client identifier", 0, len(b)-i)
	}
	if err := checkText(f, i, v.ClientID, "client identifier"); err != nil { // MQTT-3.1.3-4
		return err
	}
	if v.Will { // MQTT-3.1.2-9
		if v.WillTopic, i, ok = field(b, i); !ok {
			return fail(f, i, RuleWillFields, "Will topic", 0, len(b)-i)
		}
		if err := checkText(f, i, v.WillTopic, "Will topic"); err != nil { // MQTT-3.1.3-10
			return err
		}
		topicEnd := i
		if v.WillMessage, i, ok = field(b, i); !ok {
			return fail(f, i, RuleWillFields, "Will message", 0, len(b)-i)
		}
		if err := v.restrictWill(f, topicEnd, lim); err != nil {
			return err
		}
	}
	// MQTT 3.1 section 3.1: the remaining length takes precedence over the user
	// name and password flags; the strings may be missing.
	if v.HasUsername && v.Level == Level31 && i == len(b) {
		v.HasUsername, v.HasPassword = false, false
	}
	if v.HasUsername {
		if v.Username, i, ok = field(b, i); !ok { // MQTT-3.1.2-19
			return fail(f, i, RuleUsernameSet, "user name", 0, len(b)-i)
		}
		if err := checkText(f, i, v.Username, "user name"); err != nil { // MQTT-3.1.3-11
			return err
		}
	}
	if v.HasPassword && v.Level == Level31 && i == len(b) {
		v.HasPassword = false
	}
	if v.HasPassword {
		if v.Password, i, ok = field(b, i); !ok { // MQTT-3.1.2-21
			return fail(f, i, RulePasswordSet, "password", 0, len(b)-i)
		}
	}
	if i < len(b) {
		rule := RuleConnectOrder
		switch {
		case !v.HasUsername:
			rule = RuleUsernameClear // MQTT-3.1.2-18
		case !v.HasPassword:
			rule = RulePasswordClear // MQTT-3.1.2-20
		}
		return fail(f, i, rule, "payload", 0, len(b)-i)
	}
	if rule := badClientID(&v); rule != "" {
		err := fail(f, 2+len(name)+2+connectFixed, rule, "client identifier", 0, 0)
		err.(*Error).scope = scopeConnack + scope(RefusedIdentifier)
		return err
	}
	*c = v
	return nil
}

// named reports whether the level is accepted and goes with the protocol name.
func (lim *Limits) named(name string, level byte) bool {
	return lim.accepts(level) && (name == name31) == (level == Level31)
}

// refuseLevel is the error for the protocol level at f.Body()[i] (MQTT-3.1.2-2).
func refuseLevel(f Frame, i int, lim *Limits) error {
	highest := Level311
	if !lim.accepts(Level311) {
		highest = Level31
	}
	err := fail(f, i, RuleProtocolLevel, "protocol level", highest, int(f.Body()[i]))
	err.(*Error).scope = scopeConnack + scope(RefusedProtocolLevel)
	return err
}

// used31 returns the connect flags that MQTT 3.1 looks at: not bit 0, and those
// of a Will only if there is one (section 3.1).
func used31(flags byte) byte {
	flags &^= flagReserved
	if flags&flagWill == 0 {
		flags &^= flagWillQoS0 | flagWillQoS1 | flagWillRetain
	}
	return flags
}

// badConnectFlags returns the rule that the connect flags break by themselves.
func badConnectFlags(flags byte) Rule {
	willQoS := flags / flagWillQoS0 & 3
	switch {
	case flags&flagReserved != 0: // MQTT-3.1.2-3
		return RuleConnectReserved
	case flags&flagWill == 0 && willQoS != 0: // MQTT-3.1.2-11, MQTT-3.1.2-13
		return RuleWillQoSClear
	case flags&flagWill == 0 && flags&flagWillRetain != 0: // MQTT-3.1.2-11, MQTT-3.1.2-15
		return RuleWillRetainClear
	case willQoS == 3: // MQTT-3.1.2-14
		return RuleWillQoS
	case flags&flagPassword != 0 && flags&flagUsername == 0: // MQTT-3.1.2-22
		return RulePasswordAlone
	}
	return ""
}

// badClientID judges an empty client identifier: 3.1.1 wants CleanSession with
// it (MQTT-3.1.3-7, MQTT-3.1.3-8), 3.1 does not know it. There is no upper
// bound: the 23 characters of 3.1 are less than the platform's identifiers have.
func badClientID(c *Connect) Rule {
	switch {
	case len(c.ClientID) > 0:
		return ""
	case c.Level == Level31:
		return RuleClientID31
	case !c.CleanSession:
		return RuleClientIDEmpty
	}
	return ""
}

// restrictWill applies the limits to a Will whose layout is right. The Will
// topic ends at f.Body()[topicEnd].
func (c *Connect) restrictWill(f Frame, topicEnd int, lim *Limits) error {
	at := topicEnd - len(c.WillTopic)
	switch lim.Will {
	case Refuse:
		return fail(f, at, RuleLimitWill, "Will topic", 0, 1)
	case Ignore:
		c.Ignored |= IgnoredWill
		c.dropWill()
		return nil
	}
	if e := checkName(c.WillTopic, lim); e != nil {
		e.Type, e.Field, e.Offset = TypeConnect, "Will topic", int(f.head)+at+e.Offset
		return e
	}
	if c.WillQoS == 2 {
		switch lim.PublishQoS2 {
		case Refuse:
			return fail(f, at, RuleLimitQoS2, "Will QoS", 1, 2)
		case Ignore:
			c.Ignored |= IgnoredWill
			c.dropWill()
			return nil
		}
	}
	if c.WillRetain {
		switch lim.Retain {
		case Refuse:
			return fail(f, at, RuleLimitRetain, "Will Retain", 0, 1)
		case Ignore:
			c.Ignored |= IgnoredRetain
			c.WillRetain = false
		}
	}
	if lim.Payload > 0 && len(c.WillMessage) > lim.Payload {
		return fail(f, topicEnd+2, RuleLimitPayload, "Will message", lim.Payload, len(c.WillMessage))
	}
	return nil
}

func (c *Connect) dropWill() {
	c.Will, c.WillQoS, c.WillRetain, c.WillTopic, c.WillMessage = false, 0, false, nil, nil
}

// Check reports why c is not a legal packet under lim (nil: the standard
// alone), as its receiver would judge it. What Check accepts, AppendTo encodes
// and Decode returns unchanged, but for what the policies ignore and for a Level
// of 0, which comes back as Level311.
func (c *Connect) Check(lim *Limits) error {
	bad := func(rule Rule, field string, limit, value int) error {
		return &Error{Rule: rule, Type: TypeConnect, Field: field, Limit: limit, Value: value}
	}
	switch {
	case c.longest() > maxText:
		return bad(RuleConnectLength, "payload", maxText, c.longest())
	case c.WillQoS > 2: // MQTT-3.1.2-14
		return bad(RuleWillQoS, "Will QoS", 2, int(c.WillQoS))
	case !c.Will && c.WillQoS != 0: // MQTT-3.1.2-13
		return bad(RuleWillQoSClear, "Will QoS", 0, int(c.WillQoS))
	case !c.Will && c.WillRetain: // MQTT-3.1.2-15
		return bad(RuleWillRetainClear, "Will Retain", 0, 1)
	case !c.Will && len(c.WillTopic)+len(c.WillMessage) > 0: // MQTT-3.1.2-11
		return bad(RuleWillClear, "Will topic", 0, len(c.WillTopic)+len(c.WillMessage))
	case !c.HasUsername && len(c.Username) > 0: // MQTT-3.1.2-18
		return bad(RuleUsernameClear, "user name", 0, len(c.Username))
	case !c.HasPassword && len(c.Password) > 0: // MQTT-3.1.2-20
		return bad(RulePasswordClear, "password", 0, len(c.Password))
	}
	return recheck(c.AppendTo(nil), TypeConnect, lim, func(f Frame, lim *Limits) error {
		return new(Connect).Decode(f, lim)
	})
}

// longest returns the length of the longest field.
func (c *Connect) longest() int {
	return max(len(c.ClientID), len(c.WillTopic), len(c.WillMessage), len(c.Username), len(c.Password))
}

// Size returns the number of bytes that AppendTo appends: 0 for a packet that
// has no encoding, as one of its fields exceeds 65,535 bytes.
func (c *Connect) Size() int {
	if c.longest() > maxText {
		return 0
	}
	return sizeOf(c.remaining())
}

func (c *Connect) remaining() int {
	n := 2 + len(name311) + connectFixed + 2 + len(c.ClientID)
	if c.Level == Level31 {
		n += len(name31) - len(name311)
	}
	if c.Will {
		n += 2 + len(c.WillTopic) + 2 + len(c.WillMessage)
	}
	if c.HasUsername {
		n += 2 + len(c.Username)
	}
	if c.HasPassword {
		n += 2 + len(c.Password)
	}
	return n
}

// AppendTo appends the encoded packet to dst and returns the longer slice. It
// checks nothing (see Check) and writes each flag as c says, so that it can also
// make packets that nobody may send; a packet without an encoding leaves dst as
// it is, as Size tells.
func (c *Connect) AppendTo(dst []byte) []byte {
	if c.Size() == 0 {
		return dst
	}
	level, name := c.Level, name311
	switch level {
	case 0:
		level = Level311
	case Level31:
		name = name31
	}
	dst = appendHeader(dst, byte(TypeConnect)<<4, c.remaining())
	dst = append(dst, 0, byte(len(name)))
	dst = append(dst, name...)
	dst = append(dst, level, c.flags(), byte(c.KeepAlive>>8), byte(c.KeepAlive))
	dst = appendField(dst, c.ClientID)
	if c.Will {
		dst = appendField(dst, c.WillTopic)
		dst = appendField(dst, c.WillMessage)
	}
	if c.HasUsername {
		dst = appendField(dst, c.Username)
	}
	if c.HasPassword {
		dst = appendField(dst, c.Password)
	}
	return dst
}

func (c *Connect) flags() byte {
	flags := c.WillQoS & 3 * flagWillQoS0
	if c.CleanSession {
		flags |= flagCleanSession
	}
	if c.Will {
		flags |= flagWill
	}
	if c.WillRetain {
		flags |= flagWillRetain
	}
	if c.HasPassword {
		flags |= flagPassword
	}
	if c.HasUsername {
		flags |= flagUsername
	}
	return flags
}
