package broker

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sampan/broker/internal/block"
	"sampan/broker/internal/netx"
)

// outbound is what waits for one client's socket.
//
// At any time at most one goroutine writes to the socket: it has claimed the outbound. A publisher's
// goroutine claims it with the first bytes it has for the client and flushes it once, when everything it
// has read is routed; until then its bytes may be shared, lying in the publisher's own chunk. Others who
// have bytes meanwhile copy them behind, and the claimer sends them too. If the socket does not take
// everything, the rest is copied and the claim passes to the connection's writer goroutine, which waits for
// the socket so that nobody else has to. No lock is held during a write.
type outbound struct {
	socket  netx.Conn // changed once, with mu held, before anything is written
	broker  *Broker
	stalled atomic.Bool // a write took too long: the client is a slow consumer

	mu       sync.Mutex // guards everything below; innermost of all locks
	claim    claim
	owner    *batch    // who has claimed it, if claim is claimed
	borrowed [2][]byte // views into the owner's chunk, to be sent before pending
	views    int       // how many of borrowed are in use
	pending  []byte    // block: bytes behind borrowed
	rest     []byte    // what the writer goroutine is writing
	pace     WriteQuota
	paused   int64 // until then nothing is written, in the ticker's nanoseconds
	waiting  int   // bytes in pending and rest
	shared   int   // of these, how many count in Broker.outboundBytes
	starved  bool  // QoS 1 messages wait in the session for room here
	closed   bool
	closing  bool   // close it when everything is written
	keepOpen bool   // but not the socket
	before   func() // called before that, or nil
	writing  bool   // the writer goroutine was started
	wake     chan struct{}
	roomMade func()        // called by the writer goroutine when there is room again
	drained  chan struct{} // closed when what waits has gone below half; nil: nobody waits for that
}

// claim says who may write to the socket.
type claim uint8

const (
	idle    claim = iota // nobody; nothing waits
	claimed              // a goroutine that will flush
	handed               // the writer goroutine
)

// batch is the outbounds that one goroutine has claimed and will flush.
type batch struct {
	turn    *netx.Turn // if the goroutine is the poller's: who waits for something leaves it before
	conn    *conn      // whose chunk is handled, or nil
	spent   int        // on deliveries in this turn
	touched []*outbound
	bufs    [][]byte
}

// leave is called before the goroutine waits for something: it holds up neither the poller's other connections nor
// other clients, whose outbounds it has claimed. What its own client is answered comes after the wait; and a client whose
// session the store is to keep waits for that with its own outbound claimed. No lock is held.
func (b *batch) leave() {
	var own *outbound
	if b.conn != nil {
		own = &b.conn.out
	}
	b.flushBut(own)
	b.stay()
}

// stay is leave for who has flushed.
func (b *batch) stay() {
	if b.conn != nil {
		b.conn.busy.Store(true)
	}
	b.turn.Leave()
}

// longTurn is how many deliveries, each some microseconds with its write, one client's chunk may lead to before other
// clients' turn is not made to wait for the rest.
const longTurn = 512

// spend accounts n deliveries.
func (b *batch) spend(n int) {
	if b.spent += n; b.spent > longTurn {
		b.turn.Leave()
	}
}

// room reports whether n more bytes may wait. Called with mu held.
func (o *outbound) room(n int) bool {
	if o.claim == handed && o.waiting > 0 { // one message always, or those who wait for others would wait in vain
		return o.waiting+n <= o.broker.opts.OutboundBytes &&
			o.broker.outboundBytes.Load()+int64(n) <= int64(o.broker.opts.OutboundTotalBytes)
	}
	return o.waiting+n <= max(o.broker.opts.OutboundBytes, n)
}

// take makes the caller's batch the owner if nobody is. Called with mu held.
func (o *outbound) take(b *batch) {
	if o.claim == idle {
		o.claim, o.owner = claimed, b
		b.touched = append(b.touched, o)
	}
}

// lend queues p, a view that stays as it is until the batch is flushed. It reports whether there was room.
// Called with mu held.
func (o *outbound) lend(p []byte, b *batch) bool {
	o.take(b)
	if o.owner == b && len(o.pending) == 0 {
		if o.views > 0 {
			// The next frames of the same chunk continue the view.
			last := o.borrowed[o.views-1]
			if n := len(last); n+len(p) <= cap(last) && &last[:n+1][n] == &p[0] {
				o.borrowed[o.views-1] = last[:n+len(p)]
				return true
			}
		}
		if o.views < len(o.borrowed) {
			o.borrowed[o.views] = p
			o.views++
			return true
		}
	}
	if !o.room(len(p)) {
		return false
	}
	o.extend(len(p))
	o.pending = append(o.pending, p...)
	return true
}

