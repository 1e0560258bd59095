package logstore

import "sampan/session/wal"

// The log is compacted when, of the segments before the last checkpoint, more than half is waste, and that
// is more than a few segments. The messages in the first ones that are still waited for are then copied to
// the end, until it is not so any more. Going round the whole log costs no more writing than it frees.
const slackSegments = 4

// compact copies forward what holds the first segments, and gives them up.
func (u *upkeep) compact() error {
	s := u.s
	segment := s.o.SegmentBytes
	if segment == 0 {
		segment = defaultSegment
	}
	u.step = 0
	for {
		first, end := s.log.Start().Segment(), u.begin.Segment()
		if first >= end {
			return nil
		}
		live := int64(0)
		for seg, bytes := range s.index.table.live() {
			if seg < end {
				live += bytes
			}
		}
		used := int64(end-first) * segment
		if used <= 2*live+slackSegments*segment {
			return nil
		}
		if err := u.copyForward(first); err != nil {
			return err
		}
		// The copies must hold before the originals go, and so must it that some were not copied.
		if err := s.log.Wait(); err != nil {
			return err
		}
		if err := s.log.Truncate(wal.At(first+1, 0)); err != nil {
			return err
		}
		if err := u.trim(); err != nil {
			return err
		}
	}
}

// defaultSegment is the log's.
const defaultSegment = 64 << 20

// copyForward appends the messages of a segment that are still waited for to the log once more.
func (u *upkeep) copyForward(segment uint32) error {
	s := u.s
	var head []byte
	_, err := s.log.Scan(wal.At(segment, 0), wal.At(segment+1, 0), func(pos wal.Pos, rec []byte) error {
		d := decoder{b: rec}
		if kind := d.byte(); kind != recMessage && kind != recMoved {
			return nil
		}
		h := d.messageHead()
		if d.bad {
			return errRecord
		}
		body := d.bytes(uint64(h.topic + h.payload))
		moved, err := s.index.table.move(h.ref, pos, func() (wal.Pos, error) {
			h.targets = 0
			head = appendMessageHead(head[:0], recMoved, h)
			n := len(head) + len(body)
			s.upkeep.wrote(n)
			return s.log.Append(head, body)
		})
		if err != nil || !moved {
			return err
		}
		return u.pace(len(head) + len(body))
	})
	return err
}
