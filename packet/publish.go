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
	if f.head > 0 && len(f.Raw) > int(f.head) && f.First == f.Raw[0] && p.cut(f.Raw, int(f.head), nil, lim) > 0 {
		return nil
	}
	return p.examine(f, lim)
}

// Cut is Next and Decode in one for runs of PUBLISH. If b begins with a whole
// PUBLISH that is plainly good, Cut reads it into p and returns its length. It
// returns 0, and leaves p undefined, for all else: another packet, a part of
// one, one to be refused, or a rarer form of a good one (QoS 2, a topic name
// that is not ASCII, shorter than 8 bytes or longer than 255). Next then has the
// answer:
//
//	for len(b) > 0 {
//		n := p.Cut(b, lim)
//		if n == 0 {
//			break // Next, and the decoder of what it finds
//		}
//		b = b[n:]
//	}
func (p *Publish) Cut(b []byte, lim *Limits) int { return p.cut(b, 0, nil, lim) }

// CutSame is Cut for a run of PUBLISH on one topic: it takes the packet only if
// its topic name is the one given, and saves the look at it. The topic must be
// one that Decode or Cut accepted under the same limits, or ValidTopicName.
func (p *Publish) CutSame(b, topic []byte, lim *Limits) int {
	if len(topic) == 0 {
		return 0
	}
	return p.cut(b, 0, topic, lim)
}

// cut is Cut; CutSame if known is not nil; and the first try of Decode if i, the
// length of a fixed header that Next has read, is not 0. It is the hot path of
// the codec and says no rather than why: what it takes, examine takes with the
// same result, and examine knows the rules.
func (p *Publish) cut(b []byte, i int, known []byte, lim *Limits) int {
	lim = orStandard(lim)

	// Fixed header: PUBLISH, not QoS 2 or 3, no DUP with QoS 0.
	if len(b) < 2+2+8 {
		return 0
	}
	first := b[0]
	if first&0xf4 != 0x30 || first&0x0a == 0x08 || !lim.Types.Has(TypePublish) {
		return 0
	}
	if i == 0 {
		var rem int
		rem, i = int(b[1]), 2
		if rem >= 0x80 {
			rem, i = rem&0x7f|int(b[2])<<7, 3
			if b[2] >= 0x80 {
				if rem, i = longRemaining(b); i <= 0 {
					return 0
				}
			}
		}
		end := i + rem
		if end > len(b) {
			return 0
		}
		b = b[:end:end]
	}
	if lim.Remaining > 0 && len(b)-i > lim.Remaining {
		return 0
	}

	// Topic name.
	if i+2 > len(b) {
		return 0
	}
	at := i + 2 + (int(b[i])<<8 | int(b[i+1]))
	if at > len(b) {
		return 0
	}
	topic := b[i+2 : at : at]
	if known != nil {
		if string(topic) != string(known) {
			return 0
		}
	} else if len(topic) < 8 || len(topic) > 255 || lim.Topic > 0 && len(topic) > lim.Topic {
		return 0
	} else if slashes := plainSlashes(topic); slashes < 0 || lim.Slashes > 0 && slashes > lim.Slashes {
		return 0
	}

	// Packet identifier, with QoS 1.
	var id uint16
	if first&2 != 0 {
		if at+2 > len(b) {
			return 0
		}
		id = uint16(b[at])<<8 | uint16(b[at+1])
		if id == 0 {
			return 0
		}
		at += 2
	}
	payload := b[at:]
	if lim.Payload > 0 && len(payload) > lim.Payload {
		return 0
	}

	retain, ignored := first&1 != 0, Ignored(0)
	if retain && lim.Retain != Accept {
		if lim.Retain == Refuse {
			return 0
		}
		retain, ignored = false, IgnoredRetain
	}
	p.Topic, p.Payload = topic, payload
	p.ID, p.QoS, p.Dup, p.Retain, p.Ignored = id, first>>1&1, first&8 != 0, retain, ignored
	return len(b)
}

// examine is Decode for every form of PUBLISH.
func (p *Publish) examine(f Frame, lim *Limits) error {
	*p = Publish{}
	if err := expect(f, TypePublish, lim); err != nil {
		return err
	}
	return p.decode(f, lim)
}

// decode applies every rule in wire order; the first byte has been examined.
func (p *Publish) decode(f Frame, lim *Limits) error {
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

	topic, i, ok := field(f.Body(), 0)
	if !ok { // MQTT-3.3.2-1
		return fail(f, 0, RuleTopicMissing, "topic name", 0, len(f.Body()))
	}
	if e := checkName(topic, lim); e != nil {
		e.Offset += int(f.head) + 2
		return e.inPublish()
	}
	v.Topic = topic

	if v.QoS > 0 { // MQTT-2.3.1-5
		if len(f.Body())-i < 2 {
			return fail(f, i, RulePublishLength, "packet identifier", 2, len(f.Body())-i)
		}
		v.ID = uint16(f.Body()[i])<<8 | uint16(f.Body()[i+1])
		if v.ID == 0 { // MQTT-2.3.1-1
			return fail(f, i, RuleZeroID, "packet identifier", 0, 0)
		}
		i += 2
	}

	v.Payload = f.Body()[i:]
	if lim.Payload > 0 && len(v.Payload) > lim.Payload {
		return fail(f, i, RuleLimitPayload, "payload", lim.Payload, len(v.Payload))
	}
	*p = v
	return nil
}

// Check reports why p is not a legal packet under lim (nil: the standard
// alone), as its receiver would judge it. What Check accepts, AppendTo encodes
// and Decode returns unchanged, but for what the policies ignore.
func (p *Publish) Check(lim *Limits) error {
	l := sending(lim)
	bad := func(rule Rule, field string, limit, value int) error {
		return &Error{Rule: rule, Type: TypePublish, Field: field, Limit: limit, Value: value}
	}
	if p.QoS > 2 { // MQTT-3.3.1-4
		return bad(RuleQoS3, "QoS", 2, int(p.QoS))
	}
	if err := examineFirst(p.first(), &l); err != nil {
		return err
	}
	if e := checkName(p.Topic, &l); e != nil {
		return e.inPublish()
	}
	if p.QoS == 0 && p.ID != 0 { // MQTT-2.3.1-5
		return bad(RuleIDWithoutQoS, "packet identifier", 0, int(p.ID))
	}
	if p.QoS > 0 && p.ID == 0 { // MQTT-2.3.1-1
		return bad(RuleZeroID, "packet identifier", 0, 0)
	}
	if l.Payload > 0 && len(p.Payload) > l.Payload {
		return bad(RuleLimitPayload, "payload", l.Payload, len(p.Payload))
	}
	if rem := p.remaining(); rem > MaxRemaining || !l.fits(TypePublish, rem) {
		return misfit(p.first(), rem, &l)
	}
	return nil
}

// inPublish turns an error about a topic by itself into one about PUBLISH.
func (e *Error) inPublish() *Error {
	if e.Rule == RuleTopicWildcard {
		e.Rule = RulePublishWildcard // MQTT-3.3.2-2
	}
	e.Type, e.Field = TypePublish, "topic name"
	return e
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
	rem := p.remaining()
	if len(p.Topic) > maxText || rem > MaxRemaining {
		return dst
	}
	// AppendHead written out: the call would cost a third of the time.
	dst = appendHeader(dst, p.first(), rem)
	dst = appendField(dst, p.Topic)
	if p.QoS > 0 {
		dst = append(dst, byte(p.ID>>8), byte(p.ID))
	}
	return append(dst, p.Payload...)
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