// extend makes room for n bytes at the end of pending and accounts them; the caller appends them. Called
// with mu held.
func (o *outbound) extend(n int) {
	if o.pending == nil {
		o.pending = block.Get(max(n, block.Small))[:0]
	} else if len(o.pending)+n > cap(o.pending) {
		o.pending = block.Grow(o.pending, n)
	}
	o.waiting += n
	if o.claim == handed {
		o.shared += n
		o.broker.outboundBytes.Add(int64(n))
	}
}

// control queues the bytes of an answer to the client's own packet. There is always room: a client that
// does not read its answers is not read from either (see conn.waitForClient).
func (o *outbound) control(p []byte, b *batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.take(b)
	o.extend(len(p))
	o.pending = append(o.pending, p...)
}

// mustDrain reports whether the client does not take its answers.
func (o *outbound) mustDrain() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.full()
}

// full is called with mu held.
func (o *outbound) full() bool {
	return o.waiting > o.broker.opts.OutboundBytes && !o.closed && o.claim == handed
}

// waitForRoom holds up the client's own reader while the client does not take its answers. It returns when
// half of what waited is gone, or the connection.
func (o *outbound) waitForRoom() {
	o.mu.Lock()
	if !o.full() {
		o.mu.Unlock()
		return
	}
	if o.drained == nil {
		o.drained = make(chan struct{})
	}
	drained := o.drained
	o.mu.Unlock()
	<-drained
}

// release wakes the reader. Called with mu held.
func (o *outbound) release() {
	if o.drained != nil {
		close(o.drained)
		o.drained = nil
	}
}

// flush writes out what the batch has claimed, and leaves to the writer goroutines what sockets do not take.
func (b *batch) flush() { b.flushBut(nil) }

// flushBut leaves out one outbound, which stays claimed.
func (b *batch) flushBut(own *outbound) {
	kept := b.touched[:0]
	for _, o := range b.touched {
		if o == own {
			kept = append(kept, o)
		} else {
			b.bufs = o.flush(b.bufs[:0])
		}
	}
	clear(b.touched[len(kept):])
	b.touched = kept
	clear(b.bufs[:cap(b.bufs)])
}

// flushRounds bounds how often a publisher's goroutine writes for others who append meanwhile.
const flushRounds = 4

// flush is called by the goroutine that has the claim. bufs is scratch.
func (o *outbound) flush(bufs [][]byte) [][]byte {
	o.mu.Lock()
	for round := 0; ; round++ {
		if o.closed {
			o.discard()
			o.mu.Unlock()
			return bufs
		}
		if !o.socket.Direct() || o.starved || round == flushRounds || o.pauseLeft() > 0 {
			o.handOver(0, o.borrowed[:o.views], o.pending)
			o.mu.Unlock()
			return bufs
		}
		pending := o.pending
		bufs = append(append(bufs[:0], o.borrowed[:o.views]...), pending)
		o.borrowed, o.views, o.pending, o.waiting = [2][]byte{}, 0, nil, 0
		o.mu.Unlock()

		total := 0
		for _, p := range bufs {
			total += len(p)
		}
		n, err := o.socket.TryWrite(bufs)
		if err != nil {
			o.fail()
			n = total
		}
		o.broker.stats.bytesSent.Add(uint64(n))

		o.mu.Lock()
		o.pay(n)
		if n < total && !o.closed {
			o.handOver(n, bufs, o.pending)
			o.mu.Unlock()
			block.Put(pending)
			return bufs
		}
		if len(o.pending) == 0 && !o.starved {
			o.claim, o.owner = idle, nil
			closing := o.closing
			o.mu.Unlock()
			block.Put(pending)
			if closing {
				o.finish()
			}
			return bufs
		}
		o.mu.Unlock()
		block.Put(pending)
		o.mu.Lock()
	}
}

