package broker

import (
	"errors"
	"math/bits"
	"sync"
	"sync/atomic"

	"sampan/broker/internal/deadline"
	"sampan/session"
)

// client is a subscriber: a session's key with its session and, while there is one, its connection. It is
// what the topic tree holds, so that a message finds its way without a look-up by name.
type client struct {
	key    string
	broker *Broker
	refs   int // goroutines that hold the client; guarded by the directory's shard

	// takeover is held by a CONNECT from the moment it has authenticated until its connection is in
	// place: connections of one client follow one another. Outermost of all locks.
	takeover sync.Mutex

	out       atomic.Pointer[outbound] // nil: not connected. Changed with mu held
	handler   *inbox                   // for an in-process subscriber; set once
	lost      atomic.Uint64            // Broker.losses when it lost a subscription last. Changed with mu held
	sessionID atomic.Uint64            // of a session that a store keeps, or 0. Changed with mu held
	drops     atomic.Uint64            // QoS 1 messages dropped

	mu      sync.Mutex // guards what follows; held around the topic tree's and an outbound's lock
	session *session.Session
	conn    *conn // the connection that owns the session
	loading bool  // a goroutine reads stored messages back
	expiry  deadline.Item

	expiresAt int64 // when the session ends unless a connection resumes it, in the ticker's nanoseconds
}

// directory finds clients by key.
type directory struct {
	shards [64]struct {
		mu      sync.Mutex
		clients map[string]*client
	}
	count atomic.Int64
}

func (d *directory) shard(key string) *struct {
	mu      sync.Mutex
	clients map[string]*client
} {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return &d.shards[(h^h>>16)%uint32(len(d.shards))]
}

// acquire returns the client with this key, making one if create is set and there is none and fewer than
// limit. The caller releases it.
func (d *directory) acquire(b *Broker, key string, create bool, limit int) (cl *client, full bool) {
	s := d.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	cl = s.clients[key]
	if cl == nil {
		if !create {
			return nil, false
		}
		if d.count.Load() >= int64(limit) {
			return nil, true
		}
		cl = &client{key: key, broker: b}
		cl.expiry.Owner = cl
		if s.clients == nil {
			s.clients = make(map[string]*client)
		}
		s.clients[key] = cl
		d.count.Add(1)
	}
	cl.refs++
	return cl, false
}

