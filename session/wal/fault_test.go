package wal_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// TestFailuresStop lets each kind of operation fail with each error, at various times, and checks that
// nothing is acknowledged from then on, that the error says what is wrong, and that all that was
// acknowledged before is there when the disk works again.
func TestFailuresStop(t *testing.T) {
	errs := map[error]error{syscall.ENOSPC: wal.ErrFull, syscall.EROFS: wal.ErrReadOnly, syscall.EIO: wal.ErrIO}
	for errno, kind := range errs {
		for _, op := range []simdisk.Op{simdisk.Write, simdisk.Sync} {
			for skip := range 10 {
				d := simdisk.New()
				l := open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
				rec := make([]byte, 1000)
				acked := 0
				step := func() error {
					rec[0] = byte(acked)
					if _, err := l.Append(rec); err != nil {
						return err
					}
					return l.Wait()
				}
				for range 5 {
					if err := step(); err != nil {
						t.Fatal(err)
					}
					acked++
				}
				left := skip
				d.Fault(func(o simdisk.Op, name string) error {
					if o == op && strings.HasSuffix(name, ".free") {
						return nil // the next segment, of which TestPreparationIsTriedAgain
					}
					if o == op {
						if left--; left < 0 {
							return errno
						}
					}
					return nil
				})
				var err error
				for range 40 {
					if err = step(); err != nil {
						break
					}
					acked++
				}
				var f *wal.Failure
				if !errors.Is(err, kind) || !errors.As(err, &f) || !errors.Is(err, errno) || f.File == "" {
					t.Fatalf("%v of %v: got %v", op, errno, err)
				}
				d.Fault(nil)
				for range 3 {
					if again := step(); again != err {
						t.Fatalf("after %v: %v", err, again)
					}
				}
				if s := l.Stats(); s.Failure != err {
					t.Fatalf("after %v: the statistics say %v", err, s.Failure)
				}
				if closed := l.Close(); closed != err {
					t.Fatalf("Close after %v: %v", err, closed)
				}
				d.PowerCut(rand.New(rand.NewPCG(uint64(skip), 0)))
				l = open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
				got := records(t, l)
				if len(got) < acked {
					t.Fatalf("%v of %v: %d records are there, %d were acknowledged", op, errno, len(got), acked)
				}
				l.Close()
			}
		}
	}
}

// TestWhoWaitsWhenItFails: a callback that comes while the sync is running that fails gets the error too,
// although its own record could be written.
func TestWhoWaitsWhenItFails(t *testing.T) {
	d := simdisk.New()
	l := open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
	defer l.Close()
	second := make(chan error, 1)
	failed := false
	d.Fault(func(op simdisk.Op, _ string) error {
		if op != simdisk.Sync || failed {
			return nil
		}
		failed = true
		if _, err := l.Append([]byte("second")); err != nil {
			t.Error(err)
		}
		l.Sync(func(err error) { second <- err })
		return syscall.EIO
	})
	if _, err := l.Append([]byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(); !errors.Is(err, wal.ErrIO) {
		t.Fatalf("the first got %v", err)
	}
	if err := <-second; !errors.Is(err, wal.ErrIO) {
		t.Fatalf("the second got %v", err)
	}
	if s := l.Stats(); s.Failures != 2 || s.Syncs != 0 {
		t.Fatalf("got %+v", s)
	}
}

// TestFailedSyncIsNotBelieved: after a sync that failed, the system shows what it could not write and says at
// the next sync that all is well. What recovery finds then must be written again.
func TestFailedSyncIsNotBelieved(t *testing.T) {
	d := simdisk.New()
	o := wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment}
	l := open(t, "", o)
	d.Fault(func(op simdisk.Op, _ string) error {
		if op == simdisk.Sync {
			return syscall.EIO
		}
		return nil
	})
	if _, err := l.Append(bytes.Repeat([]byte("x"), 2000)); err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(); !errors.Is(err, wal.ErrIO) {
		t.Fatalf("got %v", err)
	}
	d.Fault(nil)
	d.Kill()
	l.Close()
	o.FS = d.FS()
	l = open(t, "", o)
	found := len(records(t, l)) // shown to the application, so it has to stay
	if _, err := l.Append([]byte("y")); err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(); err != nil {
		t.Fatal(err)
	}
	d.PowerCut(rand.New(rand.NewPCG(1, 1)))
	l.Close()
	o.FS = d.FS()
	l = open(t, "", o)
	defer l.Close()
	if got := len(records(t, l)); got != found+1 {
		t.Fatalf("%d records are left of %d", got, found+1)
	}
}

