package wal

import (
	"fmt"

	"sampan/session/wal/vfs"
)

// tail is the end of a log as its files show it.
type tail struct {
	segs   []surveyed
	first  int    // index in segs of the first that is not proven to be synced as a whole
	last   int    // index in segs of the one that the log ends in
	epoch  uint32 // highest found
	marked bool   // the last frame is a mark
	report Report
}

// surveyed is a segment as far as it was looked at.
type surveyed struct {
	seq  uint32
	head segmentHeader
	err  error // why the header, or the whole file, is no good

	end     uint32 // of the good frames from the start
	ended   bool   // they close with an end frame
	marked  bool   // they close with a mark
	claimed uint32 // the highest claim among them
	frames  int64
	epoch   uint32

	torn int64  // length of a frame at end of which there is the header only, or 0
	rest probed // good frames behind that
}

// claims reports whether a frame says that all segments before are synced.
func (s *surveyed) claims() bool { return s.claimed > 0 || s.rest.claimed > 0 }

// findTail looks at the last segments of a log: at so many that what lies before them is proven to be
// synced. It changes nothing.
func findTail(fs vfs.FS, app string, seqs []uint32) (*tail, error) {
	t := &tail{segs: make([]surveyed, len(seqs))}
	for i, seq := range seqs {
		t.segs[i].seq = seq
		if i > 0 && seq != seqs[i-1]+1 {
			return nil, &Corrupt{File: fs.Path(FileName(seqs[i-1] + 1)), Reason: "this segment is missing"}
		}
	}
	proven := false
	for i := len(seqs) - 1; i >= 0; i-- {
		s := &t.segs[i]
		if err := s.survey(fs, app, !proven); err != nil {
			return nil, err
		}
		if !proven {
			t.first = i
			proven = s.claims()
			t.epoch = max(t.epoch, s.epoch, s.rest.epoch)
		} else if s.err != nil {
			return nil, &Corrupt{File: fs.Path(FileName(s.seq)), Reason: s.err.Error()}
		}
	}
	for t.last = t.first; ; t.last++ {
		s := &t.segs[t.last]
		name := fs.Path(FileName(s.seq))
		switch {
		case s.err != nil:
			// The header was there before the end frame that leads here.
			return nil, &Corrupt{File: name, Reason: s.err.Error()}
		case s.rest.claimed > s.end:
			return nil, &Corrupt{File: name, Offset: int64(s.end), Reason: fmt.Sprintf(
				"no good record, although the record before offset %d proves that it was synced", s.rest.last)}
		case !s.ended:
			t.close(fs, s)
			return t, nil
		case t.last == len(t.segs)-1:
			return nil, &Corrupt{File: fs.Path(FileName(s.seq + 1)), Reason: "this segment is missing"}
		}
	}
}

// close notes what the end of the log in s looks like.
func (t *tail) close(fs vfs.FS, s *surveyed) {
	t.marked = s.marked
	t.report.Segments = t.last + 1 - t.first
	for _, s := range t.segs[t.first : t.last+1] {
		t.report.Records += s.frames
		t.report.Bytes += int64(s.end) - headerBytes
	}
	cut := Cut{File: fs.Path(FileName(s.seq)), Offset: int64(s.end), Bytes: s.torn}
	if s.rest.frames > 0 {
		cut.Records = int64(s.rest.frames)
		cut.Bytes = int64(s.rest.last - s.end)
	}
	for _, later := range t.segs[t.last+1:] {
		cut.Records += later.frames + int64(later.rest.frames)
		if later.frames > 0 {
			cut.Bytes += int64(later.end) - headerBytes
		}
		cut.Bytes += later.rest.bytes
	}
	if cut.Bytes > 0 {
		t.report.Cut = &cut
	}
}

// survey reads the header of a segment and, if it is to be looked at closer, its frames.
func (s *surveyed) survey(fs vfs.FS, app string, closer bool) error {
	name := FileName(s.seq)
	f, err := fs.OpenRead(name)
	if err != nil {
		return &Failure{Op: "open", File: fs.Path(name), Err: err}
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return &Failure{Op: "read", File: fs.Path(name), Err: err}
	}
	if s.head, s.err, err = readHeader(f, fs.Path(name), s.seq, app); err != nil {
		return err
	}
	if s.err == nil && size > maxFile {
		s.err = fmt.Errorf("it has %d bytes, more than any segment can have", size)
	}
	if s.err != nil || !closer {
		return nil
	}
	sc := newScanner(&s.head, f, headerBytes, size)
	for !s.ended {
		frame, _, ok, err := sc.next()
		if err != nil {
			return &Failure{Op: "read", File: fs.Path(name), Err: err}
		}
		if !ok {
			break
		}
		s.ended, s.marked = frame.kind == kindEnd, frame.kind == kindMark
		s.claimed = max(s.claimed, frame.claimed())
		if frame.kind == kindRecord {
			s.frames++
		}
	}
	s.end, s.epoch = sc.off, sc.epoch
	if s.ended {
		return nil
	}
	if s.torn, err = sc.torn(); err != nil {
		return &Failure{Op: "read", File: fs.Path(name), Err: err}
	}
	if s.rest, err = probe(&s.head, f, s.end, size, s.epoch); err != nil {
		return &Failure{Op: "read", File: fs.Path(name), Err: err}
	}
	return nil
}
