package compact

import "encoding/binary"

// Slabs begin small, so that a table of a few records is small, and grow to this.
const (
	smallestSlab = 1 << 10
	largestSlab  = 1 << 18
)

// MaxName is the longest name, in bytes.
const MaxName = 255

// A ref says where a record begins: the number of its slab and the offset in it. Zero is no record, so
// slabs are counted from one.
func makeRef(slab, offset int) uint64 { return uint64(slab+1)<<32 | uint64(offset) }

func splitRef(ref uint64) (slab, offset int) { return int(ref>>32) - 1, int(uint32(ref)) }

// appendRecord writes a record: the length of the name in one byte, the name, the length of the body as a
// varint, the body.
func appendRecord(dst []byte, name, body []byte) []byte {
	dst = append(dst, byte(len(name)))
	dst = append(dst, name...)
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	return append(dst, body...)
}

// recordSize is the length of the record in its slab, or more by the unused part of the varint.
func recordSize(name, body []byte) int {
	return 1 + len(name) + binary.MaxVarintLen32 + len(body)
}

// readRecord finds the parts of a record. They cannot be appended to without copying.
func readRecord(b []byte) (name, body []byte) {
	end := 1 + int(b[0])
	name = b[1:end:end]
	size, n := binary.Uvarint(b[end:])
	start := end + n
	end = start + int(size)
	return name, b[start:end:end]
}
