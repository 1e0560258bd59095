// Package block lends byte slices of a few fixed sizes. A block has one owner at a time: whoever got it
// puts it back once, or drops it for the garbage collector.
package block

import "sync"

// The sizes in which blocks are lent.
const (
	Small  = 512
	Medium = 4 << 10
	Chunk  = 64 << 10 // one read from a busy socket
	Large  = 512 << 10
)

var sizes = [...]int{Small, Medium, Chunk, Large}

var pools [len(sizes)]sync.Pool

// header keeps a pooled slice without allocating a slice header at each Put.
type header struct{ b []byte }

var headers = sync.Pool{New: func() any { return new(header) }}

// Get returns a block of at least n bytes; its length is its capacity. Above Large it is allocated and
// will not be pooled.
func Get(n int) []byte {
	for i, size := range sizes {
		if n <= size {
			if h, _ := pools[i].Get().(*header); h != nil {
				b := h.b
				h.b = nil
				headers.Put(h)
				return b
			}
			return make([]byte, size)
		}
	}
	return make([]byte, n)
}

// Put gives a block back. A slice that did not come from Get, or that was cut at its front, is ignored.
func Put(b []byte) {
	for i, size := range sizes {
		if cap(b) == size {
			h := headers.Get().(*header)
			h.b = b[:size]
			pools[i].Put(h)
			return
		}
	}
}

// Grow returns a block that holds the bytes of b and has room for n more behind them, and takes b back if
// it had to be exchanged. The length stays that of b.
func Grow(b []byte, n int) []byte {
	need := len(b) + n
	if need <= cap(b) {
		return b
	}
	if need > Large {
		need = max(need, 2*cap(b))
	}
	next := Get(need)[:len(b)]
	copy(next, b)
	Put(b)
	return next
}
