package session

import (
	"iter"
	"sync"
)

// Options are a session's bounds. They may differ from one connection to the next.
type Options struct {
	// Window is the number of messages in flight, 1 to 65,535. 0 means 50, the platform's number.
	Window int
	// MaxMessages and MaxBytes bound the queue, in flight messages not counted. 0 means 10,000 messages
	// and 16 MiB of PUBLISH packets.
	MaxMessages int
	MaxBytes    int64
	// DropNewest says which message is dropped when the queue is full: the new one, or (the default) the
	// oldest, so that a device that was away finds the latest news.
	DropNewest bool
	// HoldBytes is how much of what is to be sent next is held in memory, though a store has it, while a
	// connection uses the session. 0 means 64 KiB. The very next message may be larger.
	HoldBytes int
	// Budget bounds all sessions together. It must not be nil.
	Budget *Budget
}

func (o *Options) setDefaults() {
	if o.Window <= 0 {
		o.Window = 50
	}
	o.Window = min(o.Window, maxIDs)
	if o.MaxMessages <= 0 {
		o.MaxMessages = 10_000
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 16 << 20
	}
	if o.HoldBytes <= 0 {
		o.HoldBytes = 64 << 10
	}
}

// Session is one client's state [MQTT-4.1.0-1]. It is not safe for concurrent use: its owner locks it.
//
// What changes in a session that a store keeps is collected and handed to the store by Flush, which the
// owner calls before it releases its lock.
type Session struct {
	id       ID // 0: not stored, ends with its connection
	store    Store
	opts     Options
	subs     subscriptions
	window   window
	queue    queue
	bytes    int64 // of queue
	held     int   // bytes of messages held in memory that the store could read back
	doubtful Ref   // queued messages up to this one may have been sent before the store stopped
	resend   int   // window slots still to be sent again on this connection, counted from its end
	away     bool  // no connection uses the session, so there is nothing to hold messages for
	closed   bool
	changes  []Change
	counters Counters
}

// Counters are what a session has done with messages, for metrics and for the operator's question why a
// message did not arrive.
type Counters struct {
	Redelivered uint64 // sent again with DUP
	Full        uint64 // dropped because the session's queue was full
	OverBudget  uint64 // dropped because all sessions together queued too much
	Expired     uint64 // dropped because their time was up
	Lost        uint64 // dropped because the store could not read them back
}

// New returns a session that ends with its connection (CleanSession 1).
func New(o Options) *Session {
	o.setDefaults()
	s := recycled.Get().(*Session)
	s.opts = o
	return s
}

// recycled holds what Recycle was given, each like new: most connections in a storm of them have a session that
// ends a moment later.
var recycled = sync.Pool{New: func() any { return new(Session) }}

// Recycle gives back a session that is closed and flushed. Nobody may use it any more.
func (s *Session) Recycle() {
	*s = Session{}
	recycled.Put(s)
}

// Create returns a new session that store keeps (CleanSession 0) [MQTT-3.1.2-4].
func Create(store Store, identity string, o Options) (*Session, error) {
	id, err := store.Open(identity)
	if err != nil {
		return nil, err
	}
	s := New(o)
	s.id, s.store = id, store
	return s, nil
}

// Restore makes a session of what a store has recovered. Messages that were in flight are in flight again,
// under the same identifiers, in the order in which they were sent, as far as these tell [MQTT-4.6.0-1]; the order of
// the queue is the store's.
//
// If a connection used the session when the store stopped, the note that a message was sent may be lost
// although the message arrived: nothing waits for those notes. Such a session's whole queue goes out with
// DUP, since each of its messages may be a redelivery [MQTT-3.3.1-1]; also if it takes more connections, or
// more restarts, until they are all sent.
func Restore(store Store, r *Recovered, o Options) *Session {
	s := New(o)
	s.id, s.store, s.away = r.ID, store, true
	for _, sub := range r.Subscriptions {
		s.subs.set(sub.Filter, sub.QoS)
	}
	var sent []slot
	batch := make([]Stored, min(256, r.Queued+1)) // room for one more says that it was the last
	for after := Ref(0); ; {
		n := store.Queue(s.id, after, batch)
		for _, st := range batch[:n] {
			e := entry{ref: st.Ref, size: int32(st.Size)}
			if st.PacketID != 0 {
				sent = inOrder(sent, slot{e: e, id: st.PacketID})
			} else {
				s.push(e)
			}
			after = st.Ref
		}
		if n < len(batch) {
			for _, sl := range sent {
				s.Ack(sl.id) // of a damaged store: that it was acknowledged is lost, and its identifier was given again
				s.window.pushAs(sl.e, sl.id)
			}
			s.doubtful = r.Doubtful
			if r.Connected {
				s.doubtful = after
			}
			return s
		}
	}
}

