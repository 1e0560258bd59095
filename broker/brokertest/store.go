package brokertest

import (
	"slices"
	"sync"

	"sampan/session"
)

// Store is a session.Store that a test has in its hands: it survives the broker that used it (Reopen), says
// that something holds when it is told to (Hold, Release), fails (Fail) and loses messages (Lose). It is as
// simple as a store can be.
type Store struct {
	// OnLoad, if not nil, is called by Load, without a lock. It is set before the store is used.
	OnLoad func(session.Ref)

	mu       sync.Mutex // guards what follows
	names    session.ID
	refs     session.Ref
	sessions map[session.ID]*storedSession
	messages map[session.Ref]*session.Message
	lost     map[session.Ref]bool
	holding  bool
	waiting  []func(error) // of Sync
	failure  error
	closed   bool
	syncs    uint64
}

type storedSession struct {
	identity  string
	connected bool
	until     session.Time
	doubtful  session.Ref
	subs      map[string]byte
	queue     []session.Stored
}

var _ session.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{sessions: make(map[session.ID]*storedSession), messages: make(map[session.Ref]*session.Message),
		lost: make(map[session.Ref]bool)}
}

// Hold keeps every Sync from now on waiting until Release.
func (s *Store) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = true
}

// Release lets everything that waits go on, in the order of the calls, and returns how many waited. What comes
// meanwhile goes on behind it.
func (s *Store) Release() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = len(s.waiting)
	for len(s.waiting) > 0 {
		waiting, err := s.waiting, s.failure
		s.waiting = nil
		s.mu.Unlock()
		for _, done := range waiting {
			done(err)
		}
		s.mu.Lock()
	}
	s.holding = false
	return n
}

// Waiting is the number of Syncs that wait for Release.
func (s *Store) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// Fail makes every call fail from now on.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// Lose makes the messages that there are now unreadable, and returns how many they are.
func (s *Store) Lose() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.messages {
		s.lost[r] = true
	}
	return len(s.messages)
}

// Reopen makes the store usable again after Close, as if by another process.
func (s *Store) Reopen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.failure, s.holding, s.waiting = false, nil, false, nil
}

// State describes what the store has of an identity.
type State struct {
	ID            session.ID
	Connected     bool
	Until         session.Time
	Subscriptions map[string]byte
	Queue         []session.Stored
}

// State returns what the store has of an identity. It reports false if there is no session.
func (s *Store) State(identity string) (State, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, st := range s.sessions {
		if st.identity == identity {
			subs := make(map[string]byte)
			for f, q := range st.subs {
				subs[f] = q
			}
			return State{id, st.connected, st.until, subs, slices.Clone(st.queue)}, true
		}
	}
	return State{}, false
}

// broken is the error that every call returns, if there is one. Called with mu held.
func (s *Store) broken() error {
	if s.closed {
		return session.ErrStoreClosed
	}
	return s.failure
}

// Open implements session.Store.
func (s *Store) Open(identity string) (session.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken(); err != nil {
		return 0, err
	}
	s.names++
	s.sessions[s.names] = &storedSession{identity: identity, connected: true, subs: make(map[string]byte)}
	return s.names, nil
}

// Append implements session.Store.
func (s *Store) Append(m *session.Message, to []session.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken(); err != nil {
		return err
	}
	s.refs++
	m.SetRef(s.refs)
	for _, id := range to {
		if st := s.sessions[id]; st != nil {
			s.messages[s.refs] = m
			st.queue = append(st.queue, session.Stored{Ref: s.refs, Size: m.Size(), Expires: m.Expires()})
		}
	}
	return nil
}

// Record implements session.Store.
func (s *Store) Record(changes []session.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken(); err != nil {
		return err
	}
	for _, c := range changes {
		st := s.sessions[c.Session]
		if st == nil {
			continue
		}
		at := slices.IndexFunc(st.queue, func(q session.Stored) bool { return q.Ref == c.Ref })
		switch c.Kind {
		case session.Closed:
			delete(s.sessions, c.Session)
		case session.Connected:
			st.connected, st.until, st.doubtful = true, 0, 0
		case session.Disconnected:
			st.connected, st.until, st.doubtful = false, c.Until, c.Ref
		case session.Subscribed:
			st.subs[c.Filter] = c.QoS
		case session.Unsubscribed:
			delete(st.subs, c.Filter)
		case session.Sent:
			if at >= 0 {
				st.queue[at].PacketID = c.PacketID
			}
		case session.Done:
			if at >= 0 {
				st.queue = slices.Delete(st.queue, at, at+1)
			}
		}
	}
	return nil
}

// Queue implements session.Store.
func (s *Store) Queue(id session.ID, after session.Ref, dst []session.Stored) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	if st := s.sessions[id]; st != nil {
		for _, q := range st.queue {
			if q.Ref > after && n < len(dst) {
				dst[n] = q
				n++
			}
		}
	}
	return n
}

// Load implements session.Store.
func (s *Store) Load(r session.Ref) (*session.Message, error) {
	if s.OnLoad != nil {
		s.OnLoad(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken(); err != nil {
		return nil, err
	}
	m := s.messages[r]
	if m == nil || s.lost[r] {
		return nil, session.ErrNoMessage
	}
	again := session.NewMessage(m.Topic(), m.Payload(), m.Expires())
	again.SetRef(r)
	return again, nil
}

// Sync implements session.Store.
func (s *Store) Sync(done func(error)) {
	s.mu.Lock()
	err := s.broken()
	s.syncs++
	if s.holding && err == nil {
		s.waiting = append(s.waiting, done)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	done(err)
}

// Recover implements session.Store.
func (s *Store) Recover(fn func(*session.Recovered) error) error {
	s.mu.Lock()
	if err := s.broken(); err != nil {
		s.mu.Unlock()
		return err
	}
	var found []*session.Recovered
	for id, st := range s.sessions {
		r := &session.Recovered{ID: id, Identity: st.identity, Connected: st.connected, Until: st.until, Doubtful: st.doubtful, Queued: len(st.queue)}
		for f, qos := range st.subs {
			r.Subscriptions = append(r.Subscriptions, session.Subscription{Filter: f, QoS: qos})
		}
		for _, q := range st.queue {
			r.QueuedBytes += int64(q.Size)
		}
		found = append(found, r)
	}
	s.mu.Unlock()
	for _, r := range found {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// Stats implements session.Store.
func (s *Store) Stats() session.StoreStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := session.StoreStats{Level: "test", Sessions: len(s.sessions), Messages: len(s.messages), Syncs: s.syncs}
	for _, one := range s.sessions {
		st.Subscriptions += len(one.subs)
		st.Queued += len(one.queue)
	}
	return st
}

// Close implements session.Store. Syncs that wait are told that the store is closed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return session.ErrStoreClosed
	}
	s.closed = true
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, done := range waiting {
		done(session.ErrStoreClosed)
	}
	return nil
}
