package device

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Lookups go on while everything changes; they see a device whole or not at all. The log is rewritten
// meanwhile, and in the end a reopened registry is the same.
func TestLookupsBesideChanges(t *testing.T) {
	l := &memoryLog{keep: 7}
	r, err := open(l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	name := func(i int) string { return fmt.Sprintf("dev-%d", i) }
	for range 3 {
		readers.Go(func() {
			for !stop.Load() {
				pk := fmt.Sprint("pk", rand.IntN(3))
				n := name(rand.IntN(50))
				d, err := r.Lookup([]byte(pk), []byte(n))
				if err != nil {
					if !errors.Is(err, ErrNoDevice) && !errors.Is(err, ErrNoProduct) {
						t.Error(err)
					}
					continue
				}
				if string(d.Name()) != n || d.Product().Key != pk || !strings.HasPrefix(string(d.Secret()), n) {
					t.Errorf("%s/%s is %s/%s with secret %s", pk, n, d.Product().Key, d.Name(), d.Secret())
				}
				if info := d.Info(); info.Nickname != "" && info.Nickname != n {
					t.Errorf("%s has nickname %s", n, info.Nickname)
				}
				d.Word(ForShadow).Add(1)
				if found, err := r.ByIotID(d.IotID()); err == nil && string(found.Name()) != n {
					t.Errorf("%s by its IotId is %s", n, found.Name())
				}
				for range r.Devices(pk, 0) {
				}
			}
		})
	}
	for w := range 3 {
		writers.Go(func() {
			pk := fmt.Sprint("pk", w)
			for round := range 10 {
				if _, err := r.CreateProduct(ProductSpec{Key: pk}); err != nil {
					t.Error(err)
				}
				for i := range 50 {
					d, err := r.CreateDevice(pk, DeviceSpec{Name: name(i), Secret: fmt.Sprint(name(i), "-", round)})
					if err != nil {
						t.Error(err)
						continue
					}
					r.Activate(&d)
					r.SetNickname(pk, name(i), name(i))
				}
				if err := r.Checkpoint(); err != nil {
					t.Error(err)
				}
				for i := range 50 {
					r.Disable(pk, name(i))
					if err := r.Delete(pk, name(i)); err != nil {
						t.Error(err)
					}
				}
				if err := r.DeleteProduct(pk); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	r.CreateProduct(ProductSpec{Key: "last"})
	other, err := open(l.reopened(len(l.entries)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := dump(other); len(got.Products) != 1 || len(got.Devices) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	r := New(Options{})
	r.CreateProduct(ProductSpec{Key: "pk"})
	r.CreateDevice("pk", DeviceSpec{Name: "dev1"})
	pk, dn, none := []byte("pk"), []byte("dev1"), []byte("none")
	if n := testing.AllocsPerRun(1000, func() {
		d, err := r.Lookup(pk, dn)
		if err != nil || len(d.Secret()) != 32 || d.Status() != Unactivated || d.Token(dn) != nil {
			t.Fatal(err)
		}
		if _, err := r.Lookup(pk, none); err != ErrNoDevice {
			t.Fatal(err)
		}
		if _, err := r.LookupProduct(none); err != ErrNoProduct {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// million fills a registry with devices as a factory names them.
func million(b *testing.B, r *Registry) {
	const part = 4096
	batch := make([]Imported, 0, part)
	for i := range 1_000_000 {
		batch = append(batch, Imported{
			ProductKey:   fmt.Sprintf("a1B2c3D4e%02d", i%10),
			DeviceName:   fmt.Sprintf("device-%08d", i),
			DeviceSecret: fmt.Sprintf("%032d", i),
		})
		if len(batch) == part || i == 999_999 {
			if _, err := r.Import(batch, false); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// A million devices: what they take in memory and on disk, how long a lookup takes among them, and how long
// it takes to open them again.
func BenchmarkMillionDevices(b *testing.B) {
	dir := b.TempDir()
	before := heap()
	r, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	million(b, r)
	after := heap()
	b.Run("lookup", func(b *testing.B) {
		names := make([][2][]byte, 1<<16)
		for i := range names {
			n := rand.IntN(1_000_000)
			names[i] = [2][]byte{fmt.Appendf(nil, "a1B2c3D4e%02d", n%10), fmt.Appendf(nil, "device-%08d", n)}
		}
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for i := rand.IntN(1 << 16); p.Next(); i++ {
				n := &names[i&(1<<16-1)]
				if d, err := r.Lookup(n[0], n[1]); err != nil || len(d.Secret()) != 32 {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(after-before)/1e6, "B/device")
	})
	b.Run("checkpoint", func(b *testing.B) {
		for b.Loop() {
			if err := r.Checkpoint(); err != nil {
				b.Fatal(err)
			}
		}
	})
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			r, err := Open(dir, Options{})
			if err != nil {
				b.Fatal(err)
			}
			if s := r.Stats(); s.Devices != 1_000_000 {
				b.Fatalf("%+v", s)
			}
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
