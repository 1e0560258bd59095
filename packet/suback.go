package packet

// SubackFailure is the SUBACK code for a filter that was refused. MQTT 3.1 does
// not know it: towards a 3.1 client a server answers with the QoS asked for.
const SubackFailure = 0x80

// Suback is the SUBACK packet (MQTT 3.1.1 section 3.9).
//
// After Decode it is a view: Codes aliases the frame and lives as long as the
// frame's bytes do.
type Suback struct {
	ID    uint16 // that of the SUBSCRIBE (MQTT-3.8.4-2)
	Codes []byte // one for each filter, in order (MQTT-3.9.3-1): 0, 1, 2 or SubackFailure
}

// Decode reads the frame into s and overwrites all of it; on an error s is zero.
func (s *Suback) Decode(f Frame, lim *Limits) error {
	*s = Suback{}
	if err := expect(f, TypeSuback, orStandard(lim)); err != nil {
		return err
	}
	b := f.Body()
	id := uint16(b[0])<<8 | uint16(b[1])
	if id == 0 { // MQTT-2.3.1-7
		return fail(f, 0, RuleSubackID, "packet identifier", 0, 0)
	}
	for i, code := range b[2:] {
		if code > 2 && code != SubackFailure { // MQTT-3.9.3-2
			return fail(f, 2+i, RuleSubackCode, "return code", 0, int(code))
		}
	}
	*s = Suback{ID: id, Codes: b[2:]}
	return nil
}

// Check reports why s is not a legal packet under lim (nil: the standard
// alone), as its receiver would judge it.
func (s *Suback) Check(lim *Limits) error {
	return recheck(s.AppendTo(nil), TypeSuback, lim, func(f Frame, lim *Limits) error {
		return new(Suback).Decode(f, lim)
	})
}

// Size returns the number of bytes that AppendTo appends, 0 for a packet that
// is too long to have an encoding.
func (s *Suback) Size() int { return sizeOf(2 + len(s.Codes)) }

// AppendTo appends the encoded packet to dst and returns the longer slice.
func (s *Suback) AppendTo(dst []byte) []byte {
	if s.Size() == 0 {
		return dst
	}
	dst = appendHeader(dst, byte(TypeSuback)<<4, 2+len(s.Codes))
	dst = append(dst, byte(s.ID>>8), byte(s.ID))
	return append(dst, s.Codes...)
}
