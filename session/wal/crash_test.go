package wal_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// history is what was appended to a log over its life, and how much of it has to be there.
type history struct {
	mu     sync.Mutex
	recs   []entry
	synced int // recs[:synced] were reported as synced
	gone   int // recs[:gone] were truncated, or may have been
	cut    int // recs[:cut] were truncated
}

type entry struct {
	pos wal.Pos
	rec string
}

// check compares a log that was just opened with the history, and forgets what was lost lawfully.
func (h *history) check(t *testing.T, l *wal.Log) {
	t.Helper()
	var got []entry
	if _, err := l.Replay(0, func(pos wal.Pos, rec []byte) error {
		got = append(got, entry{pos, string(rec)})
		return nil
	}); err != nil {
		t.Fatalf("replay: %v", err)
	}
	start := 0
	if len(got) > 0 {
		start = slices.IndexFunc(h.recs, func(e entry) bool { return e.pos == got[0].pos })
		if start < 0 {
			t.Fatalf("the first record, at %v, was never appended", got[0].pos)
		}
	}
	if len(got) == 0 && h.synced > h.gone {
		t.Fatalf("nothing is there of %d synced records", h.synced-h.gone)
	}
	if len(got) > 0 && start > h.gone {
		t.Fatalf("the log starts with record %d, but only %d were truncated", start, h.gone)
	}
	if len(got) > 0 && start+len(got) < h.synced {
		t.Fatalf("%d records are there, of which the first is %d, but %d were synced", len(got), start, h.synced)
	}
	for i, e := range got {
		if start+i >= len(h.recs) {
			t.Fatalf("record %d, at %v, was never appended", start+i, e.pos)
		}
		if want := h.recs[start+i]; e != want {
			t.Fatalf("record %d is at %v and has %d bytes, want %v and %d bytes", start+i, e.pos, len(e.rec), want.pos, len(want.rec))
		}
	}
	if len(got) > 0 {
		h.recs, h.gone = h.recs[:start+len(got)], start
	} else {
		h.recs = h.recs[:h.synced]
		h.gone = h.synced
	}
	h.synced = len(h.recs)
}

// work appends, syncs and truncates at random until the log fails.
func (h *history) work(r *rand.Rand, l *wal.Log) {
	stop := make(chan struct{})
	var end sync.Once
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		switch k := r.IntN(20); {
		case k < 14:
			rec := make([]byte, r.IntN(1+r.IntN(5000)))
			for i := range rec {
				rec[i] = byte(n + i)
			}
			if len(rec) >= 8 {
				binary.LittleEndian.PutUint64(rec, uint64(n))
			}
			pos, err := l.Append(rec)
			if err != nil {
				return
			}
			h.mu.Lock()
			h.recs = append(h.recs, entry{pos, string(rec)})
			h.mu.Unlock()
		case k < 17:
			h.sync(l, func(error) { end.Do(func() { close(stop) }) })
		case k < 19:
			if h.sync(l, nil) != nil {
				return
			}
		default:
			h.mu.Lock()
			gone := h.gone
			if h.synced > gone {
				gone += r.IntN(h.synced - gone)
			}
			h.mu.Unlock()
			if gone == len(h.recs) || gone == 0 {
				continue
			}
			h.mu.Lock()
			// Only whole segments go.
			for h.gone < gone && h.recs[h.gone].pos.Segment() < h.recs[gone].pos.Segment() {
				h.gone++
			}
			h.mu.Unlock()
			if l.Truncate(h.recs[gone].pos) != nil {
				return
			}
			h.cut = h.gone
		}
	}
}

// sync syncs, and waits if failed is nil.
func (h *history) sync(l *wal.Log, failed func(error)) error {
	h.mu.Lock()
	n := len(h.recs)
	h.mu.Unlock()
	done := make(chan error, 1)
	l.Sync(func(err error) {
		if err == nil {
			h.mu.Lock()
			h.synced = max(h.synced, n)
			h.mu.Unlock()
		} else if failed != nil {
			failed(err)
		}
		done <- err
	})
	if failed == nil {
		return <-done
	}
	return nil
}

// crash runs a log again and again on one simulated disk and ends each run in the middle of some operation.
func crash(t *testing.T, seed uint64, o wal.Options, end func(*simdisk.Disk, *rand.Rand)) {
	r := rand.New(rand.NewPCG(seed, 0))
	d := simdisk.New()
	h := &history{}
	for round := range 8 {
		o.FS = d.FS()
		var left atomic.Int64
		left.Store(1 + r.Int64N(1+r.Int64N(400)))
		d.Fault(func(op simdisk.Op, _ string) error {
			if left.Add(-1) < 0 {
				return simdisk.ErrPower
			}
			return nil
		})
		l, err := wal.Open("", o)
		if err == nil {
			h.check(t, l)
			if t.Failed() {
				t.Logf("round %d", round)
				return
			}
			h.work(r, l)
		} else if left.Load() >= 0 {
			t.Fatalf("round %d: open: %v", round, err)
		}
		end(d, r)
		if l != nil {
			l.Close() // fails, and is silent on the disk
		}
	}
	d.Fault(nil)
	o.FS = d.FS()
	l, err := wal.Open("", o)
	if err != nil {
		t.Fatalf("last open: %v", err)
	}
	h.check(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func seeds(t *testing.T, n uint64, run func(t *testing.T, seed uint64)) {
	if testing.Short() {
		n /= 4
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { run(t, seed) })
	}
}

func TestPowerCutsAtLevelDisk(t *testing.T) {
	seeds(t, 60, func(t *testing.T, seed uint64) {
		o := wal.Options{Level: wal.Disk, SegmentBytes: wal.MinSegment << (seed % 4), KeepFree: 1 + int(seed%3)}
		crash(t, seed, o, func(d *simdisk.Disk, r *rand.Rand) { d.PowerCut(r) })
	})
}

func TestKillsAtBothLevels(t *testing.T) {
	levels(t, func(t *testing.T, o wal.Options) {
		seeds(t, 25, func(t *testing.T, seed uint64) {
			o.SegmentBytes = wal.MinSegment << (seed % 4)
			crash(t, seed, o, func(d *simdisk.Disk, _ *rand.Rand) { d.Kill() })
		})
	})
}

// At level OS, a power cut may take what was synced, but what is left is a prefix nevertheless, and the log
// opens.
func TestPowerCutsAtLevelOS(t *testing.T) {
	seeds(t, 30, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := simdisk.New()
		h := &history{}
		o := wal.Options{Level: wal.OS, SegmentBytes: wal.MinSegment}
		for range 5 {
			o.FS = d.FS()
			l, err := wal.Open("", o)
			if err != nil {
				t.Fatal(err)
			}
			h.synced = h.cut
			h.check(t, l)
			if t.Failed() {
				return
			}
			var left atomic.Int64
			left.Store(1 + r.Int64N(200))
			d.Fault(func(simdisk.Op, string) error {
				if left.Add(-1) < 0 {
					return simdisk.ErrPower
				}
				return nil
			})
			h.work(r, l)
			d.Fault(nil)
			d.PowerCut(r)
			l.Close()
		}
	})
}
