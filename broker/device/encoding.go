package device

import "encoding/binary"

// Records are made of three things: bytes, varints, and texts with their length as a varint. Structures that
// may get more fields later write each as a tag and a text, so that a reader steps over what it does not
// know. They end with tagEnd or with the record.

func appendText[T string | []byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendField[T string | []byte](dst []byte, tag byte, s T) []byte {
	if len(s) == 0 {
		return dst
	}
	return appendText(append(dst, tag), s)
}

func appendNumberField(dst []byte, tag byte, n uint64) []byte {
	if n == 0 {
		return dst
	}
	var b [binary.MaxVarintLen64]byte
	return appendText(append(dst, tag), b[:binary.PutUvarint(b[:], n)])
}

// cursor reads a record. After a failure everything it returns is zero, and bad stays set.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) fail() {
	c.b, c.bad = nil, true
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail()
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *cursor) number() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// text returns a view of the record.
func (c *cursor) text() []byte {
	n := c.number()
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

// field returns the next field, and tagEnd when there is none.
func (c *cursor) field() (tag byte, value []byte) {
	if len(c.b) == 0 {
		return tagEnd, nil
	}
	if tag = c.byte(); tag == tagEnd {
		return tagEnd, nil
	}
	return tag, c.text()
}

// numberIn reads a field's value as a number.
func (c *cursor) numberIn(value []byte) uint64 {
	v, n := binary.Uvarint(value)
	if n <= 0 || n != len(value) {
		c.fail()
	}
	return v
}

const tagEnd = 0