// ID is the session's name in its store, or 0 if no store keeps it.
func (s *Session) ID() ID { return s.id }

// Persistent reports whether the session outlives its connection.
func (s *Session) Persistent() bool { return s.id != 0 }

// Closed reports whether Close was called.
func (s *Session) Closed() bool { return s.closed }

// SetOptions replaces the bounds, for example when a connection resumes the session. What is already
// queued beyond them stays.
func (s *Session) SetOptions(o Options) {
	o.setDefaults()
	o.Budget = s.opts.Budget
	s.opts = o
}

// Counters returns what has been counted since the last call, and starts again at zero.
func (s *Session) Counters() Counters {
	c := s.counters
	s.counters = Counters{}
	return c
}

// Subscribe notes a subscription. It reports whether the filter is new; otherwise its QoS was replaced
// [MQTT-3.8.4-3].
func (s *Session) Subscribe(filter string, qos byte) (added bool) {
	at := s.subs.find(filter)
	if at >= 0 && s.subs.list[at].QoS == qos {
		return false
	}
	s.subs.set(filter, qos)
	s.note(Change{Kind: Subscribed, Filter: filter, QoS: qos})
	return at < 0
}

// Unsubscribe removes a subscription and reports whether there was one [MQTT-3.10.4-1].
func (s *Session) Unsubscribe(filter string) bool {
	if !s.subs.remove(filter) {
		return false
	}
	s.note(Change{Kind: Unsubscribed, Filter: filter})
	return true
}

// Subscriptions yields the topic filters and their QoS, in no particular order. There must be no change
// meanwhile.
func (s *Session) Subscriptions() iter.Seq2[string, byte] { return s.subs.all() }

// Filters yields the topic filters, in no particular order. There must be no change meanwhile.
func (s *Session) Filters() iter.Seq[string] { return s.subs.filters() }

// SubscriptionCount is the number of subscriptions.
func (s *Session) SubscriptionCount() int { return len(s.subs.list) }

// Subscribed reports whether there is a subscription with exactly this filter.
func (s *Session) Subscribed(filter []byte) bool { return s.subs.find(string(filter)) >= 0 }

// Queued is the number of messages that wait and have not been sent, and their bytes.
func (s *Session) Queued() (messages int, bytes int64) { return s.queue.n, s.bytes }

// InFlight is the number of messages sent and not acknowledged.
func (s *Session) InFlight() int { return s.window.unacked }

// Waiting reports whether Next has something to send, were there room in the window.
func (s *Session) Waiting() bool { return s.queue.n > 0 || s.resend > 0 }

// Send takes a packet identifier for a message that goes out right now [MQTT-4.3.2-1]. It fails if others
// wait before it or if the window is full; then the message belongs into the queue. m may be nil in a
// session that is not Persistent: nothing will be redelivered.
func (s *Session) Send(m *Message) (id uint16, ok bool) {
	if s.window.unacked >= s.opts.Window || s.queue.n > 0 || s.resend > 0 || s.closed {
		return 0, false
	}
	var e entry
	if s.id != 0 {
		e = entry{m: m, ref: m.ref, size: int32(m.Size())}.stored()
	}
	id = s.window.push(e)
	if s.id != 0 {
		s.note(Change{Kind: Sent, Ref: e.ref, PacketID: id})
	}
	return id, true
}

// Enqueue puts a message at the end of the queue [MQTT-4.5.0-1], dropping by the session's policy what the
// bounds do not allow. Messages dropped are in Counters.
func (s *Session) Enqueue(m *Message) {
	if s.closed {
		return
	}
	e := entry{m: m, size: int32(m.Size())}
	if s.id != 0 {
		e.ref = m.ref // a clean session holds its messages itself, though others may have them stored
	}
	// A message that would not fit an empty queue must not push out those that do.
	tooLarge := int64(e.size) > s.opts.MaxBytes
	for s.queue.n >= s.opts.MaxMessages || s.bytes+int64(e.size) > s.opts.MaxBytes {
		if s.opts.DropNewest || tooLarge {
			s.counters.Full++
			s.done(e)
			return
		}
		oldest := s.pop()
		if oldest.m != unreadable {
			s.counters.Full++
		}
		s.done(oldest)
	}
	if !s.opts.Budget.room(e.size) {
		s.counters.OverBudget++
		s.done(e)
		return
	}
	if e.ref != 0 && !s.holdsAll(e.size) {
		e.m = nil // read back when its turn comes
	}
	s.push(e)
}

