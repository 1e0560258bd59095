package ledger_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sampan/broker/ledger"
	"sampan/session/wal"
	"sampan/session/wal/vfs"
	"sampan/session/wal/vfs/simdisk"
)

// unread is a directory whose files cannot be read while bad is set.
type unread struct {
	vfs.FS
	bad     atomic.Bool
	refused atomic.Int64
}

type unreadFile struct {
	vfs.File
	of *unread
}

func (u *unread) Open(name string, create bool) (vfs.File, error) {
	f, err := u.FS.Open(name, create)
	return unreadFile{f, u}, err
}

func (u *unread) OpenRead(name string) (vfs.File, error) { return u.Open(name, false) }

func (f unreadFile) ReadAt(b []byte, off int64) (int, error) {
	if f.of.bad.Load() {
		f.of.refused.Add(1)
		return 0, syscall.EIO
	}
	return f.File.ReadAt(b, off)
}

// A compaction that fails is told, and tried again when some more has been written; not at once, and not never.
func TestCompactionIsTriedAgain(t *testing.T) {
	fs := &unread{FS: simdisk.New().FS()}
	l, err := ledger.Open("", ledger.Options{SegmentBytes: wal.MinSegment, FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write := func(n int) {
		t.Helper()
		for i := range n {
			put(t, l, ledger.Shadow, "key", fmt.Sprintf("%01000d", i))
		}
		if err := l.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	eventually := func(what string, done func(ledger.Stats) bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !done(l.Stats()); runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("this did not happen: %s: %+v", what, l.Stats())
			}
		}
	}
	short := func(s ledger.Stats) bool { return s.Failure == nil && s.LogBytes < 6*wal.MinSegment }
	fs.bad.Store(true)
	write(100)
	eventually("the compaction fails", func(s ledger.Stats) bool { return errors.Is(s.Failure, syscall.EIO) })
	for range 3 {
		tries := fs.refused.Load()
		write(10)
		if n := fs.refused.Load(); n != tries {
			t.Errorf("it was tried again %d times at once", n-tries)
		}
		for n := 0; fs.refused.Load() == tries; n++ {
			if n == 1000 {
				t.Fatal("it was not tried again")
			}
			write(1)
		}
	}
	fs.bad.Store(false)
	for n := 0; l.Stats().Failure != nil; n++ {
		if n == 1000 {
			t.Fatalf("it still fails: %v", l.Stats().Failure)
		}
		write(1)
	}
	eventually("the log is short again", short)
	write(200) // and stays so
	eventually("the log is short", short)
	if got := contents(t, l, ledger.Shadow); len(got) != 1 || got["key"] != fmt.Sprintf("%01000d", 199) {
		t.Errorf("%d records", len(got))
	}
}
