package session

// entry is one place in a session's queue or window: a message, or the name of a stored one that is not
// held in memory at the moment. It is all the memory that a waiting message costs its session: 24 bytes.
type entry struct {
	m    *Message
	ref  Ref
	size int32
}

// unreadable stands for a message that its store has lost, or that is not to be read any more.
var unreadable = new(Message)

// held reports whether the entry keeps a message in memory that the store could read back.
func (e *entry) held() bool { return e.ref != 0 && e.m != nil && e.m != unreadable }

// stored is the entry without its message, if the store can read that back.
func (e entry) stored() entry {
	if e.ref != 0 {
		e.m = nil
	}
	return e
}

// queue is a FIFO of entries in a ring that grows by a quarter, and shrinks as it empties, so that little of a
// long one is unused.
type queue struct {
	ring []entry
	head int // index in ring of the first
	n    int
}

// at returns the entry at place i of the queue, 0 to n-1.
func (q *queue) at(i int) *entry {
	if i += q.head; i >= len(q.ring) {
		i -= len(q.ring)
	}
	return &q.ring[i]
}

// smallRing is the size up to which a ring doubles, and is kept when it has become empty.
const smallRing = 64

func (q *queue) push(e entry) {
	if size := len(q.ring); q.n == size {
		if size < smallRing {
			size = max(4, 2*size)
		} else {
			size += size / 4
		}
		q.resize(size)
	}
	q.n++
	*q.at(q.n - 1) = e
}

func (q *queue) pop() entry {
	e := q.at(0)
	out := *e
	*e = entry{}
	if q.head++; q.head == len(q.ring) {
		q.head = 0
	}
	if q.n--; len(q.ring) > smallRing {
		if q.n == 0 {
			q.resize(0)
		} else if q.n <= len(q.ring)/4 {
			q.resize(len(q.ring) / 2)
		}
	}
	return out
}

// fit gives back what a long queue has no use for while nothing is taken from it.
func (q *queue) fit() {
	if len(q.ring) > smallRing && q.n < len(q.ring)*3/4 {
		q.resize(q.n)
	}
}

// resize moves the entries to a ring of another size, at least n.
func (q *queue) resize(size int) {
	var next []entry
	if size > 0 {
		next = make([]entry, size)
	}
	for i := range q.n {
		next[i] = *q.at(i)
	}
	q.ring, q.head = next, 0
}
