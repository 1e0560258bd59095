package wal_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// records returns everything that a log holds.
func records(t testing.TB, l *wal.Log) []string {
	t.Helper()
	var got []string
	if _, err := l.Replay(0, func(_ wal.Pos, rec []byte) error {
		got = append(got, string(rec))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func open(t testing.TB, dir string, o wal.Options) *wal.Log {
	t.Helper()
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 10
	}
	l, err := wal.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func levels(t *testing.T, run func(t *testing.T, o wal.Options)) {
	for _, level := range []wal.Level{wal.OS, wal.Disk} {
		t.Run(level.String(), func(t *testing.T) { run(t, wal.Options{Level: level}) })
	}
}

func TestRecordsComeBackAfterReopening(t *testing.T) {
	levels(t, func(t *testing.T, o wal.Options) {
		dir := t.TempDir()
		var want []string
		for round := range 5 {
			l := open(t, dir, o)
			if got := records(t, l); !slices.Equal(got, want) {
				t.Fatalf("round %d: %d records, want %d", round, len(got), len(want))
			}
			for i := range 300 {
				rec := fmt.Sprintf("%d/%d/%0*d", round, i, i, 0)
				pos, err := l.Append([]byte(rec[:len(rec)/2]), []byte(rec[len(rec)/2:]))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := l.ReadAt(pos, nil); err != nil || string(got) != rec {
					t.Fatalf("ReadAt %v: %q, %v, want %q", pos, got, err, rec)
				}
				want = append(want, rec)
				if i%50 == 0 {
					if err := l.Wait(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); !errors.Is(err, wal.ErrClosed) {
				t.Fatalf("second Close: %v", err)
			}
		}
	})
}

// TestNoCallbackOvertakesAnother: a Sync that finds that all holds already is answered behind one before it whose
// callback has not come to its end.
func TestNoCallbackOvertakesAnother(t *testing.T) {
	levels(t, func(t *testing.T, o wal.Options) {
		l := open(t, t.TempDir(), o)
		defer l.Close()
		if _, err := l.Append([]byte("x")); err != nil {
			t.Fatal(err)
		}
		running, goOn, second := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		l.Sync(func(error) { close(running); <-goOn })
		<-running // so everything holds
		l.Sync(func(err error) { second <- err })
		select {
		case <-second:
			t.Error("the second callback came before the first had ended")
		default:
		}
		close(goOn)
		if err := <-second; err != nil {
			t.Error(err)
		}
	})
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, wal.Options{})
	defer l.Close()
	if _, err := wal.Open(dir, wal.Options{}); !errors.Is(err, wal.ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
}

func TestTruncateRecyclesSegments(t *testing.T) {
	levels(t, func(t *testing.T, o wal.Options) {
		dir := t.TempDir()
		l := open(t, dir, o)
		rec := make([]byte, 1000)
		var keep []string
		for i := range 2000 {
			copy(rec, fmt.Sprintf("%08d", i))
			pos, err := l.Append(rec)
			if err != nil {
				t.Fatal(err)
			}
			keep = append(keep, string(rec[:8]))
			if i%100 == 99 {
				if err := l.Wait(); err != nil {
					t.Fatal(err)
				}
				if err := l.Truncate(pos); err != nil {
					t.Fatal(err)
				}
				if s := l.Stats(); s.Segments > 2 {
					t.Fatalf("%d segments are left after Truncate", s.Segments)
				}
			}
		}
		start := l.Start()
		if _, err := l.ReadAt(wal.At(start.Segment()-1, start.Offset()), nil); !errors.Is(err, wal.ErrTruncated) {
			t.Fatalf("reading before the start: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir, o)
		defer l.Close()
		if l.Start() != start {
			t.Fatalf("the log starts at %v, want %v", l.Start(), start)
		}
		got := records(t, l)
		if len(got) == 0 || len(got) > 200 {
			t.Fatalf("%d records are left", len(got))
		}
		for i, r := range got {
			if want := keep[len(keep)-len(got)+i]; r[:8] != want {
				t.Fatalf("record %d is %q, want %q", i, r[:8], want)
			}
		}
	})
}

// Append is prompt until half of what may wait for the disk does.
func TestPrompt(t *testing.T) {
	d := simdisk.New()
	l := open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment, MaxPending: 2000})
	held := make(chan struct{})
	d.Fault(func(o simdisk.Op, _ string) error {
		if o == simdisk.Write {
			<-held
		}
		return nil
	})
	for i, want := range []bool{true, false} {
		if _, err := l.Append(make([]byte, 600)); err != nil {
			t.Fatal(err)
		}
		if got := l.Prompt(); got != want {
			t.Errorf("after %d records: %v", i+1, got)
		}
	}
	close(held)
	if err := l.Wait(); err != nil || !l.Prompt() {
		t.Errorf("when all is written: %v, %v", l.Prompt(), err)
	}
	l.Close()
}