// holdsAll reports whether a stored message at the end of the queue may be held. There is no use in that if one
// before it has to be read back: then it only takes the room of those that come first.
func (s *Session) holdsAll(size int32) bool {
	return s.mayHold(size, false) && s.resend == 0 && (s.queue.n == 0 || s.queue.at(s.queue.n-1).m != nil)
}

// mayHold reports whether a stored message may be held. The one that is sent next may in any case: without it
// nothing would go on.
func (s *Session) mayHold(size int32, next bool) bool {
	return !s.away && (next || s.held+int(size) <= s.opts.HoldBytes)
}

func (s *Session) push(e entry) {
	s.queue.push(e)
	s.bytes += int64(e.size)
	if e.held() {
		s.held += int(e.size)
	}
	s.opts.Budget.add(1, int64(e.size))
}

func (s *Session) pop() entry {
	e := s.queue.pop()
	s.bytes -= int64(e.size)
	if e.held() {
		s.held -= int(e.size)
	}
	s.opts.Budget.add(-1, -int64(e.size))
	return e
}

// letGo takes the message of an entry out of memory, if the store can read it back.
func (s *Session) letGo(e *entry) {
	if e.held() {
		s.held -= int(e.size)
		e.m = nil
	}
}

// Outgoing is a message to be sent.
type Outgoing struct {
	Message    *Message
	ID         uint16
	Redelivery bool // DUP must be set [MQTT-3.3.1-1]
}

// NextResult says what Next found.
type NextResult uint8

const (
	// Nothing waits, or the window is full: an acknowledgement or a new message changes that.
	Nothing NextResult = iota
	// Ready: a message is to be sent.
	Ready
	// NotLoaded: the next message must be read from the store first; see Wanted.
	NotLoaded
)

// Next takes the next message that is to be sent: after Resume first those that were in flight, in their
// order and with their identifiers [MQTT-4.4.0-1, MQTT-4.6.0-1], then the queue as far as the window
// allows. The caller makes sure beforehand that its connection has room.
func (s *Session) Next(now Time) (Outgoing, NextResult) {
	if s.resend > 0 {
		sl := s.window.at(s.window.n - s.resend)
		if sl.e.m == nil {
			return Outgoing{}, NotLoaded
		}
		out := Outgoing{Message: sl.e.m, ID: sl.id, Redelivery: true}
		s.letGo(&sl.e)
		s.resend--
		s.passAcked()
		s.counters.Redelivered++
		return out, Ready
	}
	for s.queue.n > 0 && s.window.unacked < s.opts.Window {
		head := s.queue.at(0)
		if head.m == nil {
			return Outgoing{}, NotLoaded
		}
		if head.m == unreadable {
			s.done(s.pop())
			continue
		}
		if head.m.Expired(now) {
			s.counters.Expired++
			s.done(s.pop())
			continue
		}
		e := s.pop()
		out := Outgoing{Message: e.m, Redelivery: e.ref != 0 && e.ref <= s.doubtful}
		if s.id == 0 {
			e = entry{} // never sent again, so not held while in flight
		}
		out.ID = s.window.push(e.stored())
		if s.id != 0 {
			s.note(Change{Kind: Sent, Ref: e.ref, PacketID: out.ID})
		}
		return out, Ready
	}
	return Outgoing{}, Nothing
}

// Wanted fills dst with the names of the messages that Next will want to have loaded, in order, and returns
// how many there are: no more than may be held, but at least the first.
func (s *Session) Wanted(dst []Ref) int {
	n, held := 0, s.held
	want := func(e *entry) (more bool) {
		if n == len(dst) || n > 0 && held+int(e.size) > s.opts.HoldBytes {
			return false
		}
		dst[n] = e.ref
		n++
		held += int(e.size)
		return true
	}
	for i := s.window.n - s.resend; i < s.window.n; i++ {
		if sl := s.window.at(i); !sl.acked && sl.e.m == nil && !want(&sl.e) {
			return n
		}
	}
	for i := range s.queue.n {
		if e := s.queue.at(i); e.m == nil && !want(e) {
			return n
		}
	}
	return n
}

