package recovery

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"sampan/fuzz/storetest"
	"sampan/internal/ceiling"
	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// damage applies a script to the files of a disk: five bytes a step, which are an operation, a file, an offset
// and a value.
func damage(d *simdisk.Disk, script []byte) {
	files := d.Files()
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for ; len(script) >= 5 && len(names) > 0; script = script[5:] {
		name := names[int(script[1])%len(names)]
		data := files[name]
		if len(data) == 0 {
			continue
		}
		at := int(binary.LittleEndian.Uint16(script[2:])) % len(data)
		sector := data[at/simdisk.SectorBytes*simdisk.SectorBytes:]
		sector = sector[:min(len(sector), simdisk.SectorBytes)]
		switch script[0] % 5 {
		case 0: // a bit flips
			data[at] ^= 1 << (script[4] % 8)
		case 1: // a sector is not there
			clear(sector)
		case 2: // a sector is another
			copy(sector, data[int(script[4])*simdisk.SectorBytes%len(data):])
		case 3: // the file ends early
			data = data[:at]
		case 4: // bytes are others
			for i := range min(int(script[4]), len(data)-at) {
				data[at+i] = script[4] + byte(i)
			}
		}
		files[name] = data
		d.Put(name, data)
	}
}

// FuzzLogRecover: whatever happens to the files of a log, it opens with a prefix of what was written, or it is
// called corrupt; and what can still be read of it was written, in that order. A log that opened goes on.
func FuzzLogRecover(f *testing.F) {
	f.Fuzz(func(t *testing.T, closed bool, sizes, script []byte) {
		defer ceiling.Bytes(32 << 20).Hold(t)()
		d := simdisk.New()
		o := wal.Options{FS: d.FS(), SegmentBytes: wal.MinSegment}
		l, err := wal.Open("", o)
		if err != nil {
			t.Fatal(err)
		}
		var want [][]byte
		for i, size := range sizes[:min(len(sizes), 100)] {
			rec := bytes.Repeat([]byte{byte(i)}, int(size)*8)
			if _, err := l.Append(rec); err != nil {
				t.Fatal(err)
			}
			want = append(want, rec)
			if size%4 == 0 {
				if err := l.Wait(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if closed {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			if err := l.Wait(); err != nil {
				t.Fatal(err)
			}
			d.Kill()
			l.Close()
		}
		damage(d, script)

		next := 0
		err = wal.Walk("", wal.Options{FS: d.FS()}, func(i wal.Item) error {
			if i.Kind == wal.ItemRecord {
				for next < len(want) && !bytes.Equal(want[next], i.Record) {
					next++
				}
				if next++; next > len(want) {
					t.Fatalf("Walk found a record of %d bytes at %v that was not written there", len(i.Record), i.Pos)
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, wal.ErrForeign) {
			t.Fatal(err)
		}

		var got [][]byte
		read := func() error {
			o.FS = d.FS()
			if l, err = wal.Open("", o); err != nil {
				return err
			}
			got = nil
			_, err := l.Replay(0, func(_ wal.Pos, rec []byte) error {
				got = append(got, bytes.Clone(rec))
				return nil
			})
			return err
		}
		err = read()
		var c *wal.Corrupt
		if err != nil && !errors.As(err, &c) && !errors.Is(err, wal.ErrForeign) {
			t.Fatalf("neither good nor corrupt: %v", err)
		}
		if l != nil {
			defer func() { l.Close() }()
		}
		if len(got) > len(want) || !slices.EqualFunc(got, want[:len(got)], bytes.Equal) {
			t.Fatalf("%d records are not the first ones of %d", len(got), len(want))
		}
		if err != nil {
			return
		}
		if len(script) < 5 && len(got) != len(want) {
			t.Fatalf("%d records of %d are left of an undamaged log", len(got), len(want))
		}
		want = append(got, []byte("and on"))
		if _, err := l.Append([]byte("and on")); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := read(); err != nil {
			t.Fatalf("opened again: %v", err)
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("opened again, it has %d records, want %d", len(got), len(want))
		}
	})
}

// FuzzStoreRecords: a store is given records with good checksums and any contents, each with its length
// before it. It opens or refuses, and so do its tools; a store that opened is one that works.
func FuzzStoreRecords(f *testing.F) {
	f.Fuzz(func(t *testing.T, records []byte) {
		defer ceiling.Bytes(16 << 20).Hold(t)()
		d := simdisk.New()
		o := logstore.Options{FS: d.FS(), SegmentBytes: wal.MinSegment}
		s, err := logstore.Open("", o)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		l, err := wal.Open("", wal.Options{App: "sampan sessions", FS: d.FS(), SegmentBytes: wal.MinSegment})
		if err != nil {
			t.Fatal(err)
		}
		for len(records) > 0 {
			n := min(int(records[0]), len(records)-1)
			if _, err := l.Append(records[1 : 1+n]); err != nil {
				t.Fatal(err)
			}
			records = records[1+n:]
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := logstore.Inspect("", o); err != nil {
			t.Fatal(err)
		}
		v, err := logstore.Verify("", o)
		if err != nil {
			t.Fatal(err)
		}
		s, err = logstore.Open("", o)
		if err != nil {
			if v.OK() {
				t.Fatalf("it does not open, but Verify finds nothing: %v", err)
			}
			return
		}
		m, err := storetest.Recover(s)
		if err != nil {
			if v.OK() {
				t.Fatalf("it cannot be read, but Verify finds nothing: %v", err)
			}
			s.Close()
			return
		}
		id, err := s.Open("new")
		if err != nil {
			t.Fatal(err)
		}
		m.Open(id, "new")
		to := []session.ID{id}
		for old := range m.Sessions {
			to = append(to, old)
		}
		msg := session.NewMessage([]byte("t"), []byte(fmt.Sprint(id)), 0)
		if err := s.Append(msg, to); err != nil {
			t.Skip("no names are left") // because a record says so
		}
		m.Append(msg, to)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = logstore.Open("", o); err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		again, err := storetest.Recover(s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := m.Diff(again); diff != "" {
			t.Fatalf("opened again (-want +got):\n%s", diff)
		}
	})
}
