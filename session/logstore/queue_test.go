package logstore

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sampan/session"
)

// TestQueueAgainstSlice drives a queue and a plain slice through the same random calls.
func TestQueueAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model []place
		var next session.Ref
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(t, "n") {
					next += session.Ref(rapid.IntRange(1, 3).Draw(t, "gap"))
					if !q.push(placeOf(next, 0)) || q.push(placeOf(next, 0)) {
						t.Fatal("a message was queued twice or not at all")
					}
					model = append(model, placeOf(next, 0))
				}
			},
			"shift": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 300).Draw(t, "n")) {
					r := model[0].ref()
					if !q.remove(r) || q.remove(r) {
						t.Fatal("the first message was removed twice or not at all")
					}
					model = model[1:]
				}
			},
			"remove": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 50).Draw(t, "n")) {
					i := rapid.IntRange(0, len(model)-1).Draw(t, "at")
					if !q.remove(model[i].ref()) {
						t.Fatal("not removed")
					}
					model = slices.Delete(model, i, i+1)
				}
			},
			"send": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "at")
				model[i] = placeOf(model[i].ref(), rapid.Uint16().Draw(t, "id"))
				q.sent(model[i].ref(), uint16(model[i]))
			},
			"": func(t *rapid.T) {
				after := session.Ref(rapid.IntRange(0, int(next)).Draw(t, "after"))
				var want, got []place
				for _, p := range model {
					if p.ref() > after {
						want = append(want, p)
					}
				}
				for _, p := range q.behind(after) {
					if !p.empty() {
						got = append(got, p)
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("behind %d: got %v, want %v", after, got, want)
				}
				if q.len() != len(model) {
					t.Fatalf("length %d, want %d", q.len(), len(model))
				}
				if c := cap(q.places); c > 3*len(model)+2*smallQueue {
					t.Fatalf("%d places for %d messages", c, len(model))
				}
			},
		})
	})
}

func TestPlaceKeepsItsLargestNumbers(t *testing.T) {
	p := placeOf(maxRef, 65535)
	if p.ref() != maxRef || uint16(p) != 65535 || p.empty() || !(p | hole).empty() || (p|hole).ref() != maxRef {
		t.Fatalf("%x", uint64(p))
	}
}
