package packet

import "iter"

// Unsubscribe is the UNSUBSCRIBE packet (MQTT 3.1.1 section 3.10).
//
// After Decode it is a view: the filters alias the frame and live as long as the
// frame's bytes do. To build one, set ID and call Add for each filter.
type Unsubscribe struct {
	ID  uint16
	Dup bool // MQTT 3.1 only: sent before

	list  []byte // the payload: filters
	count int
}

// Decode reads the frame into u and overwrites all of it. On an error, which is
// always an *Error that ends the connection, u is left zero. The limits for
// topics do not apply: a filter beyond them was never granted, and UNSUBACK
// comes even if nothing was deleted (MQTT-3.10.4-5). Decode allocates nothing
// unless it returns an error.
func (u *Unsubscribe) Decode(f Frame, lim *Limits) error {
	*u = Unsubscribe{}
	if err := expect(f, TypeUnsubscribe, orStandard(lim)); err != nil {
		return err
	}
	b := f.Body()
	v := Unsubscribe{
		ID:   uint16(b[0])<<8 | uint16(b[1]),
		Dup:  f.First&8 != 0,
		list: b[2:],
	}
	if v.ID == 0 { // MQTT-2.3.1-1
		return fail(f, 0, RuleZeroID, "packet identifier", 0, 0)
	}
	if len(b) == 2 { // MQTT-3.10.3-2
		return fail(f, 2, RuleUnsubscribeEmpty, "payload", 1, 0)
	}
	for i := 2; i < len(b); v.count++ {
		filter, next, ok := field(b, i)
		if !ok { // MQTT-3.10.3-1
			return fail(f, i, RuleUnsubscribeFilter, "topic filter", 0, len(b)-i)
		}
		if _, e := checkFilter(filter); e != nil {
			e.Type, e.Field, e.Offset = TypeUnsubscribe, "topic filter", int(f.head)+i+2+e.Offset
			return e
		}
		i = next
	}
	*u = v
	return nil
}

// Len returns the number of filters.
func (u *Unsubscribe) Len() int { return u.count }

// All returns the filters in wire order.
func (u *Unsubscribe) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) { u.each(yield) }
}

func (u *Unsubscribe) each(yield func([]byte) bool) {
	for i := 0; ; {
		filter, next, ok := field(u.list, i)
		if !ok || !yield(filter) {
			return
		}
		i = next
	}
}

// Add appends a filter and reports whether it could: a filter of more than
// 65,535 bytes has no encoding. It copies the filter, and leaves alone the frame
// that u may have been decoded from.
func (u *Unsubscribe) Add(filter []byte) bool {
	if len(filter) > maxText {
		return false
	}
	u.list = appendField(u.list, filter)
	u.count++
	return true
}

// Check reports why u is not a legal packet under lim (nil: the standard
// alone). What Check accepts, AppendTo encodes and Decode accepts.
func (u *Unsubscribe) Check(lim *Limits) error {
	return recheck(u.AppendTo(nil), TypeUnsubscribe, lim, func(f Frame, lim *Limits) error {
		return new(Unsubscribe).Decode(f, lim)
	})
}

// Size returns the number of bytes that AppendTo appends, 0 for a packet that
// is too long to have an encoding.
func (u *Unsubscribe) Size() int { return sizeOf(2 + len(u.list)) }

// AppendTo appends the encoded packet to dst and returns the longer slice. It
// checks nothing: see Check.
func (u *Unsubscribe) AppendTo(dst []byte) []byte {
	if u.Size() == 0 {
		return dst
	}
	first := byte(TypeUnsubscribe)<<4 | 2
	if u.Dup {
		first |= 8
	}
	dst = appendHeader(dst, first, 2+len(u.list))
	dst = append(dst, byte(u.ID>>8), byte(u.ID))
	return append(dst, u.list...)
}
