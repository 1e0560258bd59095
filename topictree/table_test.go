package topictree

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestIndexAgreesWithMap lets nodes come and go under hashes that mean little,
// so that names and parents have to tell them apart, and looks at the size of
// the table on the way up and down.
func TestIndexAgreesWithMap(t *testing.T) {
	type key struct {
		parent *node[int]
		name   string
	}
	for _, hashes := range []uint64{1, 7, 1 << 62} { // so many different ones
		var x index[int]
		want := map[key]*node[int]{}
		rng := rand.New(rand.NewPCG(1, hashes))
		parents := []*node[int]{nil, new(node[int]), new(node[int])}
		hash := func(k key) uint64 { return (uint64(len(k.name)) + uint64(k.name[0])<<32) % hashes }

		for _, crowd := range []int{5, 200, 5, 20, 0, 10} {
			for step := 0; len(want) != crowd || step < 100; step++ {
				k := key{parents[rng.IntN(3)], fmt.Sprint(rng.IntN(100))}
				switch n := want[k]; {
				case n == nil && len(want) <= crowd:
					want[k] = x.findOrPut(hash(k), k.parent, k.name, len(k.name))
				case n != nil && len(want) >= crowd:
					x.drop(hash(k), n)
					delete(want, k)
				}
				if got := lookup(&x, hash(k), k.parent, k.name); got != want[k] {
					t.Fatalf("%d hashes, %d nodes: %+v is %v, want %v", hashes, len(want), k, got, want[k])
				}
			}
			for k, n := range want {
				if got := x.findOrPut(hash(k), k.parent, k.name, len(k.name)); got != n {
					t.Fatalf("%d hashes, %d nodes: %+v is put twice", hashes, len(want), k)
				}
			}
			var st Stats
			if x.addTo(&st); st.Nodes != crowd || crowd == 0 && st.Slots != 0 || st.Slots > max(minSlots, 8*crowd) {
				t.Errorf("%d hashes, %d nodes: the table has %+v", hashes, crowd, st)
			}
		}
	}
}
