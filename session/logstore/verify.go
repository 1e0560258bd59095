package logstore

import (
	"time"

	"sampan/session"
	"sampan/session/wal"
)

// Verification is the result of Verify.
type Verification struct {
	Records  int64
	Bytes    int64 // of these
	Sessions int
	Messages int // that are queued
	Duration time.Duration

	Torn    *Place  // no fault: what Open will cut off
	Damage  []Place // on which Open fails, and what else is wrong
	Missing []Missing
}

// Missing is a message that is queued, but not where it should be.
type Missing struct {
	Ref  session.Ref
	File string // where it should be, as the checkpoints and records say
	At   wal.Pos
}

// OK reports whether nothing is wrong.
func (v *Verification) OK() bool { return len(v.Damage) == 0 && len(v.Missing) == 0 }

// Verify reads everything in a store's directory, compares it with its checksums, and looks for every message
// that is queued. It changes nothing. Of the options, only FS counts. It fails with wal.ErrLocked if the
// store is open; that the store is damaged is not an error of Verify.
func Verify(dir string, o Options) (*Verification, error) {
	start := time.Now()
	var s survey
	if err := s.read(dir, o); err != nil {
		return nil, err
	}
	v := &Verification{Bytes: s.found.Bytes, Sessions: len(s.found.Sessions), Messages: s.found.Messages,
		Torn: s.found.Torn, Damage: s.found.Damage}
	for _, n := range s.found.Records {
		v.Records += n
	}
	// What is found is taken out of the table; what is left is missing.
	err := s.messages(dir, o, func(_ wal.Item, r session.Ref, m info) error {
		s.index.table.count(r, -m.waiting)
		return nil
	})
	if err != nil {
		return nil, err
	}
	files := map[uint32]string{}
	for _, seg := range s.found.Segments {
		files[seg.Number] = seg.File
	}
	s.index.table.each(func(r session.Ref, m info) {
		v.Missing = append(v.Missing, Missing{Ref: r, File: files[m.pos.Segment()], At: m.pos})
	})
	v.Duration = time.Since(start)
	return v, nil
}

// messages walks the log again and calls fn for each record of a message that is where the index says, and
// what it says.
func (s *survey) messages(dir string, o Options, fn func(i wal.Item, r session.Ref, m info) error) error {
	return wal.Walk(dir, o.walk(), func(i wal.Item) error {
		if i.Kind != wal.ItemRecord {
			return nil
		}
		s.index.table.near.Store(i.Pos.Segment())
		d := decoder{b: i.Record}
		if kind := d.byte(); kind != recMessage && kind != recMoved {
			return nil
		}
		h := d.messageHead()
		m, ok := s.index.table.get(h.ref)
		if d.bad || !ok || m.pos != i.Pos || m.size != h.packetSize() || m.expires != h.expires {
			return nil
		}
		return fn(i, h.ref, m)
	})
}