// TestPreparationIsTriedAgain: no room for the next segment is no failure while there is room in this one.
func TestPreparationIsTriedAgain(t *testing.T) {
	d := simdisk.New()
	l := open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
	defer l.Close()
	full := func(op simdisk.Op, _ string) error {
		if op == simdisk.Create {
			return syscall.ENOSPC
		}
		return nil
	}
	d.Fault(full)
	rec := make([]byte, 1000)
	for range 10 {
		if _, err := l.Append(rec); err != nil {
			t.Fatal(err)
		}
		if err := l.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	for l.Stats().SpareFailure == nil { // it is tried in the background
		if err := l.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Stats().SpareFailure; !errors.Is(err, wal.ErrFull) {
		t.Fatalf("the failure is %v", err)
	}
	d.Fault(nil)
	for range 10 {
		if _, err := l.Append(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Wait(); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Segments != 2 || s.SpareFailure != nil {
		t.Fatalf("got %+v", s)
	}
	d.Fault(full)
	var err error
	for range 100 {
		if _, err = l.Append(rec); err == nil {
			err = l.Wait()
		}
		if err != nil {
			break
		}
	}
	if !errors.Is(err, wal.ErrFull) {
		t.Fatalf("on a full disk: %v", err)
	}
}

func TestOpenOnFailingDisk(t *testing.T) {
	for _, op := range []simdisk.Op{simdisk.Create, simdisk.Write, simdisk.Sync, simdisk.Rename, simdisk.SyncDir} {
		d := simdisk.New()
		d.Fault(func(o simdisk.Op, _ string) error {
			if o == op {
				return syscall.EROFS
			}
			return nil
		})
		o := wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment}
		if _, err := wal.Open("", o); !errors.Is(err, wal.ErrReadOnly) {
			t.Errorf("%v: got %v", op, err)
		}
		d.Fault(nil)
		l, err := wal.Open("", o)
		if err != nil {
			t.Fatalf("%v: when the disk works again: %v", op, err)
		}
		l.Close()
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := wal.Open(dir, wal.Options{}); !errors.Is(err, wal.ErrReadOnly) {
		t.Fatalf("got %v", err)
	}
}

func TestForeignLogIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, wal.Options{App: "one"}).Close()
	_, err := wal.Open(dir, wal.Options{App: "two"})
	if !errors.Is(err, wal.ErrForeign) || !strings.Contains(err.Error(), `"one"`) {
		t.Fatalf("got %v", err)
	}
	open(t, dir, wal.Options{App: "one"}).Close()
}

// TestSecondProcessIsRefused runs itself as the other process.
func TestSecondProcessIsRefused(t *testing.T) {
	const env = "SAMPAN_WAL_TEST_DIR"
	if dir := os.Getenv(env); dir != "" {
		_, err := wal.Open(dir, wal.Options{SegmentBytes: wal.MinSegment})
		if err != nil {
			os.Stdout.WriteString(err.Error())
		}
		if errors.Is(err, wal.ErrLocked) {
			os.Exit(3)
		}
		os.Exit(4)
	}
	dir := filepath.Join(t.TempDir(), "made", "by", "Open")
	l := open(t, dir, wal.Options{SegmentBytes: wal.MinSegment})
	other := exec.Command(os.Args[0], "-test.run=^TestSecondProcessIsRefused$")
	other.Env = append(os.Environ(), env+"="+dir)
	out, _ := other.Output()
	if code := other.ProcessState.ExitCode(); code != 3 || !strings.Contains(string(out), dir) {
		t.Fatalf("the other process ended with %d and said %q", code, out)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, wal.Options{SegmentBytes: wal.MinSegment}).Close()
}
