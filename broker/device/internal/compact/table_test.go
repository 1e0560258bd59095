package compact

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// The table and a map of the standard library go through the same changes and answer the same.
func TestTableIsAMap(t *testing.T) {
	type record struct {
		number uint32
		body   string
		state  uint64
	}
	rapid.Check(t, func(t *rapid.T) {
		var table Table
		model := map[string]record{}
		given := map[uint32]bool{}
		name := rapid.OneOf(rapid.StringMatching(`[ab]{0,3}`), rapid.StringN(1, 20, 100))
		body := rapid.OneOf(rapid.StringMatching(`x{0,3}`), rapid.StringN(0, 50, 200))
		check := func(n string) {
			item, found := table.Find([]byte(n))
			want, exists := model[n]
			if found != exists {
				t.Fatalf("%q: found %v, want %v", n, found, exists)
			}
			if !found {
				return
			}
			if string(item.Name) != n || string(item.Body) != want.body || item.Number != want.number || item.Entry.State.Load() != want.state {
				t.Fatalf("%q: %+v, want %+v", n, item, want)
			}
			if byNumber, ok := table.At(want.number); !ok || byNumber.Entry != item.Entry || string(byNumber.Name) != n {
				t.Fatalf("%q: number %d is %+v", n, want.number, byNumber)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				n, b := name.Draw(t, "name"), body.Draw(t, "body")
				item := table.Put([]byte(n), []byte(b))
				was, existed := model[n]
				if existed && item.Number != was.number || !existed && given[item.Number] {
					t.Fatalf("%q: number %d, before %+v", n, item.Number, was)
				}
				given[item.Number] = true
				state := rapid.Uint64().Draw(t, "state")
				item.Entry.State.Store(state)
				model[n] = record{item.Number, b, state}
				check(n)
			},
			"put at": func(t *rapid.T) {
				n, b := name.Draw(t, "name"), body.Draw(t, "body")
				number := rapid.Uint32Range(0, 300).Draw(t, "number")
				taken := false
				for other, r := range model {
					taken = taken || r.number == number && other != n
				}
				item, ok := table.PutAt(number, []byte(n), []byte(b))
				if ok == taken {
					t.Fatalf("%q at %d: %v, taken %v", n, number, ok, taken)
				}
				if ok {
					given[number] = true
					if was, existed := model[n]; existed && was.number == number {
						model[n] = record{number, b, was.state}
					} else {
						model[n] = record{number, b, 0}
					}
					if item.Number != number {
						t.Fatalf("%q: number %d, want %d", n, item.Number, number)
					}
				}
				check(n)
			},
			"delete": func(t *rapid.T) {
				n := name.Draw(t, "name")
				_, existed := model[n]
				if table.Delete([]byte(n)) != existed {
					t.Fatalf("%q: existed %v", n, existed)
				}
				delete(model, n)
				check(n)
			},
			"": func(t *rapid.T) {
				if table.Len() != len(model) {
					t.Fatalf("%d records, want %d", table.Len(), len(model))
				}
				for n := range model {
					check(n)
				}
				seen := 0
				for item, ok := table.After(0); ok; item, ok = table.After(item.Number + 1) {
					if model[string(item.Name)].number != item.Number {
						t.Fatalf("walk: %q has number %d, want %d", item.Name, item.Number, model[string(item.Name)].number)
					}
					seen++
				}
				if seen != len(model) {
					t.Fatalf("walked over %d records of %d", seen, len(model))
				}
			},
		})
	})
}

func TestNumbersAreBounded(t *testing.T) {
	var table Table
	if _, ok := table.PutAt(MaxNumber, []byte("x"), nil); ok {
		t.Error("a number beyond the bound was taken")
	}
	if _, ok := table.PutAt(0, make([]byte, MaxName+1), nil); ok {
		t.Error("a name beyond the bound was taken")
	}
	longest := bytes.Repeat([]byte("n"), MaxName)
	if _, ok := table.PutAt(0, longest, nil); !ok {
		t.Error("the longest name was refused")
	}
	if item, ok := table.Find(longest); !ok || !bytes.Equal(item.Name, longest) {
		t.Error("the longest name was not found")
	}
	if _, ok := table.PutAt(100_000, []byte("x"), nil); !ok {
		t.Error("refused")
	}
	table.SetNext(200_000)
	if item := table.Put([]byte("y"), nil); item.Number != 200_000 {
		t.Errorf("number %d", item.Number)
	}
	if _, ok := table.At(150_000); ok {
		t.Error("a record at an unused number")
	}
}

