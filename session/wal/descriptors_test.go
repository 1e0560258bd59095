package wal_test

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"sampan/session/wal"
	"sampan/session/wal/vfs"
	"sampan/session/wal/vfs/simdisk"
)

// scarce is a directory of a process that has, while none is set, no descriptor left to read files, and whose files
// can be made to wait when they are synced for the second time: the first is for the header.
type scarce struct {
	vfs.FS
	none    atomic.Bool
	refused atomic.Int64
	gate    atomic.Pointer[chan struct{}]
}

type scarceFile struct {
	vfs.File
	of    *scarce
	syncs atomic.Int64
}

func (s *scarce) OpenRead(name string) (vfs.File, error) {
	if s.none.Load() {
		s.refused.Add(1)
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	return s.FS.OpenRead(name)
}

func (s *scarce) Open(name string, create bool) (vfs.File, error) {
	f, err := s.FS.Open(name, create)
	return &scarceFile{File: f, of: s}, err
}

func (f *scarceFile) Sync() error {
	if gate := f.of.gate.Load(); f.syncs.Add(1) == 2 && gate != nil {
		<-*gate
	}
	return f.File.Sync()
}

// segments appends until the log has begun so many more segments.
func segments(t *testing.T, l *wal.Log, n uint32) wal.Pos {
	t.Helper()
	for end := l.End().Segment() + n; ; {
		pos, err := l.Append(make([]byte, 10_000))
		if err == nil {
			err = l.Wait()
		}
		if err != nil {
			t.Fatal(err)
		}
		if pos.Segment() >= end {
			return pos
		}
	}
}

// TestTruncateWithoutDescriptors: what Truncate cannot do for want of a descriptor it does the next time.
func TestTruncateWithoutDescriptors(t *testing.T) {
	levels(t, func(t *testing.T, o wal.Options) {
		fs := &scarce{FS: simdisk.New().FS()}
		o.FS, o.SegmentBytes = fs, wal.MinSegment
		l := open(t, "", o)
		last := segments(t, l, 100) // more than are kept open
		fs.none.Store(true)
		err := l.Truncate(wal.At(3, 0))
		if o.Level == wal.OS {
			if !errors.Is(err, syscall.EMFILE) || l.Start().Segment() != 1 {
				t.Errorf("Truncate: %v, and the log starts at %v", err, l.Start())
			}
		} else if err != nil {
			t.Errorf("Truncate: %v", err)
		}
		fs.none.Store(false)
		segments(t, l, 1)
		if err := l.Truncate(last); err != nil || l.Start().Segment() != last.Segment() {
			t.Errorf("Truncate again: %v, and the log starts at %v", err, l.Start())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestFullSegmentWithoutDescriptors: at level OS, a segment that is full and cannot be opened to be synced is synced
// later.
func TestFullSegmentWithoutDescriptors(t *testing.T) {
	fs := &scarce{FS: simdisk.New().FS()}
	l := open(t, "", wal.Options{Level: wal.OS, FS: fs, SegmentBytes: wal.MinSegment})
	segments(t, l, 100)
	records(t, l) // those that come now are the first to be closed
	gate := make(chan struct{})
	fs.gate.Store(&gate)
	segments(t, l, 10)
	fs.none.Store(true)
	close(gate)
	for fs.refused.Load() == 0 {
		runtime.Gosched()
	}
	fs.none.Store(false)
	segments(t, l, 2)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
