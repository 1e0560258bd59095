package broker

import (
	"slices"
	"sync"

	"sampan/packet"
)

// answers is the acknowledgements of one client that wait for the store. They go out in their order.
type answers struct {
	mu       sync.Mutex
	waiting  int
	messages int           // that they acknowledge
	below    chan struct{} // closed when there are few again; nil: nobody waits for that
	closed   bool
}

// maxAnswers is how many chunks' acknowledgements may wait for the store before the client is no longer
// read from.
const maxAnswers = 128

// tooMany reports whether too much waits for the store: answers, or messages without their acknowledgement,
// unless most is 0.
func (a *answers) tooMany(most int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over(most)
}

// over is called with mu held.
func (a *answers) over(most int) bool {
	return !a.closed && (a.waiting >= maxAnswers || most != 0 && a.messages >= most)
}

// waitForStore holds up the client's reader while there are too many.
func (a *answers) waitForStore(most int) {
	a.mu.Lock()
	if !a.over(most) {
		a.mu.Unlock()
		return
	}
	if a.below == nil {
		a.below = make(chan struct{})
	}
	below := a.below
	a.mu.Unlock()
	<-below
}

// release lets the reader go when the connection ends.
func (a *answers) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.wake()
}

// wake is called with mu held.
func (a *answers) wake() {
	if a.below != nil {
		close(a.below)
		a.below = nil
	}
}

// enter reports whether an answer that acknowledges messages must wait, and if so counts it.
func (a *answers) enter(stored bool, messages int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !stored && a.waiting == 0 {
		return false
	}
	a.waiting++
	a.messages += messages
	return true
}

// leave counts an answer that has gone out.
func (a *answers) leave(messages, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting--
	a.messages -= messages
	if a.waiting <= maxAnswers/2 && (most == 0 || a.messages < most) {
		a.wake()
	}
}

// acknowledge queues the PUBACKs of a chunk, in the order of the PUBLISH packets [MQTT-4.6.0-2]. If the
// store has taken note of any of the messages they go out when the store says that it holds.
func (c *conn) acknowledge(w *work) {
	if len(w.acks) == 0 {
		return
	}
	w.scratch = w.scratch[:0]
	for _, id := range w.acks {
		w.scratch = packet.AppendPuback(w.scratch, id)
	}
	c.answer(w.scratch, w.stored, len(w.acks), &w.batch)
}

// answer sends a packet to the client: at once, or, if the store has noted something that it acknowledges,
// when that holds. An answer never overtakes another. p is copied if it has to wait. messages is how many it
// acknowledges.
func (c *conn) answer(p []byte, stored bool, messages int, from *batch) {
	if !c.answers.enter(stored, messages) {
		c.out.control(p, from)
		return
	}
	p = slices.Clone(p)
	c.broker.store.Sync(func(err error) {
		if err != nil {
			c.broker.storeFailed(err)
			c.stop(&ending{reason: StoreFailed, detail: err.Error()})
			return
		}
		w := works.Get().(*work)
		c.out.control(p, &w.batch)
		w.batch.flush()
		works.Put(w)
		c.answers.leave(messages, c.mostUnacknowledged())
	})
}
