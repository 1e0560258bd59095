package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sampan/session"
)

// Model is what a store should hold, kept in the simplest way.
type Model struct {
	Sessions map[session.ID]*Session
	Messages map[session.Ref]Message // those that are in a queue, or were
}

// Session is a session in a Model.
type Session struct {
	Identity      string
	Connected     bool
	Until         session.Time
	Doubtful      session.Ref
	Subscriptions map[string]byte
	Queue         []session.Stored
}

// Message is the content of a message in a Model.
type Message struct {
	Topic, Payload string
	Expires        session.Time
}

// NewModel returns a model of an empty store.
func NewModel() *Model {
	return &Model{Sessions: map[session.ID]*Session{}, Messages: map[session.Ref]Message{}}
}

// Clone returns a copy that shares nothing that changes.
func (m *Model) Clone() *Model {
	c := &Model{Sessions: map[session.ID]*Session{}, Messages: maps.Clone(m.Messages)}
	for id, s := range m.Sessions {
		c.Sessions[id] = &Session{s.Identity, s.Connected, s.Until, s.Doubtful, maps.Clone(s.Subscriptions), slices.Clone(s.Queue)}
	}
	return c
}

// Open is Store.Open, which has returned id.
func (m *Model) Open(id session.ID, identity string) {
	m.Sessions[id] = &Session{Identity: identity, Connected: true, Subscriptions: map[string]byte{}}
}

// Append is Store.Append of a message that has its name.
func (m *Model) Append(msg *session.Message, to []session.ID) {
	m.Messages[msg.Ref()] = Message{string(msg.Topic()), string(msg.Payload()), msg.Expires()}
	for _, id := range to {
		s := m.Sessions[id]
		if s == nil || s.find(msg.Ref()) >= 0 {
			continue
		}
		s.Queue = append(s.Queue, session.Stored{Ref: msg.Ref(), Size: msg.Size(), Expires: msg.Expires()})
	}
}

// Record is Store.Record of one change.
func (m *Model) Record(c session.Change) {
	s := m.Sessions[c.Session]
	if s == nil {
		return
	}
	switch c.Kind {
	case session.Closed:
		delete(m.Sessions, c.Session)
	case session.Connected:
		s.Connected, s.Until, s.Doubtful = true, 0, 0
	case session.Disconnected:
		s.Connected, s.Until, s.Doubtful = false, c.Until, c.Ref
	case session.Subscribed:
		s.Subscriptions[c.Filter] = c.QoS
	case session.Unsubscribed:
		delete(s.Subscriptions, c.Filter)
	case session.Sent:
		if i := s.find(c.Ref); i >= 0 {
			s.Queue[i].PacketID = c.PacketID
		}
	case session.Done:
		if i := s.find(c.Ref); i >= 0 {
			s.Queue = slices.Delete(s.Queue, i, i+1)
		}
	}
}

func (s *Session) find(r session.Ref) int {
	return slices.IndexFunc(s.Queue, func(q session.Stored) bool { return q.Ref == r })
}

// waiting returns the messages that are in a queue.
func (m *Model) waiting() map[session.Ref]Message {
	w := map[session.Ref]Message{}
	for _, s := range m.Sessions {
		for _, q := range s.Queue {
			w[q.Ref] = m.Messages[q.Ref]
		}
	}
	return w
}

// Equal reports whether two stores hold the same.
func (m *Model) Equal(other *Model) bool {
	return maps.EqualFunc(m.Sessions, other.Sessions, func(a, b *Session) bool {
		return a.Identity == b.Identity && a.Connected == b.Connected && a.Until == b.Until && a.Doubtful == b.Doubtful &&
			slices.Equal(a.Queue, b.Queue) && maps.Equal(a.Subscriptions, b.Subscriptions)
	}) && maps.Equal(m.waiting(), other.waiting())
}

// Diff says how the contents of two stores differ, or returns "".
func (m *Model) Diff(other *Model) string {
	return cmp.Diff(m.Sessions, other.Sessions, cmpopts.EquateEmpty()) + cmp.Diff(m.waiting(), other.waiting())
}

