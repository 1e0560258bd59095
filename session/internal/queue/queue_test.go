package queue

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sampan/session"
)

// TestQueueAgainstSlice drives a queue and a plain slice through the same random calls.
func TestQueueAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q Queue
		var model []Place
		var next session.Ref
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(t, "n") {
					next += session.Ref(rapid.IntRange(1, 3).Draw(t, "gap"))
					if !q.Push(At(next, 0)) || q.Push(At(next, 0)) {
						t.Fatal("a message was queued twice or not at all")
					}
					model = append(model, At(next, 0))
				}
			},
			"shift": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 300).Draw(t, "n")) {
					r := model[0].Ref()
					if !q.Remove(r) || q.Remove(r) {
						t.Fatal("the first message was removed twice or not at all")
					}
					model = model[1:]
				}
			},
			"remove": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 50).Draw(t, "n")) {
					i := rapid.IntRange(0, len(model)-1).Draw(t, "at")
					if !q.Remove(model[i].Ref()) {
						t.Fatal("not removed")
					}
					model = slices.Delete(model, i, i+1)
				}
			},
			"pop": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 300).Draw(t, "n")) {
					if !q.Remove(model[len(model)-1].Ref()) {
						t.Fatal("the last message was not removed")
					}
					model = model[:len(model)-1]
				}
			},
			"send": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "at")
				model[i] = At(model[i].Ref(), rapid.Uint16().Draw(t, "id"))
				q.Sent(model[i].Ref(), model[i].PacketID())
			},
			"": func(t *rapid.T) {
				after := session.Ref(rapid.IntRange(0, int(next)).Draw(t, "after"))
				var want, got []Place
				for _, p := range model {
					if p.Ref() > after {
						want = append(want, p)
					}
				}
				for _, p := range q.Behind(after) {
					if !p.Empty() {
						got = append(got, p)
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("behind %d: got %v, want %v", after, got, want)
				}
				if q.Len() != len(model) {
					t.Fatalf("length %d, want %d", q.Len(), len(model))
				}
				if c := q.Cap(); c > max(2*len(model), 2*smallQueue) {
					t.Fatalf("%d places for %d messages", c, len(model))
				}
			},
		})
	})
}

func TestPlaceKeepsItsLargestNumbers(t *testing.T) {
	p := At(MaxRef, 65535)
	if p.Ref() != MaxRef || p.PacketID() != 65535 || p.Empty() || !(p | hole).Empty() || (p|hole).Ref() != MaxRef {
		t.Fatalf("%x", uint64(p))
	}
}

// A queue from whose head as many leave as come to its end takes no new memory.
func TestSteadyQueueDoesNotGrow(t *testing.T) {
	var q Queue
	next := session.Ref(0)
	step := func() {
		next++
		q.Push(At(next, 0))
		if next > 100 {
			q.Remove(next - 100)
		}
	}
	for range 1000 {
		step()
	}
	if n := testing.AllocsPerRun(10000, step); n != 0 {
		t.Fatalf("%v allocations a message", n)
	}
}