// hold acquires a client that is already known by pointer. It fails if the directory has forgotten it.
func (d *directory) hold(cl *client) bool {
	s := d.shard(cl.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[cl.key] != cl {
		return false
	}
	cl.refs++
	return true
}

// release gives a client back, and forgets it if it has neither connection nor session. The lock of its shard
// is not held while it waits for the client's, which may be held for as long as the store takes.
func (d *directory) release(cl *client) {
	s := d.shard(cl.key)
	s.mu.Lock()
	last := cl.refs == 1
	if !last {
		cl.refs--
	}
	s.mu.Unlock()
	if !last {
		return
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	empty := cl.session == nil && cl.conn == nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if cl.refs--; cl.refs == 0 && empty { // others may have come meanwhile
		delete(s.clients, cl.key)
		d.count.Add(-1)
	}
}

// each calls f for every client, without a lock, until f returns false.
func (d *directory) each(f func(*client) bool) {
	var batch []*client
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		batch = batch[:0]
		for _, cl := range s.clients {
			batch = append(batch, cl)
		}
		s.mu.Unlock()
		for _, cl := range batch {
			if !f(cl) {
				return
			}
		}
	}
}

// endSession removes the session with its subscriptions. Called with cl.mu held.
func (cl *client) endSession() {
	s := cl.session
	if s == nil {
		return
	}
	b := cl.broker
	b.deadlines.Cancel(&cl.expiry)
	if n := s.SubscriptionCount(); n > 0 {
		b.tree.RemoveAll(cl, s.Filters())
		b.stats.subscriptions.Add(-int64(n))
		cl.lose()
	}
	b.stats.sessions.Add(-1)
	s.Close()
	cl.flushSession(s)
	if cl.session = nil; !cl.loading {
		s.Recycle() // nobody but cl knows it
	}
	cl.sessionID.Store(0)
}

// flushSession hands the session's changes to the store and reports whether there were any. A store that
// fails is dealt with where an acknowledgement waits for it. Called with cl.mu held.
func (cl *client) flushSession(s *session.Session) bool {
	noted, err := s.Flush()
	if err != nil {
		cl.broker.storeFailed(err)
	}
	return noted
}

// pump sends what waits in the session, as far as window and outbound allow. It is called whenever one of
// them has got room.
//
// If the store cannot read what comes next, the connection gets no more and ends: what waits stays where it is, and
// the client gets it when it comes again and the store reads.
func (cl *client) pump(b *batch) {
	cl.mu.Lock()
	var err error
	for err == nil && cl.pumpLoaded(b) {
		err = cl.load(b)
	}
	c := cl.conn
	if err != nil {
		cl.out.Store(nil)
	}
	drops := cl.takeCounters()
	cl.mu.Unlock()
	if err != nil {
		c.stopAfterWrite(&ending{reason: StoreFailed, detail: "reading a message back: " + err.Error()})
	}
	cl.report(drops, b)
}

// pumpLoaded sends what is in memory. It reports whether messages must be loaded to go on. Called with
// cl.mu held.
func (cl *client) pumpLoaded(b *batch) (load bool) {
	s, out := cl.session, cl.out.Load()
	if s == nil || out == nil || !s.Waiting() {
		return false
	}
	now := cl.broker.ticker.wall()
	out.mu.Lock()
	sent := 0
	result := session.Nothing
	for !out.closed {
		if out.waiting >= cl.broker.opts.OutboundBytes || !out.room(1) {
			out.starved = true
			break
		}
		var o session.Outgoing
		if o, result = s.Next(now); result != session.Ready {
			break
		}
		out.take(b)
		out.extend(o.Message.Size())
		out.pending = o.Message.AppendTo(out.pending, o.ID, o.Redelivery)
		sent++
	}
	out.mu.Unlock()
	if sent > 0 {
		cl.broker.stats.sent[1].Add(uint64(sent))
	}
	cl.flushSession(s)
	return result == session.NotLoaded && !cl.loading
}

// loadBatch is how many stored messages are read back at a time.
const loadBatch = 32

// load reads the next stored messages back, without the lock and without a claim to any outbound, since that
// may take a disk. Called with cl.mu held, which it releases and takes again.
//
// A message that is gone or damaged for good is given up. Any other error may have passed when it is asked for again,
// a process that has no descriptor left being the likely one, and costs no message: it is returned if it is the first
// message that it concerns, so that those before one which cannot be read are delivered, if the connection that wanted
// the message is still there, since the next one asks for itself, and if the message has not expired.
func (cl *client) load(b *batch) error {
	var refs [loadBatch]session.Ref
	s, c := cl.session, cl.conn
	n := s.Wanted(refs[:])
	cl.loading = true
	cl.mu.Unlock()
	b.flush()
	b.stay()
	var messages [loadBatch]*session.Message
	var failed error
	for i, r := range refs[:n] {
		m, err := cl.broker.store.Load(r)
		if err != nil && !errors.Is(err, session.ErrNoMessage) && !errors.Is(err, session.ErrDamaged) {
			n, failed = i, err
			break
		}
		if err == nil {
			messages[i] = m // otherwise nil: Loaded counts it
		}
	}
	cl.mu.Lock()
	cl.loading = false
	if cl.session != s {
		return nil
	}
	for i, r := range refs[:n] {
		s.Loaded(r, messages[i])
	}
	if n == 0 && cl.conn == c && s.NotRead(refs[0], cl.broker.ticker.wall()) {
		return failed
	}
	return nil
}

// dropCounters are a session's counters, and whether its queue, or all queues together, had their number of messages
// when they were taken: what was full and had fewer was full of bytes.
type dropCounters struct {
	session.Counters
	full, overBudget bool
}

// takeCounters takes what the session has counted. Called with cl.mu held; report comes after it is released.
func (cl *client) takeCounters() (c dropCounters) {
	if cl.session == nil {
		return c
	}
	c.Counters = cl.session.Counters()
	if c.Full > 0 {
		queued, _ := cl.session.Queued()
		c.full = queued >= cl.broker.opts.QueueMessages
	}
	if c.OverBudget > 0 {
		c.overBudget = cl.broker.budget.Messages() >= cl.broker.opts.QueueTotalMessages
	}
	return c
}

// leaver is a goroutine's batch, or the connection that it handles.
type leaver interface{ leave() }

// report counts and logs the messages that a session has dropped. Called without a lock.
func (cl *client) report(c dropCounters, by leaver) {
	if c.Counters == (session.Counters{}) {
		return
	}
	b := cl.broker
	b.stats.redelivered.Add(c.Redelivered)
	full, limit := "queue-bytes", b.opts.QueueBytes
	if c.full {
		full, limit = "queue-messages", int64(b.opts.QueueMessages)
	}
	cl.dropped(DropQueueFull, full, c.Full, limit, by)
	full, limit = "queue-total-bytes", b.opts.QueueTotalBytes
	if c.overBudget {
		full, limit = "queue-total-messages", b.opts.QueueTotalMessages
	}
	cl.dropped(DropQueueBudget, full, c.OverBudget, limit, by)
	cl.dropped(DropExpired, "", c.Expired, int64(b.opts.MessageExpiry.Seconds()), by)
	cl.dropped(DropUnreadable, "", c.Lost, 0, by)
}

func (cl *client) dropped(why Reason, rule string, n uint64, limit int64, by leaver) {
	if n == 0 {
		return
	}
	b := cl.broker
	b.stats.reasons[why].Add(n)
	first := cl.drops.Add(n) - n
	if first != 0 && bits.Len64(first) == bits.Len64(first+n) {
		return // like emit: the 1st, 2nd, 4th, ... is logged
	}
	if b.heeded(MessagesDropped) {
		by.leave() // whoever hears of it may take time
	}
	b.emit(Event{Kind: MessagesDropped, Client: cl.key, Reason: why, Rule: rule, Value: int64(first + n), Limit: limit})
}
