package wal

import (
	"errors"
	"io"
)

// readFull reads until b is full or the file ends, and returns how much it read.
func readFull(f io.ReaderAt, b []byte, off int64) (int, error) {
	n, err := f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// firstRead is how much ReadAt reads at least, in the hope that it is all.
const firstRead = 512

// ReadAt returns the record at pos, which Append returned or Replay reported. It is read into dst, with one
// system call if dst has room for it and 16 bytes more; the contents and length of dst do not matter. It
// fails with ErrTruncated for a record before the start of the log, and with a Corrupt if there is no good
// record.
func (l *Log) ReadAt(pos Pos, dst []byte) ([]byte, error) {
	if pos >= Pos(l.written.Load()) {
		if rec, err := l.readPending(pos, dst); rec != nil || err != nil {
			return rec, err
		}
	}
	h, err := l.files.acquire(pos.Segment())
	if err != nil {
		return nil, err
	}
	defer l.files.release(h)

	dst = dst[:cap(dst)]
	if len(dst) < frameHeader {
		dst = make([]byte, firstRead)
	}
	n, err := readFull(h.file, dst, int64(pos.Offset()))
	if err != nil {
		return nil, &Failure{Op: "read", File: l.o.FS.Path(h.name), Err: err}
	}
	corrupt := func(reason string) error {
		return &Corrupt{File: l.o.FS.Path(h.name), Offset: int64(pos.Offset()), Reason: reason}
	}
	if n < frameHeader {
		return nil, corrupt("the file ends before the record")
	}
	f, ok := h.parse(dst)
	if !ok || f.kind != kindRecord {
		return nil, corrupt("there is no record")
	}
	whole := frameHeader + f.size
	if whole > n {
		if whole > len(dst) {
			dst = append(make([]byte, 0, whole), dst[:n]...)[:whole]
		}
		more, err := readFull(h.file, dst[n:whole], int64(pos.Offset())+int64(n))
		if err != nil {
			return nil, &Failure{Op: "read", File: l.o.FS.Path(h.name), Err: err}
		}
		if n += more; n < whole {
			return nil, corrupt("the file ends inside the record")
		}
	}
	if !h.intact(dst[:whole], pos.Offset()) {
		return nil, corrupt("the record's checksum does not match")
	}
	return dst[frameHeader:whole], nil
}

// readPending returns the record at pos if it is not in its file yet.
func (l *Log) readPending(pos Pos, dst []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if pos < Pos(l.written.Load()) {
		return nil, nil // it has just been written
	}
	for _, chunks := range [][]chunk{l.inflight, l.pending} {
		for i := range chunks {
			if b, ok := chunks[i].find(pos); ok {
				rec := append(dst[:0], b...)
				if rec == nil {
					rec = []byte{}
				}
				return rec, nil
			}
		}
	}
	if err := l.failed(); err != nil {
		return nil, err
	}
	return nil, &Corrupt{File: l.o.FS.Path(FileName(pos.Segment())), Offset: int64(pos.Offset()),
		Reason: "it is behind the end of the log"}
}
