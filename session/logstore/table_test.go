package logstore

import (
	"maps"
	"math"
	"testing"

	"pgregory.net/rapid"

	"sampan/session"
	"sampan/session/wal"
)

// drawInfo draws an entry, often with the largest numbers that it can have, and beyond.
func drawInfo(t *rapid.T, segment uint32) info {
	return info{
		pos:  wal.At(segment-rapid.Uint32Range(0, 1<<22).Draw(t, "segment"), rapid.Uint32().Draw(t, "offset")&^7),
		size: rapid.OneOf(rapid.IntRange(4, 300), rapid.IntRange(4, 268435460)).Draw(t, "size"),
		expires: session.Time(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1<<40, 1<<40+1000), rapid.Int64(),
			rapid.Int64Range(1<<40, 1<<40+1<<36)).Draw(t, "expires")),
		waiting: rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(manyWaiting-2, manyWaiting+2), rapid.IntRange(1, 1<<24)).Draw(t, "waiting"),
	}
}

// TestTableAgainstMap drives a table and a map through the same random calls.
func TestTableAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x table
		x.init()
		const segment = math.MaxUint32 - 1<<20
		x.near.Store(segment)
		model := map[session.Ref]info{}
		var next session.Ref
		some := func(t *rapid.T) session.Ref {
			if len(model) == 0 {
				t.Skip()
			}
			r := session.Ref(rapid.IntRange(1, int(next)).Draw(t, "ref"))
			for ; model[r].waiting == 0; r = r%next + 1 {
			}
			return r
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(t, "n") {
					next += session.Ref(rapid.SampledFrom([]int{1, 1, 1, 2, 70}).Draw(t, "gap"))
					model[next] = drawInfo(t, segment)
					x.put(next, model[next])
				}
			},
			"count": func(t *rapid.T) {
				r := some(t)
				m := model[r]
				by := rapid.SampledFrom([]int{-1, 1}).Draw(t, "by")
				if got := x.count(r, by); got != m.size {
					t.Fatalf("size %d, want %d", got, m.size)
				}
				if m.waiting += by; m.waiting == 0 {
					delete(model, r)
				} else {
					model[r] = m
				}
			},
			"forget": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 100).Draw(t, "n")) {
					r := some(t)
					if x.count(r, -model[r].waiting); x.count(r, -1) != 0 {
						t.Fatal("it was not forgotten")
					}
					delete(model, r)
				}
			},
			"move": func(t *rapid.T) {
				r := some(t)
				m := model[r]
				to := drawInfo(t, segment).pos
				add := func() (wal.Pos, error) { return to, nil }
				if moved, _ := x.move(r, m.pos+8, add); moved {
					t.Fatal("moved from where it was not")
				}
				if moved, _ := x.move(r, m.pos, add); !moved {
					t.Fatal("not moved")
				}
				m.pos = to
				model[r] = m
			},
			"": func(t *rapid.T) {
				size := tableSize{messages: len(model)}
				live := map[uint32]int64{}
				for r, want := range model {
					if got, ok := x.get(r); !ok || got != want {
						t.Fatalf("message %d is %+v, want %+v", r, got, want)
					}
					size.bytes += int64(want.size)
					live[want.pos.Segment()] += int64(want.size)
				}
				if _, ok := x.get(next + 1); ok {
					t.Fatal("there is a message that was not put")
				}
				got := x.size()
				if size.memory = got.memory; got != size {
					t.Fatalf("got %+v, want %+v", got, size)
				}
				if !maps.Equal(x.live(), live) {
					t.Fatalf("live: got %v, want %v", x.live(), live)
				}
			},
		})
		for r, m := range model {
			x.count(r, -m.waiting)
		}
		if s := x.size(); s.messages != 0 || s.bytes != 0 || s.memory > tableParts*(pageEntries*entryBytes) {
			t.Fatalf("empty, it holds %+v", s)
		}
		for i := range x.parts {
			if p := &x.parts[i]; len(p.pages)+len(p.extras)+len(p.live) > 0 {
				t.Fatalf("empty, part %d holds %+v", i, p)
			}
		}
	})
}

func TestLonelyMessagesDoNotKeepPages(t *testing.T) {
	var x table
	x.init()
	const n = 64 * 1000
	for r := session.Ref(1); r <= n; r++ {
		x.put(r, info{pos: wal.At(1, 4096), size: 10, waiting: 1})
	}
	for r := session.Ref(1); r <= n; r++ {
		if r%100 != 0 {
			x.release(r)
		}
	}
	if s := x.size(); s.messages != n/100 || s.memory > int64(s.messages)*2*(pageBytes+4*entryBytes) {
		t.Fatalf("%d messages take %d bytes", s.messages, s.memory)
	}
}
