package wal_test

import (
	"errors"
	"strings"
	"testing"

	"sampan/session/wal"
	"sampan/session/wal/vfs"
)

// large is a directory in which one file seems to have grown.
type large struct {
	vfs.FS
	name string
	size int64
}

type largeFile struct {
	vfs.File
	of   large
	read int64
}

func (l large) OpenRead(name string) (vfs.File, error) {
	f, err := l.FS.OpenRead(name)
	if err != nil || name != l.name {
		return f, err
	}
	return &largeFile{File: f, of: l}, nil
}

func (f *largeFile) Size() (int64, error) { return f.of.size, nil }

// ReadAt reads zeros behind the file's end, but not for ever.
func (f *largeFile) ReadAt(b []byte, off int64) (int, error) {
	if f.read += int64(len(b)); f.read > 64<<20 {
		return 0, errors.New("too much was read")
	}
	if n, err := f.File.ReadAt(b, off); n == len(b) {
		return n, err
	} else {
		clear(b[n:])
	}
	return len(b), nil
}

// TestFileTooLongForASegment: a file with offsets that no position can name is called corrupt, and not read to its
// end, which would never come.
func TestFileTooLongForASegment(t *testing.T) {
	d, want, at := written(t, 300)
	last := at[len(at)-1].Segment()
	for _, seq := range []uint32{1, last} {
		name := wal.FileName(seq)
		for _, size := range []int64{1<<32 - 7, 1 << 32, 1<<32 + 4096, 1 << 40} {
			fs := large{d.FS(), name, size}
			_, err := wal.Open("", wal.Options{FS: fs, SegmentBytes: wal.MinSegment})
			var c *wal.Corrupt
			if !errors.As(err, &c) || !strings.HasSuffix(c.File, name) {
				t.Fatalf("%s of %d bytes: Open: %v", name, size, err)
			}
			w := walk(t, fs)
			if len(w.damage) != 1 || !strings.HasSuffix(w.damage[0].File, name) || w.damage[0].Reason == "" || len(w.torn) > 0 {
				t.Fatalf("%s of %d bytes: damage %+v, torn %+v", name, size, w.damage, w.torn)
			}
			if n := len(w.records); n == 0 || n >= len(want) {
				t.Fatalf("%s of %d bytes: %d records of %d", name, size, n, len(want))
			}
		}
	}
}
