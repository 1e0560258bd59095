// Package memstore keeps sessions in memory, for as long as the process lives: the durability level
// "memory".
//
// A message is held once, by pointer, until the last session that waits for it is done with it. A place in a
// queue costs 8 bytes, a held message 16 bytes besides itself. Neither Append nor Record allocates, except
// where a queue or a table grows.
package memstore

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"sampan/session"
	"sampan/session/internal/filters"
	"sampan/session/internal/queue"
)

// Store implements session.Store. Everything noted in it holds at once, so Sync reports success before it
// returns, and Recover finds nothing.
type Store struct {
	lastID  atomic.Uint64
	lastRef atomic.Uint64
	closed  atomic.Bool
	syncs   atomic.Uint64

	shards [shardCount]shard
	table  table
}

// shardCount is how many locks the sessions are spread over. One word holds a set of them.
const shardCount = 64

type shard struct {
	// mu guards the sessions of this shard. Shards are locked in ascending order, the table's locks
	// inside them.
	mu       sync.Mutex
	sessions map[session.ID]*state
	filters  filters.Sum
	queued   int // places in their queues
	slots    int // places allocated for them
	names    int // bytes of identities
}

// state is what is kept of one session.
type state struct {
	identity string
	filters  filters.Set
	queue    queue.Queue
}

var _ session.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	s := new(Store)
	s.table.init()
	return s
}

func shardOf(id session.ID) int { return int(id % shardCount) }

