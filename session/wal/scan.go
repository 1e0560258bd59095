package wal

import (
	"sampan/session/wal/vfs"
)

// scanner reads the frames of one segment in order, in bounded memory: a buffer of scanBuffer bytes, or of
// the longest frame.
type scanner struct {
	head  *segmentHeader
	file  vfs.File
	end   int64  // where to stop: the file's size, or what is written of it
	epoch uint32 // of the last frame

	off  uint32 // of the next frame
	buf  []byte // what was read ahead: buf[r:w] is at off
	r, w int
}

const scanBuffer = 256 << 10

func newScanner(head *segmentHeader, file vfs.File, off uint32, end int64) *scanner {
	return &scanner{head: head, file: file, end: end, epoch: head.epoch, off: off}
}

// next returns the frame at s.off and its payload, which is valid until the next call, and moves behind it.
// It reports false, and stays, where there is no good frame.
func (s *scanner) next() (f frame, payload []byte, ok bool, err error) {
	if ok, err = s.have(frameHeader); !ok {
		return f, nil, false, err
	}
	f, ok = s.head.parse(s.buf[s.r:s.w])
	if !ok || f.epoch < s.epoch {
		// A lower epoch is what an earlier recovery has cut.
		return f, nil, false, nil
	}
	whole := frameHeader + f.size
	if ok, err = s.have(whole); !ok {
		return f, nil, false, err
	}
	b := s.buf[s.r : s.r+whole]
	if !s.head.intact(b, s.off) {
		return f, nil, false, nil
	}
	s.epoch = f.epoch
	s.skip(f.total())
	return f, b[frameHeader:], true, nil
}

// torn returns the length that the frame at s.off was to have, of which there is the header and next finds no more.
// It returns 0 if there is no such header.
func (s *scanner) torn() (int64, error) {
	if ok, err := s.have(frameHeader); !ok {
		return 0, err
	}
	if f, ok := s.head.parse(s.buf[s.r:s.w]); ok && f.epoch >= s.epoch {
		return int64(f.total()), nil
	}
	return 0, nil
}

// skip moves forward without looking.
func (s *scanner) skip(n int) {
	s.off += uint32(n)
	s.r = min(s.r+n, s.w)
}

// have reads until n bytes are buffered. It reports false if there are not so many before the end.
func (s *scanner) have(n int) (bool, error) {
	if s.w-s.r >= n {
		return true, nil
	}
	if int64(s.off)+int64(n) > s.end {
		return false, nil
	}
	if n > len(s.buf) {
		buf := make([]byte, max(int64(n), min(scanBuffer, s.end-int64(s.off))))
		s.w = copy(buf, s.buf[s.r:s.w])
		s.buf, s.r = buf, 0
	} else {
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	room := min(int64(len(s.buf)-s.w), s.end-int64(s.off)-int64(s.w))
	more, err := readFull(s.file, s.buf[s.w:s.w+int(room)], int64(s.off)+int64(s.w))
	s.w += more
	return s.w >= n, err
}

// probed is what lies behind a place in a segment, good frames among anything else.
type probed struct {
	frames  int
	bytes   int64
	last    uint32 // offset behind the last good frame
	claimed uint32 // highest claim
	epoch   uint32 // highest, also of frames that do not count
}

// probe looks for good frames at every offset from off on. What an earlier recovery has cut does not count:
// frames of an epoch lower than that of the good frames before off.
func probe(head *segmentHeader, file vfs.File, off uint32, end int64, epoch uint32) (p probed, err error) {
	s := newScanner(head, file, off, end)
	for {
		ok, err := s.have(frameHeader)
		if !ok || err != nil {
			return p, err
		}
		if _, plausible := head.parse(s.buf[s.r:s.w]); !plausible {
			s.skip(frameAlign)
			continue
		}
		s.epoch = head.epoch
		f, _, ok, err := s.next()
		if err != nil {
			return p, err
		}
		if !ok {
			s.skip(frameAlign)
			continue
		}
		p.epoch = max(p.epoch, f.epoch)
		if f.epoch < epoch {
			continue
		}
		p.frames++
		p.bytes += int64(f.total())
		p.last = s.off
		p.claimed = max(p.claimed, f.claimed())
	}
}
