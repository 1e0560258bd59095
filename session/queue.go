package session

// entry is one place in a session's queue or window: a message, or the name of a stored one that is not
// held in memory at the moment. It is all the memory that a waiting message costs its session: 24 bytes.
type entry struct {
	m    *Message
	ref  Ref
	size int32
}

// unreadable stands for a message that its store has lost.
var unreadable = new(Message)

// held reports whether the entry keeps its message in memory.
func (e *entry) held() bool { return e.m != nil && e.m != unreadable }

// queue is a FIFO of entries in a ring that grows, and shrinks when it has become empty.
type queue struct {
	ring []entry // length a power of two
	head int
	n    int
}

func (q *queue) at(i int) *entry { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *queue) push(e entry) {
	if q.n == len(q.ring) {
		next := make([]entry, max(4, 2*len(q.ring)))
		for i := range q.n {
			next[i] = *q.at(i)
		}
		q.ring, q.head = next, 0
	}
	q.n++
	*q.at(q.n - 1) = e
}

// keepRing is the size up to which an empty queue keeps its ring.
const keepRing = 64

func (q *queue) pop() entry {
	e := q.at(0)
	out := *e
	*e = entry{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	if q.n--; q.n == 0 && len(q.ring) > keepRing {
		q.ring, q.head = nil, 0
	}
	return out
}
