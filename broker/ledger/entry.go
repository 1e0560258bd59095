package ledger

import (
	"encoding/binary"
	"fmt"

	"sampan/session/wal"
)

// An entry of the log is a kind, the key's length as a varint, the key, and the value; in the entry of a
// deletion the kind has its highest bit set and there is no value.
const deleted = 0x80

// Damaged says that an entry of the log has its checksum and yet makes no sense: another version, or a defect
// of this program, wrote it.
type Damaged struct{ Pos wal.Pos }

func (d *Damaged) Error() string {
	return fmt.Sprintf("ledger: the entry at %s of the log cannot be understood", d.Pos)
}

func appendHead(dst []byte, k Kind, key string) []byte {
	dst = append(dst, byte(k))
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	return append(dst, key...)
}

// readEntry takes an entry apart; key and value are views.
func readEntry(b []byte) (k Kind, gone bool, key, value []byte, ok bool) {
	if len(b) == 0 {
		return 0, false, nil, nil, false
	}
	k, gone = Kind(b[0]&^deleted), b[0]&deleted != 0
	size, n := binary.Uvarint(b[1:])
	if n <= 0 || size > MaxKey || size > uint64(len(b)-1-n) || k == 0 {
		return 0, false, nil, nil, false
	}
	at := 1 + n
	key, value = b[at:at+int(size)], b[at+int(size):]
	return k, gone, key, value, !gone || len(value) == 0
}
