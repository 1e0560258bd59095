package wal_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sampan/session/wal"
	"sampan/session/wal/vfs"
	"sampan/session/wal/vfs/simdisk"
)

// walked is what Walk came upon.
type walked struct {
	records  []string
	segments int
	damage   []wal.Item
	torn     []wal.Item
}

func walk(t *testing.T, fs vfs.FS) (w walked) {
	t.Helper()
	err := wal.Walk("", wal.Options{FS: fs}, func(i wal.Item) error {
		switch i.Kind {
		case wal.ItemSegment:
			w.segments++
		case wal.ItemRecord:
			w.records = append(w.records, string(i.Record))
		case wal.ItemDamage:
			w.damage = append(w.damage, i)
		case wal.ItemTorn:
			w.torn = append(w.torn, i)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWalkReadsAll(t *testing.T) {
	d, want, at := written(t, 300)
	w := walk(t, d.FS())
	if !slices.Equal(w.records, want) || len(w.damage)+len(w.torn) > 0 {
		t.Fatalf("%d records, want %d; damage %v, torn %v", len(w.records), len(want), w.damage, w.torn)
	}
	if n := int(at[len(at)-1].Segment()); w.segments < n {
		t.Fatalf("%d segments, want %d", w.segments, n)
	}
	stop := errors.New("enough")
	if err := wal.Walk("", wal.Options{FS: d.FS()}, func(wal.Item) error { return stop }); err != stop {
		t.Fatalf("stopped with %v", err)
	}
}

// Of a log that was closed nothing is torn, whatever its segment's salt is. It was in one of 256.
func TestNothingIsTornAfterClose(t *testing.T) {
	for i := range 1500 {
		d := simdisk.New()
		l, err := wal.Open("", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append([]byte("record")); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if w := walk(t, d.FS()); len(w.records) != 1 || len(w.torn)+len(w.damage) > 0 {
			t.Fatalf("log %d: %+v", i, w)
		}
	}
}

func TestWalkGoesOnBehindDamage(t *testing.T) {
	d, want, at := written(t, 300)
	files := d.Files()
	restore := func() {
		for name, data := range files {
			d.Put(name, data)
		}
	}
	// A record.
	for _, i := range []int{0, 1, 50, 149, 298, 299} {
		name := fmt.Sprintf("%08x.wal", at[i].Segment())
		data := slices.Clone(files[name])
		data[at[i].Offset()+16] ^= 1
		d.Put(name, data)
		w := walk(t, d.FS())
		if !slices.Equal(w.records, slices.Delete(slices.Clone(want), i, i+1)) {
			t.Fatalf("without record %d: %d records", i, len(w.records))
		}
		if len(w.damage) != 1 || w.damage[0].Pos != at[i] || w.damage[0].Length < int64(len(want[i])) || w.damage[0].Reason == "" {
			t.Fatalf("damage of record %d is reported as %+v", i, w.damage)
		}
		if len(w.torn) > 0 {
			t.Fatalf("with damage of record %d, something is torn: %+v", i, w.torn)
		}
		restore()
	}
	// A segment, its header, its end.
	const seq = 3
	name := fmt.Sprintf("%08x.wal", seq)
	var outside []string
	for i, pos := range at {
		if pos.Segment() != seq {
			outside = append(outside, want[i])
		}
	}
	for what, spoil := range map[string]func(){
		"missing":        func() { d.Delete(name) },
		"without header": func() { d.Put(name, append(make([]byte, 4096), files[name][4096:]...)) },
		"zeros":          func() { d.Put(name, append(slices.Clone(files[name][:4096]), make([]byte, 4096)...)) },
		"empty":          func() { d.Put(name, nil) },
	} {
		spoil()
		w := walk(t, d.FS())
		if !slices.Equal(w.records, outside) || len(w.damage) != 1 || !strings.HasSuffix(w.damage[0].File, name) {
			t.Fatalf("%s: %d records, want %d; damage %+v", what, len(w.records), len(outside), w.damage)
		}
		restore()
	}
	// What the disk does not read.
	w := walk(t, badFS{d.FS(), name, 8192})
	if len(w.damage) != 1 || w.damage[0].Offset > 8192 || w.damage[0].Offset+w.damage[0].Length < 8192+4096 {
		t.Fatalf("an unreadable page: %+v", w.damage)
	}
	if lost := len(want) - len(w.records); lost < 10 || lost > 200 {
		t.Fatalf("an unreadable page takes %d records", lost)
	}
}

// badFS has a page that cannot be read.
type badFS struct {
	vfs.FS
	name string
	page int64
}

type badFile struct {
	vfs.File
	page int64
}

func (b badFS) OpenRead(name string) (vfs.File, error) {
	f, err := b.FS.OpenRead(name)
	if name == b.name {
		return badFile{f, b.page}, err
	}
	return f, err
}

func (b badFile) ReadAt(p []byte, off int64) (int, error) {
	if off < b.page+4096 && off+int64(len(p)) > b.page {
		return 0, errors.New("input/output error")
	}
	return b.File.ReadAt(p, off)
}

// TestWalkFindsTheEndBehindDamage: where a log ends does not depend on damage before, in the same segment. Nothing is
// torn behind what was closed in order; of what was not, what is torn has its length.
func TestWalkFindsTheEndBehindDamage(t *testing.T) {
	for _, orderly := range []bool{true, false} {
		d := simdisk.New()
		l := open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
		var at []wal.Pos
		for i := range 6 {
			pos, err := l.Append([]byte(fmt.Sprint("record ", i)))
			if err == nil {
				err = l.Wait()
			}
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, pos)
		}
		if !orderly {
			d.Kill()
		}
		l.Close()
		data := d.Files()["00000001.wal"]
		data[at[1].Offset()+16] ^= 1
		if !orderly {
			data[at[5].Offset()+16] ^= 1
			clear(data[at[5].Offset()+24 : at[5].Offset()+48]) // the mark
		}
		d.Put("00000001.wal", data)
		w := walk(t, d.FS())
		if len(w.damage) != 1 || w.damage[0].Pos != at[1] {
			t.Errorf("closed in order: %v: damage %+v", orderly, w.damage)
		}
		if orderly {
			if len(w.records) != 5 || len(w.torn) > 0 {
				t.Errorf("closed in order: %d records, torn %+v", len(w.records), w.torn)
			}
		} else if len(w.records) != 4 || len(w.torn) != 1 || w.torn[0].Pos != at[5] || w.torn[0].Length != 24 {
			t.Errorf("not closed: %d records, torn %+v", len(w.records), w.torn)
		}
	}
}

// TestWalkStopsWhereOpenCuts: a torn tail is no damage, and what is behind it does not count.
func TestWalkStopsWhereOpenCuts(t *testing.T) {
	d := simdisk.New()
	l := open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
	var at []wal.Pos
	for i := range 6 {
		pos, err := l.Append([]byte(fmt.Sprint("record ", i)))
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, pos)
	}
	if err := l.Wait(); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	l.Close()
	name := "00000001.wal"
	data := d.Files()[name]
	data[at[3].Offset()+16] ^= 1
	clear(data[at[5].Offset()+24 : at[5].Offset()+48]) // the mark
	d.Put(name, data)
	w := walk(t, d.FS())
	if len(w.records) != 3 || len(w.damage) > 0 || len(w.torn) != 1 || w.torn[0].Pos != at[3] || w.torn[0].Length != 72 {
		t.Fatalf("got %+v", w)
	}
	l = open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
	defer l.Close()
	if got := records(t, l); !slices.Equal(got, w.records) || l.Found().Cut == nil || l.Found().Cut.Offset != w.torn[0].Offset {
		t.Fatalf("Open finds %q and cuts %v", got, l.Found().Cut)
	}
}

func TestWalkRefusesAnOpenLog(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, wal.Options{})
	if err := wal.Walk(dir, wal.Options{}, func(wal.Item) error { return nil }); !errors.Is(err, wal.ErrLocked) {
		t.Fatalf("got %v", err)
	}
	l.Close()
	if err := wal.Walk(dir, wal.Options{}, func(wal.Item) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := wal.Walk(dir+"/none", wal.Options{}, func(wal.Item) error { return nil }); err == nil {
		t.Fatal("a directory that is not there was walked")
	}
}