// Open implements session.Store.
func (s *Store) Open(identity string) (session.ID, error) {
	id := session.ID(s.lastID.Add(1))
	sh := &s.shards[shardOf(id)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s.closed.Load() {
		return 0, session.ErrStoreClosed
	}
	if sh.sessions == nil {
		sh.sessions = make(map[session.ID]*state)
	}
	sh.sessions[id] = &state{identity: identity}
	sh.names += len(identity)
	return id, nil
}

// Prompt implements session.PromptStore: there is nothing to wait for.
func (s *Store) Prompt() bool { return true }

// Append implements session.Store. Sessions that are not open are passed over; a message for none of them is
// not stored, and its Ref is zero.
func (s *Store) Append(m *session.Message, to []session.ID) error {
	// All shards concerned are held while the message is named and queued: so the names in each queue
	// grow, however many messages are appended at the same time.
	var set uint64
	for _, id := range to {
		set |= 1 << shardOf(id)
	}
	s.lock(set)
	defer s.unlock(set)
	if s.closed.Load() {
		return session.ErrStoreClosed
	}
	ref := session.Ref(s.lastRef.Add(1))
	if ref > queue.MaxRef {
		return fmt.Errorf("memstore: more than %d messages were stored", queue.MaxRef)
	}
	m.SetRef(ref)
	waiting := 0
	for _, id := range to {
		sh := &s.shards[shardOf(id)]
		st := sh.sessions[id]
		if st == nil {
			continue
		}
		before := st.queue.Cap()
		if !st.queue.Push(queue.At(ref, 0)) {
			continue // named twice in to
		}
		waiting++
		sh.queued++
		sh.slots += st.queue.Cap() - before
	}
	if waiting == 0 {
		m.SetRef(0)
		return nil
	}
	s.table.put(ref, m, waiting)
	return nil
}

func (s *Store) lock(set uint64) {
	for ; set != 0; set &= set - 1 {
		s.shards[bits.TrailingZeros64(set)].mu.Lock()
	}
}

func (s *Store) unlock(set uint64) {
	for ; set != 0; set &= set - 1 {
		s.shards[bits.TrailingZeros64(set)].mu.Unlock()
	}
}

// Record implements session.Store. Changes of sessions that are not open, and of messages that are not in
// their queue, are passed over.
func (s *Store) Record(changes []session.Change) error {
	for i := range changes {
		c := &changes[i]
		sh := &s.shards[shardOf(c.Session)]
		sh.mu.Lock()
		if s.closed.Load() {
			sh.mu.Unlock()
			return session.ErrStoreClosed
		}
		if st := sh.sessions[c.Session]; st != nil {
			s.apply(sh, st, c)
		}
		sh.mu.Unlock()
	}
	return nil
}

// apply makes one change of a session, whose shard is locked.
func (s *Store) apply(sh *shard, st *state, c *session.Change) {
	before := st.queue.Cap()
	switch c.Kind {
	case session.Closed:
		for _, p := range st.queue.Live() {
			if !p.Empty() {
				s.table.release(p.Ref())
				sh.queued--
			}
		}
		st.filters.Drop(&sh.filters)
		sh.names -= len(st.identity)
		st.queue = queue.Queue{}
		delete(sh.sessions, c.Session)
	case session.Subscribed:
		st.filters.Put(c.Filter, c.QoS, &sh.filters)
	case session.Unsubscribed:
		st.filters.Remove(c.Filter, &sh.filters)
	case session.Sent:
		st.queue.Sent(c.Ref, c.PacketID)
	case session.Done:
		if st.queue.Remove(c.Ref) {
			s.table.release(c.Ref)
			sh.queued--
		}
	case session.Connected, session.Disconnected:
		// Only a store that survives its process needs to know when a session expires.
	}
	sh.slots += st.queue.Cap() - before
}

// Queue implements session.Store. After Close, and for a session that is not open, it finds nothing.
func (s *Store) Queue(id session.ID, after session.Ref, dst []session.Stored) int {
	sh := &s.shards[shardOf(id)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := sh.sessions[id]
	if st == nil || s.closed.Load() {
		return 0
	}
	n := 0
	for _, p := range st.queue.Behind(after) {
		if n == len(dst) {
			break
		}
		if p.Empty() {
			continue
		}
		m := s.table.get(p.Ref())
		if m == nil {
			break // the store is being closed
		}
		dst[n] = session.Stored{Ref: p.Ref(), Size: m.Size(), PacketID: p.PacketID(), Expires: m.Expires()}
		n++
	}
	return n
}

// Load implements session.Store. The message is the one that was appended.
func (s *Store) Load(r session.Ref) (*session.Message, error) {
	if s.closed.Load() {
		return nil, session.ErrStoreClosed
	}
	if m := s.table.get(r); m != nil {
		return m, nil
	}
	return nil, session.ErrNoMessage
}

// Sync implements session.Store. It calls done before it returns.
func (s *Store) Sync(done func(error)) {
	if s.closed.Load() {
		done(session.ErrStoreClosed)
		return
	}
	s.syncs.Add(1)
	done(nil)
}

// Recover implements session.Store. There is nothing to recover.
func (s *Store) Recover(func(*session.Recovered) error) error {
	if s.closed.Load() {
		return session.ErrStoreClosed
	}
	return nil
}

// Estimates for Stats, in bytes, of a session's state with its map entry, of a subscription's map entry,
// and of a message's struct.
const (
	stateBytes        = 160
	subscriptionBytes = 24
	messageBytes      = 64
)

// Stats implements session.Store.
func (s *Store) Stats() session.StoreStats {
	st := session.StoreStats{Level: "memory", Syncs: s.syncs.Load()}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		st.Sessions += len(sh.sessions)
		st.Subscriptions += sh.filters.Filters
		st.Queued += sh.queued
		st.MemoryBytes += int64(len(sh.sessions)*stateBytes + sh.filters.Filters*subscriptionBytes +
			sh.filters.Bytes + sh.names + sh.slots*queue.PlaceBytes)
		sh.mu.Unlock()
	}
	var pages int
	st.Messages, st.Bytes, pages = s.table.size()
	st.MemoryBytes += st.Bytes + int64(st.Messages*messageBytes+pages*pageBytes)
	return st
}

// Close implements session.Store. It forgets everything.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return session.ErrStoreClosed
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.sessions = nil
		sh.filters, sh.queued, sh.slots, sh.names = filters.Sum{}, 0, 0, 0
		sh.mu.Unlock()
	}
	s.table.init()
	return nil
}
