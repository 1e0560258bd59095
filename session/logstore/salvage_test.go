package logstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sampan/fuzz/storetest"
	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs"
	"sampan/session/wal/vfs/simdisk"
)

// used returns a disk with a store of some age, closed in order, and what it holds.
func used(t *testing.T, seed uint64) (*simdisk.Disk, *storetest.Model) {
	t.Helper()
	d := simdisk.New()
	s := openStore(t, d, small)
	w := &worker{r: rand.New(rand.NewPCG(seed, 9)), s: s, l: &life{base: storetest.NewModel()}, m: storetest.NewModel()}
	for n := 0; n < 600 || n < 60_000 && d.Files()["00000001.wal"] != nil; n++ { // it is there until there was a checkpoint
		if err := w.call(nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return d, w.m
}

// salvaged salvages to another disk and returns what is there.
func salvaged(t *testing.T, d *simdisk.Disk) (*logstore.Salvaged, *storetest.Model) {
	t.Helper()
	out := t.TempDir()
	r, err := logstore.Salvage("", out, logstore.Options{FS: d.FS(), SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := logstore.Salvage("", out, logstore.Options{FS: d.FS()}); err == nil {
		t.Error("salvaged to a directory that has a store")
	}
	s, err := logstore.Open(out, logstore.Options{SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !s.Report().Checkpoint {
		t.Error("what was salvaged has no checkpoint")
	}
	m, err := storetest.Recover(s)
	if err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	if r.Sessions != st.Sessions || r.Subscriptions != st.Subscriptions || r.Messages != st.Messages || r.Queued != st.Queued {
		t.Errorf("salvaged %+v, and there is %+v", r, st)
	}
	if _, err := logstore.Salvage("", out, logstore.Options{FS: d.FS()}); !errors.Is(err, wal.ErrLocked) {
		t.Errorf("salvaging to a store in use: %v", err)
	}
	return r, m
}

func TestToolsOnAGoodStore(t *testing.T) {
	d, want := used(t, 1)
	i, err := logstore.Inspect("", logstore.Options{FS: d.FS()})
	if err != nil {
		t.Fatal(err)
	}
	queued := 0
	for _, s := range i.Sessions {
		w := want.Sessions[s.ID]
		if w == nil || s.Identity != w.Identity || s.Connected != w.Connected || s.Until != w.Until || s.Queued != len(w.Queue) || len(s.Subscriptions) != len(w.Subscriptions) {
			t.Fatalf("session %+v, want %+v", s, w)
		}
		sent := 0
		for _, q := range w.Queue {
			if q.PacketID != 0 {
				sent++
			}
		}
		if s.Sent != sent {
			t.Fatalf("session %d has %d sent messages, want %d", s.ID, s.Sent, sent)
		}
		queued += s.Queued
	}
	if len(i.Sessions) != len(want.Sessions) || i.Queued != queued || i.Torn != nil || len(i.Damage) > 0 ||
		i.Checkpoint == 0 || len(i.Segments) < 2 || i.Records["message"] == 0 || i.Records["checkpoint end"] == 0 {
		t.Fatalf("got %+v", i)
	}
	v, err := logstore.Verify("", logstore.Options{FS: d.FS()})
	if err != nil {
		t.Fatal(err)
	}
	if !v.OK() || v.Messages != i.Messages || v.Sessions != len(i.Sessions) || v.Records == 0 || v.Bytes != i.Bytes {
		t.Fatalf("got %+v", v)
	}
	r, got := salvaged(t, d)
	if diff := want.Diff(got); diff != "" {
		t.Fatalf("salvaged (-want +got):\n%s", diff)
	}
	if r.Lost != 0 || len(r.Damage) > 0 || r.Torn != nil {
		t.Fatalf("got %+v", r)
	}
}

// TestToolsOnADamagedStore damages a store at random: then it does not open, Verify says where, and Salvage
// brings back a store without anything that was not in it.
func TestToolsOnADamagedStore(t *testing.T) {
	d, want := used(t, 2)
	files := d.Files()
	var logs []string
	for name := range files {
		if strings.HasSuffix(name, ".wal") && len(files[name]) > 4096 { // not one that was made ahead
			logs = append(logs, name)
		}
	}
	slices.Sort(logs)
	everything := 0
	for _, s := range want.Sessions {
		everything += len(s.Queue)
	}
	best := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 0))
		name := logs[r.IntN(len(logs))]
		data := slices.Clone(files[name])
		at := 4096 + r.IntN(len(data)-4096)
		for range 1 + r.IntN(600) {
			if at < len(data) {
				data[at] ^= byte(1 + r.IntN(255))
			}
			at++
		}
		d.Put(name, data)
		v, err := logstore.Verify("", logstore.Options{FS: d.FS()})
		if err != nil {
			t.Fatal(err)
		}
		o := small
		o.FS = d.FS()
		s, err := logstore.Open("", o)
		if err == nil {
			s.Close()
		}
		// Open does not read what is behind the last checkpoint, and may not see it.
		if v.OK() && err != nil {
			t.Fatalf("seed %d: Verify says %+v, Open says %v", seed, v, err)
		}
		if v.OK() {
			// It hit what is not in use.
			restore(d, files)
			continue
		}
		report, got := salvaged(t, d)
		if len(report.Damage) != len(v.Damage) {
			t.Fatalf("seed %d: salvaged %+v, verified %+v", seed, report, v)
		}
		for id, s := range got.Sessions {
			for _, q := range s.Queue {
				if m, known := want.Messages[q.Ref]; !known || m != got.Messages[q.Ref] {
					t.Fatalf("seed %d: session %d has message %d: %+v, which was %+v", seed, id, q.Ref, got.Messages[q.Ref], m)
				}
			}
			if w := want.Sessions[id]; w != nil && w.Identity != s.Identity {
				t.Fatalf("seed %d: session %d is that of %q, was %q", seed, id, s.Identity, w.Identity)
			}
		}
		back := 0
		for id, w := range want.Sessions {
			if s := got.Sessions[id]; s != nil {
				for _, q := range w.Queue {
					if slices.ContainsFunc(s.Queue, func(g session.Stored) bool { return g.Ref == q.Ref }) {
						back++
					}
				}
			}
		}
		best = max(best, back)
		restore(d, files)
	}
	if best < everything*3/4 {
		t.Fatalf("at best %d of %d messages came back", best, everything)
	}
}

func restore(d *simdisk.Disk, files map[string][]byte) {
	for name := range d.Files() {
		d.Delete(name)
	}
	for name, data := range files {
		d.Put(name, data)
	}
}

func TestVerifyMissesMessages(t *testing.T) {
	d := simdisk.New()
	o := logstore.Options{SegmentBytes: wal.MinSegment, CheckpointBytes: 4 << 10}
	s := openStore(t, d, o)
	id := newSession(t, s, "a")
	for range 60 {
		add(t, s, 1000, id)
		hold(t, s)
	}
	for s.Stats().DiskBytes < 5*wal.MinSegment || d.Files()["checkpoint"] == nil {
		add(t, s, 1000, id)
		hold(t, s)
	}
	n := s.Stats().Messages
	s.Close()
	d.Delete("00000001.wal")
	v, err := logstore.Verify("", logstore.Options{FS: d.FS()})
	if err != nil {
		t.Fatal(err)
	}
	if v.OK() || len(v.Missing) == 0 || len(v.Missing) > 20 || v.Messages != n {
		t.Fatalf("got %+v", v)
	}
	var c *wal.Corrupt
	o.FS = d.FS()
	if _, err := logstore.Open("", o); !errors.As(err, &c) {
		t.Fatalf("without its first segment, it opens: %v", err)
	}
	r, got := salvaged(t, d)
	if r.Lost != len(v.Missing) || len(got.Sessions[id].Queue) != n-r.Lost {
		t.Fatalf("salvaged %+v", r)
	}
}

func TestToolsLeaveAStoreInUseAlone(t *testing.T) {
	dir := t.TempDir()
	s, err := logstore.Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, inspect := logstore.Inspect(dir, logstore.Options{})
	_, verify := logstore.Verify(dir, logstore.Options{})
	_, salvage := logstore.Salvage(dir, t.TempDir(), logstore.Options{})
	for i, err := range []error{inspect, verify, salvage} {
		if !errors.Is(err, wal.ErrLocked) {
			t.Errorf("tool %d: %v", i, err)
		}
	}
	if _, err := logstore.Inspect(dir+"/none", logstore.Options{}); err == nil {
		t.Error("a directory that is not there was inspected")
	}
	if _, err := vfs.ReadDir(dir + "/none"); err == nil {
		t.Error("inspecting a directory that is not there has made it")
	}
}

func ExamplePlace() {
	fmt.Println(logstore.Place{File: "00000007.wal", Offset: 4096, Length: 24, Reason: "there is no good record, although it was synced"})
	// Output: 00000007.wal, 24 bytes at offset 4096: there is no good record, although it was synced
}
