package block

import (
	"bytes"
	"testing"
)

func TestGet(t *testing.T) {
	cases := []struct{ n, want int }{
		{0, Small}, {1, Small}, {Small, Small}, {Small + 1, Medium}, {Medium, Medium}, {Medium + 1, Chunk},
		{Chunk, Chunk}, {Chunk + 1, Large}, {Large, Large}, {Large + 1, Large + 1}, {3 * Large, 3 * Large},
	}
	for range 3 { // new, and used before
		for _, c := range cases {
			b := Get(c.n)
			if len(b) != c.want || cap(b) != c.want {
				t.Errorf("Get(%d) has %d bytes and room for %d, want %d", c.n, len(b), cap(b), c.want)
			}
			Put(b[:c.n])
		}
	}
	Put(nil)
	Put(make([]byte, 10))
	Put(Get(Small)[1:]) // cut at its front: never lent again
	if b := Get(Small); cap(b) != Small {
		t.Errorf("a block that was cut was lent again: room for %d", cap(b))
	}
}

// A block has one owner: what was lent twice is two blocks.
func TestBlocksAreNotShared(t *testing.T) {
	var lent [][]byte
	for i := range 50 {
		b := Get(100)
		for j := range b {
			b[j] = byte(i)
		}
		lent = append(lent, b)
		if i%3 == 0 {
			Put(lent[0])
			lent = lent[1:]
		}
	}
	for _, b := range lent {
		if !bytes.Equal(b, bytes.Repeat(b[:1], len(b))) {
			t.Fatal("two owners wrote into one block")
		}
	}
}

func TestGrow(t *testing.T) {
	b := append(Get(10)[:0], "hello"...)
	if same := Grow(b, Small-5); &same[0] != &b[0] {
		t.Error("a block was exchanged although there was room")
	}
	for _, more := range []int{Small, Medium, Chunk, Large, 2 * Large} {
		b = Grow(b, more)
		if string(b) != "hello" || cap(b)-len(b) < more {
			t.Fatalf("Grow(%d): %q with room for %d more", more, b, cap(b)-len(b))
		}
	}
	// Beyond the largest size a block doubles, so that appending stays cheap.
	b = Get(2 * Large)
	grown := Grow(b, 1)
	if cap(grown) < 2*cap(b) {
		t.Errorf("from %d to %d bytes", cap(b), cap(grown))
	}
}

func TestLendingDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector a sync.Pool forgets on purpose")
	}
	for _, n := range []int{Small, Medium, Chunk, Large} {
		Put(Get(n))
		if a := testing.AllocsPerRun(100, func() { Put(Get(n)) }); a != 0 {
			t.Errorf("a block of %d bytes: %v allocations", n, a)
		}
	}
}
