package packet

// Ack is one of the packets that are nothing but a packet identifier: PUBACK,
// PUBREC, PUBREL, PUBCOMP and UNSUBACK (MQTT 3.1.1 sections 3.4 to 3.7, 3.11).
// It holds no views.
type Ack struct {
	Type Type
	ID   uint16
	Dup  bool // PUBREL of MQTT 3.1, sent before
}

// ackTypes are the types that an Ack can have.
const ackTypes = 1<<TypePuback | 1<<TypePubrec | 1<<TypePubrel | 1<<TypePubcomp | 1<<TypeUnsuback

// Decode reads any of the five packets into a and overwrites all of it; on an
// error a is zero.
func (a *Ack) Decode(f Frame, lim *Limits) error {
	lim = orStandard(lim)
	t := f.Type()
	if ackTypes>>t&1 == 0 {
		t = TypePuback
	}
	if err := expect(f, t, lim); err != nil {
		*a = Ack{}
		return err
	}
	b := f.Body()
	*a = Ack{Type: t, ID: uint16(b[0])<<8 | uint16(b[1]), Dup: f.First&8 != 0}
	if a.ID == 0 {
		*a = Ack{}
		rule := RuleAckID // MQTT-2.3.1-6
		if t == TypeUnsuback {
			rule = RuleSubackID // MQTT-2.3.1-7
		}
		return fail(f, 0, rule, "packet identifier", 0, 0)
	}
	return nil
}

// Check reports why a is not a legal packet under lim (nil: the standard
// alone), as its receiver would judge it.
func (a *Ack) Check(lim *Limits) error {
	return recheck(a.AppendTo(nil), a.Type, lim, func(f Frame, lim *Limits) error {
		return new(Ack).Decode(f, lim)
	})
}

// Size returns 4, the number of bytes that AppendTo appends.
func (a *Ack) Size() int { return 4 }

// AppendTo appends the encoded packet to dst and returns the longer slice. A
// Type that is none of the five appends nothing.
func (a *Ack) AppendTo(dst []byte) []byte {
	switch a.Type {
	case TypePuback, TypePubrec, TypePubcomp, TypeUnsuback:
		return appendAck(dst, byte(a.Type)<<4, a.ID)
	case TypePubrel:
		first := byte(TypePubrel)<<4 | 2
		if a.Dup {
			first |= 8
		}
		return appendAck(dst, first, a.ID)
	}
	return dst
}

func appendAck(dst []byte, first byte, id uint16) []byte {
	return append(dst, first, 2, byte(id>>8), byte(id))
}

// AppendPuback appends a PUBACK, the answer to a QoS 1 PUBLISH (MQTT-2.3.1-6).
func AppendPuback(dst []byte, id uint16) []byte { return appendAck(dst, byte(TypePuback)<<4, id) }

// AppendPubrec appends a PUBREC, the first answer to a QoS 2 PUBLISH.
func AppendPubrec(dst []byte, id uint16) []byte { return appendAck(dst, byte(TypePubrec)<<4, id) }

// AppendPubrel appends a PUBREL, the answer to PUBREC (MQTT-3.6.1-1).
func AppendPubrel(dst []byte, id uint16) []byte { return appendAck(dst, byte(TypePubrel)<<4|2, id) }

// AppendPubcomp appends a PUBCOMP, the answer to PUBREL.
func AppendPubcomp(dst []byte, id uint16) []byte { return appendAck(dst, byte(TypePubcomp)<<4, id) }

// AppendUnsuback appends an UNSUBACK, the answer to UNSUBSCRIBE (MQTT-3.10.4-4).
func AppendUnsuback(dst []byte, id uint16) []byte { return appendAck(dst, byte(TypeUnsuback)<<4, id) }

// CutPuback is Next and Decode in one for runs of PUBACK. If b begins with a
// whole and good PUBACK, it returns the identifier and the packet's length, 4;
// else 0 and 0, and Next has the answer.
func CutPuback(b []byte) (id uint16, n int) {
	if len(b) < 4 || b[0] != byte(TypePuback)<<4 || b[1] != 2 {
		return 0, 0
	}
	if id = uint16(b[2])<<8 | uint16(b[3]); id == 0 {
		return 0, 0
	}
	return id, 4
}
