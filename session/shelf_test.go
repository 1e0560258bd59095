package session_test

import (
	"slices"

	"sampan/session"
)

// shelf is a Store for these tests: as simple as a store can be, and strict. A change that makes no sense,
// such as the end of a message that is not in the session's queue, fails the test.
type shelf struct {
	t        tester
	names    session.ID
	last     session.Ref
	sessions map[session.ID]*shelved
	messages map[session.Ref]*session.Message
	lost     map[session.Ref]bool // messages that Load cannot return
	fail     error                // returned by Open and Record, if not nil
	records  int
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

type shelved struct {
	identity  string
	connected bool
	until     session.Time
	doubtful  session.Ref
	subs      map[string]byte
	queue     []session.Stored
}

func newShelf(t tester) *shelf {
	return &shelf{t: t, sessions: map[session.ID]*shelved{}, messages: map[session.Ref]*session.Message{},
		lost: map[session.Ref]bool{}}
}

func (f *shelf) Open(identity string) (session.ID, error) {
	if f.fail != nil {
		return 0, f.fail
	}
	f.names++
	f.sessions[f.names] = &shelved{identity: identity, connected: true, subs: map[string]byte{}}
	return f.names, nil
}

func (f *shelf) Append(m *session.Message, to []session.ID) error {
	f.last++
	m.SetRef(f.last)
	f.messages[f.last] = m
	for _, id := range to {
		s := f.sessions[id]
		s.queue = append(s.queue, session.Stored{Ref: f.last, Size: m.Size(), Expires: m.Expires()})
	}
	return nil
}

func (f *shelf) Record(changes []session.Change) error {
	f.t.Helper()
	if f.fail != nil {
		return f.fail
	}
	f.records++
	for _, c := range changes {
		s := f.sessions[c.Session]
		if s == nil {
			f.t.Fatalf("change %+v of a session that is not open", c)
		}
		at := slices.IndexFunc(s.queue, func(q session.Stored) bool { return q.Ref == c.Ref })
		if (c.Kind == session.Sent || c.Kind == session.Done) && at < 0 {
			f.t.Fatalf("change %+v of a message that is not in the queue %v", c, s.queue)
		}
		switch c.Kind {
		case session.Closed:
			delete(f.sessions, c.Session)
		case session.Connected:
			s.connected, s.until, s.doubtful = true, 0, 0
		case session.Disconnected:
			s.connected, s.until, s.doubtful = false, c.Until, c.Ref
		case session.Subscribed:
			s.subs[c.Filter] = c.QoS
		case session.Unsubscribed:
			if _, had := s.subs[c.Filter]; !had {
				f.t.Fatalf("change %+v of a subscription that there is not", c)
			}
			delete(s.subs, c.Filter)
		case session.Sent:
			if c.PacketID == 0 || s.queue[at].PacketID != 0 {
				f.t.Fatalf("change %+v of a message that was sent as %d", c, s.queue[at].PacketID)
			}
			for _, q := range s.queue {
				if q.PacketID == c.PacketID {
					f.t.Fatalf("change %+v: message %d is in flight under this identifier", c, q.Ref)
				}
			}
			s.queue[at].PacketID = c.PacketID
		case session.Done:
			s.queue = slices.Delete(s.queue, at, at+1)
		default:
			f.t.Fatalf("unknown change %+v", c)
		}
	}
	return nil
}

func (f *shelf) Queue(id session.ID, after session.Ref, dst []session.Stored) int {
	n := 0
	if s := f.sessions[id]; s != nil {
		for _, q := range s.queue {
			if q.Ref > after && n < len(dst) {
				dst[n] = q
				n++
			}
		}
	}
	return n
}

func (f *shelf) Load(r session.Ref) (*session.Message, error) {
	m := f.messages[r]
	if m == nil || f.lost[r] {
		return nil, session.ErrNoMessage
	}
	// As from a disk: not the same message, one like it.
	again := session.NewMessage(m.Topic(), m.Payload(), m.Expires())
	again.SetRef(r)
	return again, nil
}

func (f *shelf) Sync(done func(error)) { done(f.fail) }

func (f *shelf) Recover(fn func(*session.Recovered) error) error {
	for id := range f.sessions {
		if err := fn(f.recovered(id)); err != nil {
			return err
		}
	}
	return nil
}

func (f *shelf) recovered(id session.ID) *session.Recovered {
	s := f.sessions[id]
	r := &session.Recovered{ID: id, Identity: s.identity, Connected: s.connected, Until: s.until, Doubtful: s.doubtful, Queued: len(s.queue)}
	for _, q := range s.queue {
		r.QueuedBytes += int64(q.Size)
	}
	for filter, qos := range s.subs {
		r.Subscriptions = append(r.Subscriptions, session.Subscription{Filter: filter, QoS: qos})
	}
	return r
}

func (f *shelf) Stats() session.StoreStats { return session.StoreStats{Level: "shelf"} }
func (f *shelf) Close() error              { return nil }