// Loaded hands over what became of a message named by Wanted. If the store could not return it (m is nil)
// the message is given up and counted as lost. If there is no room for it any more it will be wanted again.
func (s *Session) Loaded(r Ref, m *Message) {
	first := s.window.n - s.resend
	for i := first; i < s.window.n; i++ {
		if sl := s.window.at(i); !sl.acked && sl.e.ref == r {
			switch {
			case sl.e.m != nil: // it has come another way meanwhile
			case m == nil:
				s.counters.Lost++
				s.Ack(sl.id)
			case s.mayHold(sl.e.size, i == first):
				sl.e.m = m
				s.held += int(sl.e.size)
			}
			return
		}
	}
	for i := range s.queue.n {
		e := s.queue.at(i)
		if e.ref != r {
			continue
		}
		switch {
		case e.m != nil: // it has come another way meanwhile
		case m == nil:
			s.counters.Lost++
			e.m = unreadable // it leaves in its turn
		case s.mayHold(e.size, i == 0 && s.resend == 0):
			e.m = m
			s.held += int(e.size)
		}
		return
	}
}

// NotRead hands over that a message named by Wanted cannot be read now, and reports whether to wait for it: not if it is
// not wanted any more, nor if its time was up before it was sent for the first time. Then it is dropped.
func (s *Session) NotRead(r Ref, now Time) (wait bool) {
	for i := s.window.n - s.resend; i < s.window.n; i++ {
		if sl := s.window.at(i); !sl.acked && sl.e.ref == r {
			return true
		}
	}
	for i := range s.queue.n {
		e := s.queue.at(i)
		if e.ref != r || e.m != nil {
			continue
		}
		var stored [1]Stored
		if s.store.Queue(s.id, r-1, stored[:]) == 0 || stored[0].Ref != r || stored[0].Expires == 0 || now < stored[0].Expires {
			return true
		}
		s.counters.Expired++
		e.m = unreadable // it leaves in its turn
	}
	return false
}

// Ack takes a message out of flight [MQTT-4.3.2-1]. It reports whether the identifier was in flight; one
// that is not is ignored.
func (s *Session) Ack(id uint16) bool {
	resendFrom := s.window.n - s.resend
	before := s.window.n
	e, ok := s.window.ack(id)
	if !ok {
		return false
	}
	if removed := before - s.window.n; removed > resendFrom {
		s.resend -= removed - resendFrom
	}
	s.passAcked()
	s.letGo(&e)
	s.done(e)
	return true
}

// passAcked makes resend begin with a message that has not been acknowledged, if there is one.
func (s *Session) passAcked() {
	for s.resend > 0 && s.window.at(s.window.n-s.resend).acked {
		s.resend--
	}
}

// Resume prepares the session for a new connection: everything in flight is sent again by Next.
func (s *Session) Resume() {
	s.resend = s.window.n
	s.away = false
	s.note(Change{Kind: Connected})
}

// Disconnect notes that no connection uses the session, which may be discarded from until on (0: never).
// What the store can read back leaves memory.
func (s *Session) Disconnect(until Time) {
	s.away = true
	for i := range s.queue.n {
		s.letGo(s.queue.at(i))
	}
	s.queue.fit()
	for ; s.resend > 0; s.resend-- { // the others hold nothing
		s.letGo(&s.window.at(s.window.n - s.resend).e)
	}
	s.window.fit()
	if s.queue.n == 0 || s.queue.at(0).ref > s.doubtful {
		s.doubtful = 0 // all of them have been sent, and noted
	}
	s.note(Change{Kind: Disconnected, Until: until, Ref: s.doubtful})
}

// Close ends the session [MQTT-3.1.2-6]: its subscriptions, queue and place in the store are gone. The
// caller removes the subscriptions from the topic tree first.
func (s *Session) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.opts.Budget.add(-int64(s.queue.n), -s.bytes)
	s.subs, s.queue, s.window, s.bytes, s.held, s.resend = subscriptions{}, queue{}, window{}, 0, 0, 0
	s.note(Change{Kind: Closed})
}

// done notes that a message has left the session.
func (s *Session) done(e entry) {
	if e.ref != 0 {
		s.note(Change{Kind: Done, Ref: e.ref})
	}
}

func (s *Session) note(c Change) {
	if s.id == 0 {
		return
	}
	c.Session = s.id
	s.changes = append(s.changes, c)
}

// keepChanges is how many collected changes a session keeps room for.
const keepChanges = 64

// Flush hands the collected changes to the store, in order, and reports whether there were any: then what
// they acknowledge to a client waits for the store's Sync.
func (s *Session) Flush() (noted bool, err error) {
	if len(s.changes) == 0 {
		return false, nil
	}
	err = s.store.Record(s.changes)
	if cap(s.changes) > keepChanges {
		s.changes = nil
	} else {
		clear(s.changes)
		s.changes = s.changes[:0]
	}
	return true, err
}
