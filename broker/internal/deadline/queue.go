// Package deadline keeps many deadlines with one timer.
//
// A deadline that keeps moving away, as a keep-alive does with every packet, is not moved in the queue: when
// it comes up its owner says when it really is, and it goes back once per keep-alive instead of once per
// packet.
package deadline

import (
	"sync"
	"time"
)

// Timer is what the queue needs of a timer: time.Timer's Stop.
type Timer interface{ Stop() bool }

// Clock is where time comes from: monotonic nanoseconds, and a function called later on a goroutine of its
// own.
type Clock interface {
	Nanos() int64
	AfterFunc(d time.Duration, f func()) Timer
}

// Owner is whose deadline it is.
type Owner interface {
	// Due is called when the deadline has come, without any lock of the queue. It returns the new
	// deadline, or 0 if there is none. It must not block.
	Due(now int64) (next int64)
}

// Item is one deadline. Owner is set before the first use; an Item belongs to one Queue.
type Item struct {
	Owner Owner

	when  int64
	index int // in the heap, plus one; 0: not in the queue; negative: its Owner is being asked
}

// Queue is a set of deadlines. Its methods are safe for concurrent use.
type Queue struct {
	clock Clock

	mu     sync.Mutex // guards what follows and every Item's when and index
	heap   []*Item
	timer  Timer
	armed  int64 // when timer fires; 0: it is not running
	closed bool
	asked  int // of questions so far, negative
}

// New returns an empty queue. It starts no goroutine of its own.
func New(c Clock) *Queue { return &Queue{clock: c} }

// Set makes when the item's deadline, in the clock's nanoseconds, adding it to the queue if necessary.
func (q *Queue) Set(it *Item, when int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	it.when = when
	if it.index <= 0 {
		q.heap = append(q.heap, it)
		it.index = len(q.heap)
	}
	q.down(q.up(it.index - 1))
	q.arm()
}

// Cancel takes the item out of the queue. Its Owner's Due may still be running.
func (q *Queue) Cancel(it *Item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it.index > 0 {
		q.remove(it.index - 1)
	}
	it.index = 0
}

// Len is the number of deadlines.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.heap)
}

// Close empties the queue and stops its timer.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, it := range q.heap {
		it.index = 0
	}
	q.heap = nil
	if q.timer != nil {
		q.timer.Stop()
	}
}

// fire runs on the timer's goroutine.
func (q *Queue) fire() {
	q.mu.Lock()
	q.armed = 0
	for !q.closed && len(q.heap) > 0 {
		it, now := q.heap[0], q.clock.Nanos()
		if it.when > now {
			break
		}
		q.remove(0)
		q.asked--
		asked := q.asked
		it.index = asked
		q.mu.Unlock()
		next := it.Owner.Due(now)
		q.mu.Lock()
		if it.index != asked {
			continue // Cancel or Set in the meantime have the last word, or another question
		}
		it.index = 0
		if next != 0 && !q.closed {
			it.when = next
			q.heap = append(q.heap, it)
			it.index = len(q.heap)
			q.up(it.index - 1)
		}
	}
	q.arm()
	q.mu.Unlock()
}

// arm makes the timer fire at the first deadline, unless it fires earlier anyway.
func (q *Queue) arm() {
	if len(q.heap) == 0 || q.closed {
		return
	}
	when := q.heap[0].when
	if q.armed != 0 && q.armed <= when {
		return
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	q.armed = when
	q.timer = q.clock.AfterFunc(time.Duration(max(0, when-q.clock.Nanos())), q.fire)
}

func (q *Queue) remove(i int) {
	it, last := q.heap[i], len(q.heap)-1
	if i != last {
		q.heap[i] = q.heap[last]
		q.heap[i].index = i + 1
	}
	q.heap[last] = nil
	q.heap = q.heap[:last]
	if i != last {
		q.down(q.up(i))
	}
	it.index = 0
}

func (q *Queue) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if q.heap[parent].when <= q.heap[i].when {
			break
		}
		q.swap(i, parent)
		i = parent
	}
	return i
}

func (q *Queue) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			return
		}
		if r := child + 1; r < len(q.heap) && q.heap[r].when < q.heap[child].when {
			child = r
		}
		if q.heap[i].when <= q.heap[child].when {
			return
		}
		q.swap(i, child)
		i = child
	}
}

func (q *Queue) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].index, q.heap[j].index = i+1, j+1
}
