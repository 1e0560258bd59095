package packet

// publishOverhead is what PUBLISH holds beside topic and payload: the length of
// the topic name and the packet identifier.
const publishOverhead = 2 + 2

// Publish is the PUBLISH packet (MQTT 3.1.1 section 3.3).
//
// After Decode it is a view: Topic and Payload alias the frame and live as long
// as the frame's bytes do; whoever keeps them longer copies them. The zero value
// is not a legal packet: a topic name has at least one byte.
type Publish struct {
	Topic   []byte // name, without wildcards
	Payload []byte // application message
	ID      uint16 // packet identifier; 0 and not on the wire with QoS 0
	QoS     byte   // 0, 1 or 2
	Dup     bool   // sent before
	Retain  bool
	Ignored Ignored // what Decode left out; not encoded
}

// Decode reads the frame into p and overwrites all of it. On an error, which is
// always an *Error that ends the connection, p is left zero. Decode allocates
// nothing unless it returns an error.
func (p *Publish) Decode(f Frame, lim *Limits) error {
	lim = orStandard(lim)
	if err := examineFirst(f.First, lim); err != nil {
		*p = Publish{}
		return err
	}
	if f.Type() != TypePublish {
		*p = Publish{}
		return fail(f, -f.header(), RuleType, "", 0, int(f.Type()))
	}
	return p.decode(f, lim)
}

// decode applies every rule in wire order; the first byte has been examined.
func (p *Publish) decode(f Frame, lim *Limits) error {
	*p = Publish{}
	v := Publish{
		QoS:    f.First >> 1 & 3,
		Dup:    f.First&8 != 0,
		Retain: f.First&1 != 0,
	}
	if v.Retain && lim.Retain == Ignore {
		v.Retain = false
		v.Ignored |= IgnoredRetain
	}
	if v.QoS == 2 && lim.PublishQoS2 == Ignore {
		v.Ignored |= IgnoredPublish
	}

	topic, i, ok := field(f.Body, 0)
	if !ok { // MQTT-3.3.2-1
		return fail(f, 0, RuleTopicMissing, "topic name", 0, len(f.Body))
	}
	if e := checkName(topic, lim); e != nil {
		if e.Rule == RuleTopicWildcard {
			e.Rule = RulePublishWildcard // MQTT-3.3.2-2
		}
		e.Type, e.Field, e.Offset = TypePublish, "topic name", f.header()+2+e.Offset
		return e
	}
	v.Topic = topic

	if v.QoS > 0 { // MQTT-2.3.1-5
		if len(f.Body)-i < 2 {
			return fail(f, i, RulePublishLength, "packet identifier", 2, len(f.Body)-i)
		}
		v.ID = uint16(f.Body[i])<<8 | uint16(f.Body[i+1])
		if v.ID == 0 { // MQTT-2.3.1-1
			return fail(f, i, RuleZeroID, "packet identifier", 0, 0)
		}
		i += 2
	}

	v.Payload = f.Body[i:len(f.Body):len(f.Body)]
	if lim.Payload > 0 && len(v.Payload) > lim.Payload {
		return fail(f, i, RuleLimitPayload, "payload", lim.Payload, len(v.Payload))
	}
	*p = v
	return nil
}

// Check reports why p is not a legal packet under lim (nil: the standard
// alone). What Check accepts, AppendTo encodes and Decode returns unchanged.
func (p *Publish) Check(lim *Limits) error {
	lim = orStandard(lim)
	if err := examineFirst(p.first(), lim); err != nil {
		return err
	}
	if p.QoS > 2 {
		return &Error{Rule: RuleQoS3, Type: TypePublish, Field: "QoS", Value: int(p.QoS)}
	}
	if e := checkName(p.Topic, lim); e != nil {
		if e.Rule == RuleTopicWildcard {
			e.Rule = RulePublishWildcard
		}
		e.Type, e.Field = TypePublish, "topic name"
		return e
	}
	if (p.ID == 0) != (p.QoS == 0) {
		return &Error{Rule: RuleZeroID, Type: TypePublish, Field: "packet identifier", Value: int(p.ID)}
	}
	if lim.Payload > 0 && len(p.Payload) > lim.Payload {
		return &Error{Rule: RuleLimitPayload, Type: TypePublish, Field: "payload", Limit: lim.Payload, Value: len(p.Payload)}
	}
	if rem := p.remaining(); !lim.fits(p.first(), rem) {
		return misfit(p.first(), rem, lim)
	}
	return nil
}

// Size returns the number of bytes that AppendTo appends: 0 for a packet that
// has no encoding, as its topic exceeds 65,535 bytes or its remaining length
// MaxRemaining.
func (p *Publish) Size() int {
	if len(p.Topic) > maxText {
		return 0
	}
	return sizeOf(p.remaining())
}

// AppendTo appends the encoded packet to dst and returns the longer slice. It
// checks nothing (see Check) and writes what p says: a packet without an
// encoding leaves dst as it is, as Size tells. It allocates only if dst lacks
// capacity.
func (p *Publish) AppendTo(dst []byte) []byte {
	if p.Size() == 0 {
		return dst
	}
	return append(p.AppendHead(dst), p.Payload...)
}

// AppendHead appends the packet up to its payload, for a caller who sends the
// payload from where it lies. The lengths in it are those of the whole packet.
func (p *Publish) AppendHead(dst []byte) []byte {
	if p.Size() == 0 {
		return dst
	}
	dst = appendHeader(dst, p.first(), p.remaining())
	dst = appendField(dst, p.Topic)
	if p.QoS > 0 {
		dst = append(dst, byte(p.ID>>8), byte(p.ID))
	}
	return dst
}

func (p *Publish) first() byte {
	first := byte(TypePublish)<<4 | p.QoS&3<<1
	if p.Dup {
		first |= 8
	}
	if p.Retain {
		first |= 1
	}
	return first
}

func (p *Publish) remaining() int {
	n := 2 + len(p.Topic) + len(p.Payload)
	if p.QoS > 0 {
		n += 2
	}
	return n
}
