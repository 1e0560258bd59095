package memstore

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
		var model []session.Stored
		var next session.Ref
		m := session.NewMessage([]byte("a"), nil, 7)
		pick := func(t *rapid.T) int { return rapid.IntRange(0, len(model)-1).Draw(t, "at") }
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 50).Draw(t, "n") {
					next += session.Ref(rapid.IntRange(1, 3).Draw(t, "gap"))
					if !q.push(next, m) || q.push(next, m) {
						t.Fatal("a message was queued twice or not at all")
					}
					model = append(model, session.Stored{Ref: next, Size: m.Size(), Expires: 7})
				}
			},
			"shift": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 60).Draw(t, "n")) {
					if !q.remove(model[0].Ref) || q.remove(model[0].Ref) {
						t.Fatal("the first message was removed twice or not at all")
					}
					model = model[1:]
				}
			},
			"remove": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				i := pick(t)
				if !q.remove(model[i].Ref) {
					t.Fatal("not removed")
				}
				model = slices.Delete(model, i, i+1)
			},
			"send": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				i := pick(t)
				model[i].PacketID = rapid.Uint16().Draw(t, "id")
				q.sent(model[i].Ref, model[i].PacketID)
			},
			"": func(t *rapid.T) {
				after := rapid.IntRange(0, int(next)).Draw(t, "after")
				want := model
				for len(want) > 0 && want[0].Ref <= session.Ref(after) {
					want = want[1:]
				}
				got := make([]session.Stored, len(want)+1)
				got = got[:q.list(session.Ref(after), got)]
				if !slices.Equal(got, want) {
					t.Fatalf("behind %d: got %v, want %v", after, got, want)
				}
				if c := cap(q.places); c > 4*len(model)+64 && c > 4*smallQueue {
					t.Fatalf("%d places for %d messages", c, len(model))
				}
			},
		})
	})
}

func TestSteadyQueueDoesNotGrow(t *testing.T) {
	var q queue
	m := session.NewMessage([]byte("a"), nil, 0)
	next := session.Ref(0)
	step := func() {
		next++
		q.push(next, m)
		if next > 100 {
			q.remove(next - 100)
		}
	}
	for range 1000 {
		step()
	}
	if n := testing.AllocsPerRun(10000, step); n != 0 {
		t.Fatalf("%v allocations a message", n)
	}
}
