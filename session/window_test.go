package session

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Identifiers go round at 65,535 and skip those that a client keeps unacknowledged [MQTT-2.3.1-4].
func TestIdentifiersGoRoundPastAnOldMessage(t *testing.T) {
	for _, held := range [][]uint16{{1}, {65535}, {1, 2, 3}, {7, 300, 65534, 65535}} {
		var w window
		kept := map[uint16]bool{}
		last := uint16(0)
		for range 3*maxIDs + 100 {
			id := w.push(entry{})
			if id == 0 || kept[id] {
				t.Fatalf("hold %v: identifier %d was given while in flight or is 0", held, id)
			}
			want := last + 1
			for want == 0 || kept[want] {
				want++
			}
			if id != want {
				t.Fatalf("hold %v: identifier %d after %d, want %d", held, id, last, want)
			}
			last = id
			if slices.Contains(held, id) {
				kept[id] = true
				continue
			}
			if _, ok := w.ack(id); !ok {
				t.Fatalf("hold %v: ack(%d): not in flight", held, id)
			}
		}
		if w.unacked != len(held) || len(w.slots) > 16 {
			t.Fatalf("hold %v: %d in flight in %d slots", held, w.unacked, len(w.slots))
		}
		for _, id := range held {
			if _, ok := w.ack(id); !ok {
				t.Fatalf("hold %v: ack(%d): not in flight", held, id)
			}
		}
		if w.n != 0 || w.unacked != 0 || w.used != nil {
			t.Fatalf("hold %v: the empty window is %+v", held, w)
		}
	}
}

// Every identifier in use at once, acknowledged in a random order and given again.
func TestAllIdentifiersInFlight(t *testing.T) {
	var w window
	inFlight := make([]uint16, 0, maxIDs)
	for range maxIDs {
		inFlight = append(inFlight, w.push(entry{}))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		i := r.IntN(len(inFlight))
		id := inFlight[i]
		if _, ok := w.ack(id); !ok {
			t.Fatalf("ack(%d): not in flight", id)
		}
		if _, ok := w.ack(id); ok {
			t.Fatalf("second ack(%d) found it", id)
		}
		if got := w.push(entry{}); got != id {
			t.Fatalf("push gave %d, but only %d was free", got, id)
		}
	}
	for _, id := range inFlight {
		if _, ok := w.ack(id); !ok {
			t.Fatalf("ack(%d): not in flight", id)
		}
	}
	if w.n != 0 || w.unacked != 0 {
		t.Fatalf("%d slots, %d in flight in an empty window", w.n, w.unacked)
	}
}

// An identifier that is acknowledged and given again a lap later, while its old place is still in the ring.
func TestIdentifierGivenAgainWhileItsPlaceIsKept(t *testing.T) {
	var w window
	for range 40_000 { // a ring of 65,536
		w.push(entry{})
	}
	for id := uint16(2); id <= 40_000; id++ {
		w.ack(id)
	}
	for w.last != 1<<16-1 {
		w.ack(w.push(entry{}))
	}
	id := w.push(entry{ref: 9}) // 1 is held, so 2
	if id != 2 {
		t.Fatalf("the next identifier is %d, want 2", id)
	}
	if s := w.find(2); s == nil || s.e.ref != 9 {
		t.Fatalf("identifier 2 is in flight but find says %v", s)
	}
	for range maxIDs - 3 {
		next := w.push(entry{})
		if next == 1 || next == 2 {
			t.Fatalf("identifier %d was given while in flight", next)
		}
		w.ack(next)
	}
	if e, ok := w.ack(2); !ok || e.ref != 9 {
		t.Fatalf("ack(2): %v %v", e, ok)
	}
}

// Identifiers restored in an order that has gone round more than once.
func TestRestoredIdentifiersAreNotGivenAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		ids := rapid.SliceOfNDistinct(rapid.Uint16Range(65400, 65535), 1, 60, rapid.ID[uint16]).Draw(t, "ids")
		more := rapid.SliceOfNDistinct(rapid.Uint16Range(1, 60), 0, 60, rapid.ID[uint16]).Draw(t, "more")
		ids = append(ids, more...)
		inFlight := map[uint16]bool{}
		for _, id := range ids {
			w.pushAs(entry{}, id)
			inFlight[id] = true
		}
		for range rapid.IntRange(1, 300).Draw(t, "n") {
			id := w.push(entry{})
			if id == 0 || inFlight[id] {
				t.Fatalf("restored %v: identifier %d is 0 or in flight", ids, id)
			}
			inFlight[id] = true
		}
		for id := range inFlight {
			if _, ok := w.ack(id); !ok {
				t.Fatalf("restored %v: ack(%d): not in flight", ids, id)
			}
		}
	})
}

// TestWindowAgainstMap drives a window near the end of the numbers and a map through the same random calls.
func TestWindowAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := window{last: rapid.Uint16Range(65500, 65535).Draw(t, "last")}
		var order []uint16
		refs := map[uint16]Ref{}
		next := Ref(0)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "n") {
					next++
					id := w.push(entry{ref: next})
					if _, used := refs[id]; used || id == 0 {
						t.Fatalf("identifier %d is 0 or in flight", id)
					}
					refs[id] = next
					order = append(order, id)
				}
			},
			"many": func(t *rapid.T) { // come round
				if rapid.IntRange(0, 99).Draw(t, "really") != 33 { // it takes long
					t.Skip()
				}
				for range maxIDs - len(order) - rapid.IntRange(0, 40).Draw(t, "short") {
					id := w.push(entry{})
					if _, used := refs[id]; used {
						t.Fatalf("identifier %d is in flight", id)
					}
					w.ack(id)
				}
			},
			"ack": func(t *rapid.T) {
				if len(order) == 0 {
					t.Skip()
				}
				for range min(len(order), rapid.IntRange(1, 20).Draw(t, "n")) {
					i := rapid.IntRange(0, len(order)-1).Draw(t, "i")
					id := order[i]
					e, ok := w.ack(id)
					if !ok || e.ref != refs[id] {
						t.Fatalf("ack(%d): %v %v, want %v", id, e.ref, ok, refs[id])
					}
					delete(refs, id)
					order = slices.Delete(order, i, i+1)
				}
			},
			"": func(t *rapid.T) {
				var got []uint16
				for i := range w.n {
					if s := w.at(i); !s.acked {
						got = append(got, s.id)
					}
				}
				if !slices.Equal(got, order) || w.unacked != len(order) {
					t.Fatalf("in flight %v (%d), want %v", got, w.unacked, order)
				}
				if w.n > 0 && w.at(0).acked {
					t.Fatal("the oldest slot is acknowledged")
				}
			},
		})
	})
}
