package wal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// written returns a disk with a log of some segments, closed in order, and its records.
func written(t *testing.T, n int) (*simdisk.Disk, []string, []wal.Pos) {
	d := simdisk.New()
	l := open(t, "", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
	var recs []string
	var at []wal.Pos
	for i := range n {
		rec := fmt.Sprintf("record %d %s", i, strings.Repeat("-", i*37%400))
		pos, err := l.Append([]byte(rec))
		if err != nil {
			t.Fatal(err)
		}
		recs, at = append(recs, rec), append(at, pos)
		if i%10 == 9 {
			if err := l.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return d, recs, at
}

// readAll opens and replays.
func readAll(d *simdisk.Disk) (recs []string, err error) {
	l, err := wal.Open("", wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	_, err = l.Replay(0, func(_ wal.Pos, rec []byte) error {
		recs = append(recs, string(rec))
		return nil
	})
	return recs, err
}

// TestFlippedBitIsReported flips bits everywhere in a log that was closed in order: either it does not
// matter, or it is called corruption, by file and offset.
func TestFlippedBitIsReported(t *testing.T) {
	d, want, at := written(t, 120)
	r := rand.New(rand.NewPCG(1, 2))
	files := d.Files()
	hit := 0
	for i, pos := range at {
		name := fmt.Sprintf("%08x.wal", pos.Segment())
		// In the record's header, and in the record.
		for _, off := range []int{int(pos.Offset()) + r.IntN(16), int(pos.Offset()) + 16 + r.IntN(len(want[i]))} {
			data := slices.Clone(files[name])
			data[off] ^= 1 << r.IntN(8)
			d.Put(name, data)
			_, err := readAll(d)
			var c *wal.Corrupt
			if !errors.As(err, &c) || !strings.HasSuffix(c.File, name) || c.Offset != int64(pos.Offset()) {
				t.Fatalf("offset %d of %s, in record %d: %v", off, name, i, err)
			}
			hit++
			d.Put(name, files[name])
		}
	}
	if hit != 2*len(at) {
		t.Fatalf("%d flips", hit)
	}
	for name, data := range files {
		if !strings.HasSuffix(name, ".wal") {
			continue
		}
		for _, off := range []int{3, 14, 30, 2048, 2048 + 20} {
			bad := slices.Clone(data)
			bad[off] ^= 0x10
			d.Put(name, bad)
			got, err := readAll(d)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("one copy of the header of %s: %d records, %v", name, len(got), err)
			}
			d.Put(name, data)
		}
	}
}

func TestLostFilesAreReported(t *testing.T) {
	d, _, at := written(t, 300)
	files := d.Files()
	last := at[len(at)-1].Segment()
	if last < 4 {
		t.Fatalf("the log has only %d segments", last)
	}
	for seq := uint32(2); seq <= last; seq++ {
		name := fmt.Sprintf("%08x.wal", seq)
		broken := map[string]func(){
			"lost":          func() { d.Delete(name) },
			"empty":         func() { d.Put(name, nil) },
			"without head":  func() { d.Put(name, append(make([]byte, 4096), files[name][4096:]...)) },
			"cut":           func() { d.Put(name, files[name][:4096+512]) },
			"of other seq":  func() { d.Put(name, files["00000001.wal"]) },
			"of zeros":      func() { d.Put(name, make([]byte, wal.MinSegment)) },
			"of other data": func() { d.Put(name, append(slices.Clone(files[name][:4096]), files["00000001.wal"][4096:]...)) },
		}
		for what, do := range broken {
			do()
			_, err := readAll(d)
			var c *wal.Corrupt
			// Without its file, the last segment cannot be told from one that was cut right after the
			// first batch, unless it is missing altogether.
			tail := seq == last && (what == "cut" || what == "of other data")
			if !errors.As(err, &c) && !tail || tail && err != nil && c == nil {
				t.Errorf("segment %d of %d is %s: %v", seq, last, what, err)
			}
			// What was opened may have been changed: all files back.
			for name := range d.Files() {
				d.Delete(name)
			}
			for name, data := range files {
				d.Put(name, data)
			}
		}
	}
	if got, err := readAll(d); err != nil || len(got) != 300 {
		t.Fatalf("undamaged: %d records, %v", len(got), err)
	}
}

// TestOldFramesStayDead tears a batch so that a record in its middle is lost, and the ones behind it are
// whole; then writes a record of the same length as the lost one in its place. The old ones behind must not
// come back.
func TestOldFramesStayDead(t *testing.T) {
	d := simdisk.New()
	o := wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment}
	l := open(t, "", o)
	for range 2 {
		if _, err := l.Append([]byte("kept")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Wait(); err != nil {
		t.Fatal(err)
	}
	var torn wal.Pos
	for i := range 5 {
		pos, err := l.Append([]byte(fmt.Sprint("torn", i)))
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			torn = pos
		}
	}
	if err := l.Wait(); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	l.Close()
	name := fmt.Sprintf("%08x.wal", torn.Segment())
	data := d.Files()[name]
	data[torn.Offset()+17] ^= 1
	// The mark that proves the batch is taken away: the power went before it was written.
	for at := torn.Offset() + 4*24; at < torn.Offset()+8*24; at++ {
		data[at] = 0
	}
	d.Put(name, data)

	o.FS = d.FS()
	l = open(t, "", o)
	want := []string{"kept", "kept", "torn0"}
	if got := records(t, l); !slices.Equal(got, want) {
		t.Fatalf("recovered %q, want %q", got, want)
	}
	cut := l.Found().Cut
	if cut == nil || cut.Offset != int64(torn.Offset()) || cut.Records != 3 {
		t.Fatalf("cut is %v, want 3 records behind offset %d", cut, torn.Offset())
	}
	pos, err := l.Append([]byte("fresh"))
	if err != nil || pos != torn {
		t.Fatalf("appended at %v, want %v: %v", pos, torn, err)
	}
	d.Fault(func(op simdisk.Op, _ string) error { return nil })
	if err := l.Wait(); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	l.Close()
	// The mark of this opening is taken away too, and what lay behind is put back: the sector that was
	// to be written there was not.
	after := d.Files()[name]
	copy(after[torn.Offset()+24:], data[torn.Offset()+24:torn.Offset()+8*24])
	d.Put(name, after)
	o.FS = d.FS()
	l = open(t, "", o)
	defer l.Close()
	if got := records(t, l); !slices.Equal(got, append(want, "fresh")) {
		t.Fatalf("recovered %q, want %q and \"fresh\"", got, want)
	}
}
