package wire

// reader takes fields off the front of a message body. A field that does not
// fit sets bad and gives zero values, so a decoder checks once at its end.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if v := r.take(2); v != nil {
		return uint16(v[0])<<8 | uint16(v[1])
	}
	return 0
}

func (r *reader) vec8() []byte { return r.take(int(r.u8())) }

func (r *reader) vec16() []byte { return r.take(int(r.u16())) }

// skip takes all that is left.
func (r *reader) skip() { r.b = nil }

func (r *reader) empty() bool { return len(r.b) == 0 }

// ended says that every field fitted and nothing is left over.
func (r *reader) ended() bool { return !r.bad && r.empty() }

// has16 searches a list of 16-bit values as they stand on the wire.
func has16(list []byte, v uint16) bool {
	for i := 0; i+1 < len(list); i += 2 {
		if uint16(list[i])<<8|uint16(list[i+1]) == v {
			return true
		}
	}
	return false
}