// handOver passes the claim to the writer goroutine, with the bytes of bufs from skip on and those of
// pending behind them. Called with mu held.
func (o *outbound) handOver(skip int, bufs [][]byte, pending []byte) {
	size := len(pending) - skip
	for _, p := range bufs {
		size += len(p)
	}
	rest := pending // a block of our own already
	if size > len(pending) {
		rest = block.Get(size)[:0]
		for _, p := range bufs {
			cut := min(skip, len(p))
			skip -= cut
			rest = append(rest, p[cut:]...)
		}
		rest = append(rest, pending...)
		block.Put(pending)
	}
	o.pending = nil
	o.rest, o.views, o.owner, o.claim = rest, 0, nil, handed
	o.borrowed = [2][]byte{}
	o.waiting = len(rest)
	o.shared = len(rest)
	o.broker.outboundBytes.Add(int64(o.shared))
	if !o.writing {
		o.writing = true
		o.wake = make(chan struct{}, 1)
		o.broker.goroutines.add()
		go o.write(o.wake)
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// write is the writer goroutine. It is started by the first handOver and ends when the outbound is closed.
func (o *outbound) write(wake <-chan struct{}) {
	defer o.broker.goroutines.done()
	for range wake {
		for o.writeRest(wake) {
		}
	}
}

// pay accounts n bytes that were written. Called with mu held, by who has the claim.
func (o *outbound) pay(n int) {
	if o.pace == nil {
		return
	}
	now := o.broker.ticker.Nanos()
	if wait := o.pace.Written(now, n); wait > 0 {
		o.paused = now + int64(wait)
	}
}

// pauseLeft is for how long nothing is to be written. Called with mu held.
func (o *outbound) pauseLeft() time.Duration {
	if o.paused == 0 {
		return 0
	}
	left := time.Duration(o.paused - o.broker.ticker.Nanos())
	if left <= 0 {
		o.paused = 0
	}
	return left
}

// sleep waits out a pause, or until the outbound is closed.
func (o *outbound) sleep(d time.Duration, wake <-chan struct{}) {
	over := make(chan struct{})
	timer := o.broker.opts.Clock.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	for {
		select {
		case <-over:
			return
		case _, open := <-wake: // whatever there is to be done will be, after the pause
			if !open {
				return
			}
		}
	}
}

// writeRest writes one piece and reports whether there is more to do for now.
func (o *outbound) writeRest(wake <-chan struct{}) bool {
	o.mu.Lock()
	if o.closed {
		o.discard()
		o.mu.Unlock()
		return false
	}
	if o.claim != handed {
		o.mu.Unlock()
		return false
	}
	if o.rest == nil {
		o.rest, o.pending = o.pending, nil
	}
	if o.waiting <= o.broker.opts.OutboundBytes/2 {
		o.release()
		if o.starved && o.room(1) {
			o.starved = false
			o.mu.Unlock()
			o.roomMade()
			return true
		}
	}
	if len(o.rest) == 0 {
		if o.rest != nil {
			block.Put(o.rest)
			o.rest = nil
		}
		o.claim = idle
		closing := o.closing
		o.mu.Unlock()
		if closing {
			o.finish()
		}
		return false
	}
	if left := o.pauseLeft(); left > 0 {
		o.mu.Unlock()
		o.sleep(left, wake)
		return true
	}
	rest := o.rest
	o.mu.Unlock()

	err := o.socket.Write(rest, o.broker.opts.WriteStall)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			o.stalled.Store(true)
		}
		o.fail()
		return true // to discard
	}
	o.broker.stats.bytesSent.Add(uint64(len(rest)))
	o.mu.Lock()
	o.pay(len(rest))
	o.rest = nil
	o.waiting -= len(rest)
	o.shared -= len(rest)
	o.mu.Unlock()
	o.broker.outboundBytes.Add(-int64(len(rest)))
	block.Put(rest)
	return true
}

// fail closes the outbound after a write error; the reader then finds the socket closed.
func (o *outbound) fail() {
	o.socket.Close()
	o.close()
}

// close makes the outbound refuse everything from now on. What waits is dropped by whoever has the claim.
func (o *outbound) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	o.release()
	if o.claim == idle {
		o.discard()
	}
	if o.writing {
		close(o.wake)
		o.wake = nil
		o.writing = false
	}
}

// closeAfterWrite closes the outbound once everything that waits is written, and the socket with it unless the caller
// does that; it calls before, if it is not nil, when it comes to that. It reports whether everything is written already;
// then it has done nothing.
func (o *outbound) closeAfterWrite(socketToo bool, before func()) (done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.claim == idle {
		return true
	}
	o.closing, o.keepOpen, o.before = true, !socketToo, before
	return false
}

// waitUntilClosed returns when everything is written, or will not be.
func (o *outbound) waitUntilClosed() {
	for change := o.change(); change != nil; change = o.change() {
		<-change
	}
}

// change returns a channel that is closed when there is room again, or when the outbound is closed; nil if it is.
func (o *outbound) change() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	if o.drained == nil {
		o.drained = make(chan struct{})
	}
	return o.drained
}

// finish ends an outbound that was closing and has nothing left to write.
func (o *outbound) finish() {
	o.mu.Lock()
	keepOpen, before := o.keepOpen, o.before
	o.mu.Unlock()
	if before != nil {
		before()
	}
	if keepOpen {
		o.close()
		return
	}
	o.socket.CloseWrite()
	o.close()
	o.socket.Close()
}

// discard drops everything that waits. Called with mu held.
func (o *outbound) discard() {
	if o.shared != 0 {
		o.broker.outboundBytes.Add(-int64(o.shared))
	}
	o.borrowed, o.views, o.waiting, o.shared = [2][]byte{}, 0, 0, 0
	if o.pending != nil {
		block.Put(o.pending)
	}
	if o.rest != nil {
		block.Put(o.rest)
	}
	o.pending, o.rest, o.owner, o.claim = nil, nil, nil, idle
}
