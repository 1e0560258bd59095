package wal

import "fmt"

// Pos is the place of a record in its log: the number of its segment and the offset in that segment's file.
// Positions grow in the order of Append and are never used again, also across restarts. Zero is before all
// records.
type Pos uint64

// At returns the position at an offset of a segment.
func At(segment, offset uint32) Pos { return Pos(segment)<<32 | Pos(offset) }

// Segment is the number of the segment that the position is in.
func (p Pos) Segment() uint32 { return uint32(p >> 32) }

// Offset is the position's distance from the start of its segment's file in bytes, a multiple of 8.
func (p Pos) Offset() uint32 { return uint32(p) }

func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Segment(), p.Offset()) }
