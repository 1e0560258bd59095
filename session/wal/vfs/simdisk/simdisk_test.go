package simdisk_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sampan/session/wal/vfs"
	"sampan/session/wal/vfs/simdisk"
)

func create(t *testing.T, fs vfs.FS, name string) vfs.File {
	t.Helper()
	f, err := fs.Open(name, true)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, f vfs.File, off int64, b []byte) {
	t.Helper()
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

// TestPowerCutTearsAtSectors: of what was not synced, any sectors may be there, each as it was at some time
// since; what was synced is there. Over many cuts, everything that may happen does.
func TestPowerCutTearsAtSectors(t *testing.T) {
	const sectors = 4
	old, first, second := bytes.Repeat([]byte("o"), simdisk.SectorBytes), bytes.Repeat([]byte("1"), simdisk.SectorBytes), bytes.Repeat([]byte("2"), simdisk.SectorBytes)
	seen := map[string]bool{}
	for seed := range uint64(300) {
		d := simdisk.New()
		fs := d.FS()
		f := create(t, fs, "a")
		for i := range int64(sectors) {
			write(t, f, i*simdisk.SectorBytes, old)
		}
		if err := errors.Join(f.Sync(), fs.SyncDir()); err != nil {
			t.Fatal(err)
		}
		// The first sector stays, the second and third are written, the third twice.
		write(t, f, simdisk.SectorBytes, append(slices.Clone(first), first...))
		write(t, f, 2*simdisk.SectorBytes, second)
		d.PowerCut(rand.New(rand.NewPCG(seed, 0)))
		data := d.Files()["a"]
		got := ""
		for i := range sectors {
			s := data[i*simdisk.SectorBytes : (i+1)*simdisk.SectorBytes]
			if !bytes.Equal(s, old) && !bytes.Equal(s, first) && !bytes.Equal(s, second) {
				t.Fatalf("sector %d is torn inside", i)
			}
			got += string(s[:1])
		}
		seen[got] = true
	}
	var want []string
	for _, s := range []string{"o", "1"} {
		for _, u := range []string{"o", "1", "2"} {
			want = append(want, "o"+s+u+"o")
		}
	}
	for _, w := range want {
		if !seen[w] {
			t.Errorf("%s never happens", w)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("seen: %v, want %v", seen, want)
	}
}

func TestNamesSurviveOnceTheDirectoryIsSynced(t *testing.T) {
	left := map[string]bool{}
	for seed := range uint64(100) {
		d := simdisk.New()
		fs := d.FS()
		create(t, fs, "a")
		if err := fs.SyncDir(); err != nil {
			t.Fatal(err)
		}
		if err := fs.Rename("a", "b"); err != nil {
			t.Fatal(err)
		}
		create(t, fs, "c")
		if err := fs.Remove("b"); err != nil {
			t.Fatal(err)
		}
		d.PowerCut(rand.New(rand.NewPCG(seed, 0)))
		names, err := d.FS().List()
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		left[fmt.Sprint(names)] = true
		if _, err := fs.List(); !errors.Is(err, simdisk.ErrPower) {
			t.Fatalf("the process lives on: %v", err)
		}
	}
	for _, want := range []string{"[a]", "[b]", "[b c]", "[c]"} {
		if !left[want] {
			t.Errorf("%s never happens", want)
		}
	}
	if len(left) != 4 {
		t.Errorf("left is %v", left)
	}
}

func TestKillTakesNothing(t *testing.T) {
	d := simdisk.New()
	fs := d.FS()
	if _, err := fs.Lock(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.FS().Lock(); !errors.Is(err, vfs.ErrLocked) {
		t.Fatalf("locked twice: %v", err)
	}
	f := create(t, fs, "a")
	write(t, f, 100, []byte("x"))
	d.Kill()
	if _, err := f.WriteAt([]byte("y"), 100); !errors.Is(err, simdisk.ErrPower) {
		t.Fatalf("a dead process writes: %v", err)
	}
	fs = d.FS()
	if _, err := fs.Lock(); err != nil {
		t.Fatalf("the lock of a dead process: %v", err)
	}
	if got := d.Files()["a"]; len(got) != 101 || got[100] != 'x' {
		t.Fatalf("left is %q", got)
	}
}

// TestFailedSyncForgets: what a sync could not write is not written by the next one either.
func TestFailedSyncForgets(t *testing.T) {
	d := simdisk.New()
	fs := d.FS()
	f := create(t, fs, "a")
	if err := fs.SyncDir(); err != nil {
		t.Fatal(err)
	}
	write(t, f, 0, []byte("x"))
	broken := errors.New("broken")
	d.Fault(func(op simdisk.Op, name string) error {
		if op == simdisk.Sync && name == "a" {
			return broken
		}
		return nil
	})
	if err := f.Sync(); err != broken {
		t.Fatalf("got %v", err)
	}
	d.Fault(nil)
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], 0); err != nil || b[0] != 'x' {
		t.Fatalf("the process sees %q, %v", b, err)
	}
	d.PowerCut(rand.New(rand.NewPCG(1, 1)))
	if got := d.Files()["a"]; bytes.Contains(got, []byte("x")) {
		t.Fatalf("left is %q", got)
	}
}
