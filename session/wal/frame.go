package wal

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame is a record as it lies in a segment, all numbers little-endian:
//
//	0   crc    CRC-32C of everything behind it up to the end of the payload, started from the
//	           segment's salt and the frame's offset
//	4   size   payload length in the lower 30 bits, kind in the upper 2
//	8   tag    the epoch, masked with the segment's salt
//	12  claim  what was synced when the frame was written
//	16  payload, then zeros up to a multiple of 8
//
// The salt is drawn anew for each use of a file. So neither what is left of an earlier use, nor a payload
// made to look like a frame, is ever taken for one. The epoch counts how often the log was opened: what is
// left behind the end that a recovery found has a lower epoch than what is written there later.
//
// The claim is 0, or says that all segments before this one are synced, and this one up to offset
// (claim-1)*8. It is what tells corruption from a torn tail: a bad frame before the place that a later frame
// claims was once good.
const (
	frameHeader = 16
	frameAlign  = 8

	kindShift = 30
	sizeMask  = 1<<kindShift - 1
)

// MaxRecord is the length of the longest record, in bytes.
const MaxRecord = 512 << 20

type kind uint32

const (
	kindRecord kind = iota
	kindEnd         // the log goes on in the next segment
	kindMark        // says only its claim
)

// epochSpan is by how much a frame's epoch may exceed that of its segment's header. It is only there to
// reject arbitrary bytes quickly.
const epochSpan = 1 << 24

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameSize is the space that a payload of n bytes takes.
func frameSize(n int) int { return (frameHeader + n + frameAlign - 1) &^ (frameAlign - 1) }

// frame is a decoded frame header.
type frame struct {
	kind  kind
	size  int // of the payload
	epoch uint32
	claim uint32
}

func (f frame) total() int { return frameSize(f.size) }

// claimed is the offset that the frame claims to be synced, 0 for none.
func (f frame) claimed() uint32 {
	if f.claim == 0 {
		return 0
	}
	return (f.claim - 1) * frameAlign
}

func claimOf(offset uint32) uint32 { return offset/frameAlign + 1 }

// putSize writes the part of a frame's header that is known when it is appended.
func putSize(b []byte, k kind, n int) {
	binary.LittleEndian.PutUint32(b[4:], uint32(n)|uint32(k)<<kindShift)
}

// sizeOf reads back what putSize wrote.
func sizeOf(b []byte) int { return int(binary.LittleEndian.Uint32(b[4:]) & sizeMask) }

// seal completes the frame at the start of b, which lies at offset off, and returns its total length.
func (h *segmentHeader) seal(b []byte, off, epoch, claim uint32) int {
	n := sizeOf(b)
	binary.LittleEndian.PutUint32(b[8:], epoch^h.mask())
	binary.LittleEndian.PutUint32(b[12:], claim)
	binary.LittleEndian.PutUint32(b, h.sum(b[4:frameHeader+n], off))
	return frameSize(n)
}

// parse decodes the header at the start of b, at least frameHeader bytes. It reports false for what cannot
// be the header of a frame in this segment. The payload is not looked at.
func (h *segmentHeader) parse(b []byte) (f frame, ok bool) {
	size := binary.LittleEndian.Uint32(b[4:])
	f = frame{
		kind:  kind(size >> kindShift),
		size:  int(size & sizeMask),
		epoch: binary.LittleEndian.Uint32(b[8:]) ^ h.mask(),
		claim: binary.LittleEndian.Uint32(b[12:]),
	}
	ok = f.epoch-h.epoch < epochSpan && f.kind <= kindMark && f.size <= MaxRecord &&
		(f.kind == kindRecord || f.size == 0)
	return f, ok
}

// intact reports whether the frame in b, header and payload, has its checksum.
func (h *segmentHeader) intact(b []byte, off uint32) bool {
	return binary.LittleEndian.Uint32(b) == h.sum(b[4:], off)
}

func (h *segmentHeader) sum(b []byte, off uint32) uint32 {
	return crc32.Update(h.seed()^off, castagnoli, b)
}