// Dead records are given back, and views that somebody holds stay as they were.
func TestReclaim(t *testing.T) {
	var table Table
	const n = 1000
	for i := range n {
		table.Put(name(i), bytes.Repeat([]byte{byte(i)}, 100))
	}
	held, _ := table.Find(name(7))
	most := 0
	for round := range 50 {
		for i := range n {
			table.Put(name(i), bytes.Repeat([]byte{byte(i + round)}, 100))
		}
		most = max(most, table.Bytes())
	}
	if !bytes.Equal(held.Body, bytes.Repeat([]byte{7}, 100)) || !bytes.Equal(held.Name, name(7)) {
		t.Errorf("a view changed: %q %x", held.Name, held.Body)
	}
	if most > 1<<20 {
		t.Errorf("%d bytes for %d records of 100 bytes", most, n)
	}
	for i := range n {
		if item, ok := table.Find(name(i)); !ok || !bytes.Equal(item.Body, bytes.Repeat([]byte{byte(i + 49)}, 100)) {
			t.Fatalf("%s: %v %x", name(i), ok, item.Body)
		}
	}
	for i := range n {
		table.Delete(name(i))
	}
	if _, ok := table.After(0); ok || table.Len() != 0 {
		t.Error("records are left")
	}
}

func name(i int) []byte { return fmt.Appendf(nil, "device-%07d", i) }

// Readers run beside a writer that adds, changes, deletes and reclaims. A record's body says its name, so a
// reader can tell a torn or mixed-up one.
func TestReadersBesideAWriter(t *testing.T) {
	var table Table
	const names = 500
	body := func(i int, version uint64) []byte {
		return binary.BigEndian.AppendUint64(append(name(i), bytes.Repeat([]byte("."), int(version%97))...), version)
	}
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(1, 2))
			seen := map[int]bool{}
			for !stop.Load() {
				i := random.IntN(names)
				item, ok := table.Find(name(i))
				if i%10 == 0 { // the writer never deletes these
					if seen[i] && !ok {
						t.Errorf("%s: lost", name(i))
						return
					}
					seen[i] = seen[i] || ok
				}
				if ok && (!bytes.Equal(item.Name, name(i)) || !bytes.HasPrefix(item.Body, name(i))) {
					t.Errorf("%s: is %q %q", name(i), item.Name, item.Body)
					return
				}
				if item, ok := table.At(uint32(i)); ok && !bytes.HasPrefix(item.Body, item.Name) {
					t.Errorf("number %d: is %q %q", i, item.Name, item.Body)
					return
				}
				if item, ok := table.After(uint32(i)); ok {
					item.Entry.Words[1].Add(1)
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(3, 4))
	for version := range uint64(30_000) {
		i := random.IntN(names)
		if i%10 != 0 && random.IntN(4) == 0 {
			table.Delete(name(i))
		} else {
			table.Put(name(i), body(i, version)).Entry.State.Store(version)
		}
	}
	stop.Store(true)
	readers.Wait()
}

func TestFindAllocatesNothing(t *testing.T) {
	var table Table
	for i := range 1000 {
		table.Put(name(i), []byte("body"))
	}
	known, unknown := name(500), name(5000)
	if n := testing.AllocsPerRun(1000, func() {
		_, ok := table.Find(known)
		_, no := table.Find(unknown)
		if !ok || no {
			t.Fatal(ok, no)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFind(b *testing.B) {
	for _, size := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var table Table
			body := make([]byte, 39) // a secret of 32 characters, and when it was made
			for i := range size {
				table.Put(name(i), body)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			names := make([][]byte, 1<<16)
			for i := range names {
				names[i] = name(rand.IntN(size))
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				for i := rand.IntN(1 << 16); p.Next(); i++ {
					if _, ok := table.Find(names[i&(1<<16-1)]); !ok {
						b.Error("lost")
					}
				}
			})
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(size), "B/record")
		})
	}
}
