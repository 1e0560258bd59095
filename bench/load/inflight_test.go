package load

import (
	"testing"

	"pgregory.net/rapid"
)

// TestInflightAgainstMap acknowledges in any order, beyond the wrap of the
// identifiers, and compares with a map.
func TestInflightAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint64Range(0, 3*identifiers).Draw(t, "first")
		f := inflight{oldest: first, next: first}
		model := map[uint16]int64{}
		var ids []uint16
		for step := range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "what") > 0 || len(ids) == 0 {
				id := f.add(nil, int64(step))
				if _, used := model[id]; used || id == 0 {
					t.Fatalf("identifier %d is in use or 0", id)
				}
				model[id] = int64(step)
				ids = append(ids, id)
				continue
			}
			// Often the oldest, else any, and sometimes one that is not there.
			i := 0
			if rapid.Bool().Draw(t, "any") {
				i = rapid.IntRange(0, len(ids)-1).Draw(t, "which")
			}
			id := ids[i]
			ids = append(ids[:i:i], ids[i+1:]...)
			got, ok := f.ack(id)
			if !ok || got.sent != model[id] {
				t.Fatalf("ack of %d gave %+v %v, want %d", id, got, ok, model[id])
			}
			delete(model, id)
			if _, ok := f.ack(id); ok {
				t.Fatalf("%d acknowledged twice", id)
			}
		}
		if _, ok := f.ack(0); ok {
			t.Fatal("identifier 0 acknowledged")
		}
		if len(model) == 0 && f.len() != 0 {
			t.Fatalf("%d on their way, want none", f.len())
		}
	})
}
