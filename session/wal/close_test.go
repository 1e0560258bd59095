package wal_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"sampan/session/wal"
	"sampan/session/wal/vfs"
	"sampan/session/wal/vfs/simdisk"
)

// counted is a directory that knows how many of its files are open, and fails to read one that is not.
type counted struct {
	vfs.FS
	open atomic.Int64
}

type countedFile struct {
	vfs.File
	of     *counted
	closed atomic.Bool
}

func (c *counted) Open(name string, create bool) (vfs.File, error) {
	f, err := c.FS.Open(name, create)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &countedFile{File: f, of: c}, nil
}

func (c *counted) OpenRead(name string) (vfs.File, error) { return c.Open(name, false) }

func (f *countedFile) ReadAt(b []byte, off int64) (int, error) {
	if f.closed.Load() {
		return 0, errors.New("the file is closed")
	}
	return f.File.ReadAt(b, off)
}

func (f *countedFile) Close() error {
	if f.closed.Swap(true) {
		return errors.New("the file is closed already")
	}
	f.of.open.Add(-1)
	return f.File.Close()
}

// TestNothingGoesAfterClose: every method says ErrClosed, and no file is opened for it.
func TestNothingGoesAfterClose(t *testing.T) {
	levels(t, func(t *testing.T, o wal.Options) {
		fs := &counted{FS: simdisk.New().FS()}
		o.FS, o.SegmentBytes = fs, wal.MinSegment
		l := open(t, "", o)
		first, err := l.Append([]byte("first"))
		if err != nil {
			t.Fatal(err)
		}
		last := segments(t, l, 100)
		end := l.End()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		read := func(pos wal.Pos) func() error {
			return func() error { _, err := l.ReadAt(pos, nil); return err }
		}
		scan := func(from, to wal.Pos) func() error {
			return func() error {
				_, err := l.Scan(from, to, func(wal.Pos, []byte) error { t.Error("a record"); return nil })
				return err
			}
		}
		for what, do := range map[string]func() error{
			"Append":               func() error { _, err := l.Append([]byte("x")); return err },
			"Wait":                 l.Wait,
			"ReadAt the first":     read(first),
			"ReadAt the last":      read(last),
			"ReadAt the end":       read(end),
			"ReadAt behind":        read(wal.At(end.Segment()+1, 4096)),
			"Scan":                 scan(0, end),
			"Scan of nothing":      scan(end, end),
			"Truncate":             func() error { return l.Truncate(last) },
			"Truncate of nothing":  func() error { return l.Truncate(0) },
			"Close":                l.Close,
			"Replay from the last": func() error { _, err := l.Replay(last, nil); return err },
		} {
			if err := do(); !errors.Is(err, wal.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := fs.open.Load(); n != 0 {
			t.Errorf("%d files are open", n)
		}
	})
}

// TestCloseWhileReading: who reads a segment when the log is closed reads it to its end, and its file is closed then.
func TestCloseWhileReading(t *testing.T) {
	fs := &counted{FS: simdisk.New().FS()}
	l := open(t, "", wal.Options{FS: fs, SegmentBytes: 1 << 20})
	const n = 50 // of 10,000 bytes: more than is read at once
	for range n {
		if _, err := l.Append(make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
	}
	segments(t, l, 1)
	read := 0
	_, err := l.Replay(0, func(wal.Pos, []byte) error {
		if read++; read == 1 {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if !errors.Is(err, wal.ErrClosed) || read <= n {
		t.Errorf("%d records were read, then %v", read, err)
	}
	if n := fs.open.Load(); n != 0 {
		t.Errorf("%d files are open", n)
	}
}
