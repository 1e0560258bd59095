package logstore

import (
	"sampan/session"
	"sampan/session/wal"
)

// entry is what is kept in memory of a stored message, in 16 bytes:
//
//	at    63..40  the lower 24 bits of the segment's number
//	      39..11  the offset in the segment, in units of 8 bytes
//	      10..0   in how many queues the message is; manyWaiting: see the table's extras
//	size  63..35  bytes of the PUBLISH packet
//	      34..0   0: it does not expire; farExpiry: see the table's extras; otherwise when it expires, in
//	              milliseconds after the base of its page
//
// 24 bits are enough for the segment, because a log never has so many at a time.
type entry struct {
	at   uint64
	size uint64
}

const (
	segmentBits = 24
	offsetShift = 11
	offsetBits  = 29
	waitingMask = 1<<offsetShift - 1
	manyWaiting = waitingMask

	sizeShift  = 35
	expiryMask = 1<<sizeShift - 1
	farExpiry  = expiryMask

	// maxSize is the largest packet that fits, twice what MQTT allows.
	maxSize = 1<<(64-sizeShift) - 1

	entryBytes = 16
)

// info is an entry in plain.
type info struct {
	pos     wal.Pos
	size    int
	expires session.Time
	waiting int // queues
}

// packPos packs a position, which is a multiple of 8, into the place that it has in entry.at.
func packPos(p wal.Pos) uint64 {
	return uint64(p.Segment())<<(offsetBits+offsetShift) | uint64(p.Offset()/8)<<offsetShift
}

// pos unpacks the position. near is the number of a segment at most 2^23 away from the right one.
func (e entry) pos(near uint32) wal.Pos {
	const window = 1 << segmentBits
	low := uint32(e.at >> (offsetBits + offsetShift))
	diff := (low - near) & (window - 1)
	if diff >= window/2 {
		diff -= window
	}
	return wal.At(near+diff, uint32(e.at>>offsetShift&(1<<offsetBits-1))*8)
}

// packExpiry returns what stands for a deadline in a page with this base, or farExpiry.
func packExpiry(t, base session.Time) uint64 {
	if t == 0 {
		return 0
	}
	if d := t - base; d > 0 && d < farExpiry {
		return uint64(d)
	}
	return farExpiry
}

// expiryBase is the base of a page whose first message expires at t: what expires up to half a year earlier
// or later fits. It is never 0, which means that a page has none.
func expiryBase(t session.Time) session.Time {
	if t -= expiryMask / 2; t != 0 {
		return t
	}
	return 1
}
