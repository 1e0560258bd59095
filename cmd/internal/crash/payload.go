package crash

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
)

// A payload is: CRC-32C of the rest (4 bytes), number of the run (8), number of the stream (4), number of the
// message in it (8), filling.
const (
	headBytes  = 4 + 8 + 4 + 8
	maxFilling = 500
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendPayload appends the payload of a message to dst.
func appendPayload(dst []byte, run uint64, stream int, number uint64, random *rand.Rand) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, run)
	dst = binary.BigEndian.AppendUint32(dst, uint32(stream))
	dst = binary.BigEndian.AppendUint64(dst, number)
	for range random.IntN(maxFilling / 8) {
		dst = binary.BigEndian.AppendUint64(dst, random.Uint64())
	}
	binary.BigEndian.PutUint32(dst[at:], crc32.Checksum(dst[at+4:], castagnoli))
	return dst
}

var errDamaged = errors.New("its checksum is wrong")

// parsePayload says which message a payload is.
func parsePayload(p []byte) (run uint64, stream int, number uint64, err error) {
	if len(p) < headBytes || binary.BigEndian.Uint32(p) != crc32.Checksum(p[4:], castagnoli) {
		return 0, 0, 0, errDamaged
	}
	return binary.BigEndian.Uint64(p[4:]), int(binary.BigEndian.Uint32(p[12:])), binary.BigEndian.Uint64(p[16:]), nil
}