// Recover reads a store that was just opened into a model.
func Recover(s session.Store) (*Model, error) {
	m := NewModel()
	err := s.Recover(func(r *session.Recovered) error {
		if m.Sessions[r.ID] != nil {
			return fmt.Errorf("session %d was recovered twice", r.ID)
		}
		st := &Session{Identity: r.Identity, Connected: r.Connected, Until: r.Until, Doubtful: r.Doubtful, Subscriptions: map[string]byte{}}
		for _, sub := range r.Subscriptions {
			if _, twice := st.Subscriptions[sub.Filter]; twice {
				return fmt.Errorf("session %d has subscription %q twice", r.ID, sub.Filter)
			}
			st.Subscriptions[sub.Filter] = sub.QoS
		}
		m.Sessions[r.ID] = st
		st.Queue = make([]session.Stored, r.Queued) // is filled below
		for i := range st.Queue {
			st.Queue[i].Size = int(r.QueuedBytes)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for id, st := range m.Sessions {
		queued, size := len(st.Queue), 0
		if queued > 0 {
			size = st.Queue[0].Size
		}
		st.Queue = queue(s, id)
		for _, q := range st.Queue {
			size -= q.Size
		}
		if queued != len(st.Queue) || size != 0 {
			return nil, fmt.Errorf("session %d was recovered with %d messages, but its queue has %d, or %d bytes are missing",
				id, queued, len(st.Queue), -size)
		}
		if err := m.load(s, st); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// load reads the messages of a session into m.
func (m *Model) load(s session.Store, st *Session) error {
	for _, q := range st.Queue {
		if _, known := m.Messages[q.Ref]; known {
			continue
		}
		msg, err := s.Load(q.Ref)
		if err != nil {
			return fmt.Errorf("load %d: %w", q.Ref, err)
		}
		if msg.Ref() != q.Ref || msg.Size() != q.Size || msg.Expires() != q.Expires {
			return fmt.Errorf("message %d was loaded as %d with %d bytes until %d, and queued with %d bytes until %d",
				q.Ref, msg.Ref(), msg.Size(), msg.Expires(), q.Size, q.Expires)
		}
		m.Messages[q.Ref] = Message{string(msg.Topic()), string(msg.Payload()), msg.Expires()}
	}
	return nil
}

// Check compares a store that is in use with the model: all but the subscriptions, which a store does not
// show.
func (m *Model) Check(s session.Store) error {
	st := s.Stats()
	queued, subs := 0, 0
	for id, want := range m.Sessions {
		if diff := cmp.Diff(want.Queue, queue(s, id)); diff != "" && len(want.Queue) > 0 {
			return fmt.Errorf("queue of session %d (-want +got):\n%s", id, diff)
		}
		queued += len(want.Queue)
		subs += len(want.Subscriptions)
	}
	waiting := m.waiting()
	var bytes int64
	for r, want := range waiting {
		msg, err := s.Load(r)
		if err != nil {
			return fmt.Errorf("load %d: %w", r, err)
		}
		got := Message{string(msg.Topic()), string(msg.Payload()), msg.Expires()}
		if got != want || msg.Ref() != r {
			return fmt.Errorf("message %d is %+v, want %+v", r, got, want)
		}
		bytes += int64(msg.Size())
	}
	for r := range m.Messages {
		if _, waits := waiting[r]; waits {
			continue
		}
		if _, err := s.Load(r); !errors.Is(err, session.ErrNoMessage) {
			return fmt.Errorf("load %d, which nobody waits for: %v", r, err)
		}
		delete(m.Messages, r)
	}
	got := [...]int64{int64(st.Sessions), int64(st.Subscriptions), int64(st.Queued), int64(st.Messages), st.Bytes}
	want := [...]int64{int64(len(m.Sessions)), int64(subs), int64(queued), int64(len(waiting)), bytes}
	if got != want {
		return fmt.Errorf("stats: sessions, subscriptions, queued, messages, bytes are %v, want %v", got, want)
	}
	return nil
}
