package wal

import (
	"errors"
	"fmt"
	"time"
)

// Report says what a replay, or Open, found.
type Report struct {
	Segments int
	Records  int64
	Bytes    int64 // of the records
	Duration time.Duration
	Cut      *Cut // by Open: what was behind the end, if anything; nil for a log that was closed in order
}

// Cut is the torn tail that Open cut off: written, but never reported as synced, when the power went, or at
// level OS the process.
type Cut struct {
	File    string
	Offset  int64 // the end of the log, from which it goes on
	Records int64 // good frames found behind that
	Bytes   int64 // from Offset to the end of the last of them, or of the frame that is not good
}

func (c *Cut) String() string {
	return fmt.Sprintf("%s: %d bytes at offset %d, with %d whole records behind the torn one",
		c.File, c.Bytes, c.Offset, c.Records)
}

// ErrStop ends a Replay or Scan early, without an error, when the function returns it.
var ErrStop = errors.New("wal: stop")

// Replay calls fn for each record from a position on (0: from the start of the log), up to what has been
// written when it is called. rec is valid during the call only. It reads in bounded memory: 256 KiB, or
// the longest record.
func (l *Log) Replay(from Pos, fn func(pos Pos, rec []byte) error) (Report, error) {
	return l.Scan(from, Pos(l.written.Load()), fn)
}

// Scan is Replay for the records before a position.
func (l *Log) Scan(from, to Pos, fn func(pos Pos, rec []byte) error) (r Report, err error) {
	start := time.Now()
	defer func() { r.Duration = time.Since(start) }()
	if l.files.closed() {
		return r, ErrClosed
	}
	if from == 0 {
		from = l.Start()
	}
	to = min(to, Pos(l.written.Load()))
	for ; from < to; from = At(from.Segment()+1, headerBytes) {
		r.Segments++
		if err := l.scanSegment(from, to, &r, fn); err != nil {
			if errors.Is(err, ErrStop) {
				err = nil
			}
			return r, err
		}
	}
	return r, nil
}

// scanSegment scans from a position to the end of its segment, or to a position.
func (l *Log) scanSegment(from, to Pos, r *Report, fn func(Pos, []byte) error) error {
	h, err := l.files.acquire(from.Segment())
	if err != nil {
		return err
	}
	defer l.files.release(h)
	end, err := h.file.Size()
	if err != nil {
		return &Failure{Op: "read", File: l.o.FS.Path(h.name), Err: err}
	}
	if to.Segment() == h.seq {
		end = min(end, int64(to.Offset()))
	}
	s := newScanner(&h.segmentHeader, h.file, max(from.Offset(), headerBytes), end)
	for to.Segment() != h.seq || s.off < to.Offset() {
		pos := At(h.seq, s.off)
		f, rec, ok, err := s.next()
		switch {
		case err != nil:
			return &Failure{Op: "read", File: l.o.FS.Path(h.name), Err: err}
		case !ok:
			return &Corrupt{File: l.o.FS.Path(h.name), Offset: int64(s.off),
				Reason: "a record does not have its checksum, and the log goes on behind it"}
		case f.kind == kindEnd:
			return nil
		case f.kind == kindRecord:
			r.Records++
			r.Bytes += int64(len(rec))
			if err := fn(pos, rec); err != nil {
				return err
			}
		}
	}
	return nil
}
