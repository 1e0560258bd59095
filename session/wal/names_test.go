package wal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// These tests are about names that a process has found in the directory, and that the one before it gave without
// coming to sync them.

// afterRename fails the first sync of the directory after a file was given another name, and nothing else.
func afterRename(err error) func(simdisk.Op, string) error {
	renamed := false
	return func(op simdisk.Op, _ string) error {
		switch {
		case op == simdisk.Rename:
			renamed = true
		case op == simdisk.SyncDir && renamed:
			renamed = false
			return err
		}
		return nil
	}
}

// TestNameOfTheFirstSegmentIsSynced: a log whose first start ended between naming its file and syncing the
// directory, by death or because the sync failed, keeps what later starts acknowledge.
func TestNameOfTheFirstSegmentIsSynced(t *testing.T) {
	for name, end := range map[string]error{"killed": simdisk.ErrPower, "failed": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				d := simdisk.New()
				d.Fault(afterRename(end))
				if _, err := wal.Open("", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment}); !errors.Is(err, end) {
					t.Fatalf("the first start: %v", err)
				}
				if d.Files()["00000001.wal"] == nil {
					t.Fatal("the first start has left no segment: this test shows nothing")
				}
				d.Fault(nil)
				d.Kill()
				l := open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
				for i := range 10 {
					if _, err := l.Append([]byte(fmt.Sprint(i))); err != nil {
						t.Fatal(err)
					}
					if err := l.Wait(); err != nil {
						t.Fatal(err)
					}
				}
				d.PowerCut(rand.New(rand.NewPCG(seed, 0)))
				l.Close()
				l = open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
				if got := records(t, l); strings.Join(got, "") != "0123456789" {
					t.Fatalf("seed %d: of ten acknowledged records there are %q", seed, got)
				}
				l.Close()
			}
		})
	}
}

// TestNameOfAFreeFileIsSynced: a segment that was freed, by a process that died before it synced that, is not
// written to under its new name while the power may still bring back the old one.
func TestNameOfAFreeFileIsSynced(t *testing.T) {
	for seed := range uint64(20) {
		d := simdisk.New()
		o := wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment}
		l := open(t, "", o)
		var last wal.Pos
		write := func() (err error) {
			if last, err = l.Append(make([]byte, 1000)); err == nil {
				err = l.Wait()
			}
			return err
		}
		for last.Segment() < 3 {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
		d.Fault(afterRename(simdisk.ErrPower))
		if err := l.Truncate(wal.At(2, 0)); !errors.Is(err, simdisk.ErrPower) {
			t.Fatalf("Truncate: %v", err)
		}
		d.Fault(nil)
		d.Kill()
		l.Close()

		o.FS = d.FS()
		l = open(t, "", o)
		if s := l.Stats(); s.FreeFiles < 1 { // the preparer may have made another, which was never used
			t.Fatalf("found %+v", s)
		}
		d.Fault(func(op simdisk.Op, _ string) error {
			if op == simdisk.Rename {
				return simdisk.ErrPower // the file has a new header, but not yet the name to it
			}
			return nil
		})
		n := len(records(t, l))
		for write() == nil {
			n++
		}
		d.Fault(nil)
		d.PowerCut(rand.New(rand.NewPCG(seed, 0)))
		l.Close()
		o.FS = d.FS()
		l = open(t, "", o)
		if got := len(records(t, l)); got < n {
			t.Fatalf("seed %d: %d records are there, %d were acknowledged", seed, got, n)
		}
		l.Close()
	}
}
