package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"sampan/session/wal/vfs"
)

// A segment is a file named after its number. It begins with a header of one page, written and synced before
// the file gets its name, and twice, so that one bad sector does not take the whole segment. Frames follow.
const (
	headerBytes = 4096
	headerCopy  = 2048 // offset of the header's second copy
	headerUsed  = 64

	// maxFile is the size up to which a file's offsets, and the one behind its last frame, are a uint32. No segment
	// comes near it: a longer file is not what it was.
	maxFile = 1<<32 - frameAlign

	walSuffix  = ".wal"
	freeSuffix = ".free" // a file whose contents do not count, kept to be used again

	headerMagic   = "SampanWL"
	headerVersion = 1
	appBytes      = 16
)

// segmentHeader says whose file it is, and holds what its frames are checked with.
type segmentHeader struct {
	seq   uint32
	epoch uint32 // of the first frame; later ones have the same or a higher one
	salt  uint64 // random, new with each use of the file
	app   string // whose records they are, at most appBytes
}

func (h *segmentHeader) mask() uint32 { return uint32(h.salt >> 32) }
func (h *segmentHeader) seed() uint32 { return uint32(h.salt) }

// draw gives the header its salt. With one in 256, zeros would look like the header of a frame: they are what lies
// behind the last one, and would be taken for something that was being written.
func (h *segmentHeader) draw() {
	for plausible := true; plausible; {
		var b [8]byte
		rand.Read(b[:]) // never fails
		h.salt = binary.LittleEndian.Uint64(b[:])
		_, plausible = h.parse(zeros[:frameHeader])
	}
}

// encode returns the header page.
func (h *segmentHeader) encode() []byte {
	page := make([]byte, headerBytes)
	b := page[:headerUsed]
	copy(b, headerMagic)
	binary.LittleEndian.PutUint32(b[8:], headerVersion)
	binary.LittleEndian.PutUint32(b[12:], h.seq)
	binary.LittleEndian.PutUint32(b[16:], h.epoch)
	binary.LittleEndian.PutUint64(b[24:], h.salt)
	copy(b[32:32+appBytes], h.app)
	binary.LittleEndian.PutUint32(b[headerUsed-4:], crc32.Checksum(b[:headerUsed-4], castagnoli))
	copy(page[headerCopy:], b)
	return page
}

// decodeHeader reads either copy in the header page.
func decodeHeader(page []byte) (h segmentHeader, version uint32, err error) {
	for _, at := range []int{0, headerCopy} {
		if len(page) < at+headerUsed {
			break
		}
		b := page[at : at+headerUsed]
		if string(b[:8]) != headerMagic ||
			binary.LittleEndian.Uint32(b[headerUsed-4:]) != crc32.Checksum(b[:headerUsed-4], castagnoli) {
			continue
		}
		version = binary.LittleEndian.Uint32(b[8:])
		h.seq = binary.LittleEndian.Uint32(b[12:])
		h.epoch = binary.LittleEndian.Uint32(b[16:])
		h.salt = binary.LittleEndian.Uint64(b[24:])
		h.app = strings.TrimRight(string(b[32:32+appBytes]), "\x00")
		return h, version, nil
	}
	return h, 0, errors.New("neither copy of its header is readable")
}

// segment is a segment's file, open.
type segment struct {
	segmentHeader
	name string
	file vfs.File
}

// FileName returns the name of a segment's file.
func FileName(seq uint32) string { return numbered(seq, walSuffix) }

func numbered(n uint32, suffix string) string { return fmt.Sprintf("%08x%s", n, suffix) }

// number is the number in a name made by numbered.
func number(name, suffix string) (n uint32, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 8 {
		return 0, false
	}
	u, err := strconv.ParseUint(digits, 16, 32)
	return uint32(u), err == nil
}

// readHeader reads and checks the header of segment seq from its file. A header that is damaged is reported
// apart from other errors.
func readHeader(f vfs.File, path string, seq uint32, app string) (h segmentHeader, damage, err error) {
	page := make([]byte, headerBytes)
	n, err := readFull(f, page, 0)
	if err != nil {
		return h, nil, &Failure{Op: "read", File: path, Err: err}
	}
	h, version, err := decodeHeader(page[:n])
	switch {
	case err != nil:
		return h, err, nil
	case version != headerVersion:
		return h, nil, fmt.Errorf("%w: %s has format %d, and this program reads format %d",
			ErrForeign, path, version, headerVersion)
	case app != "" && h.app != app:
		return h, nil, fmt.Errorf("%w: %s belongs to %q, not to %q", ErrForeign, path, h.app, app)
	case h.seq != seq:
		return h, fmt.Errorf("its header is that of segment %d", h.seq), nil
	}
	return h, nil, nil
}
