package storetest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sampan/session"
)

// Machine drives a store and a model through the same random calls. Its exported methods are actions for
// rapid's T.Repeat; see Actions.
type Machine struct {
	Store session.Store
	Model *Model

	// Note, if it is set, is told of every call after it was made, as something that can be done to a
	// model again.
	Note func(redo func(*Model))

	names int
}

// Actions returns the calls that the machine makes, by name.
func (m *Machine) Actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"open":      m.open,
		"append":    m.append,
		"appendAll": m.appendAll,
		"record":    m.record,
		"drain":     m.drain,
		"sync":      func(t *rapid.T) { wait(t, m.Store) },
		"":          m.check,
	}
}

func (m *Machine) note(redo func(*Model)) {
	redo(m.Model)
	if m.Note != nil {
		m.Note(redo)
	}
}

func (m *Machine) check(t *rapid.T) {
	if err := m.Model.Check(m.Store); err != nil {
		t.Fatalf("%v", err)
	}
}

func (m *Machine) open(t *rapid.T) {
	m.names++
	identity := fmt.Sprint("client", m.names)
	id := openSession(t, m.Store, identity)
	if m.Model.Sessions[id] != nil {
		t.Fatalf("session name %d was given twice", id)
	}
	m.note(func(model *Model) { model.Open(id, identity) })
}

// ids returns the sessions in a fixed order.
func (m *Machine) ids() []session.ID { return slices.Sorted(maps.Keys(m.Model.Sessions)) }

func (m *Machine) send(t *rapid.T, msg *session.Message, to []session.ID) {
	if err := m.Store.Append(msg, to); err != nil {
		t.Fatalf("append: %v", err)
	}
	m.note(func(model *Model) { model.Append(msg, to) })
}

func message(t *rapid.T) *session.Message {
	topic := rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "topic")
	payload := make([]byte, rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 20000)).Draw(t, "size"))
	for i := range payload {
		payload[i] = byte(i)
	}
	expires := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 1<<41), rapid.Int64Range(1<<40, 1<<40+1000))
	return session.NewMessage(topic, payload, session.Time(expires.Draw(t, "expires")))
}

func (m *Machine) append(t *rapid.T) {
	ids := m.ids()
	if len(ids) == 0 {
		t.Skip()
	}
	to := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, min(4, len(ids)), rapid.ID).Draw(t, "to")
	for range rapid.IntRange(1, 20).Draw(t, "n") {
		m.send(t, message(t), to)
	}
}

func (m *Machine) appendAll(t *rapid.T) { m.send(t, message(t), m.ids()) }

// record makes some random changes with one call.
func (m *Machine) record(t *rapid.T) {
	ids := m.ids()
	if len(ids) == 0 {
		t.Skip()
	}
	var changes []session.Change
	for range rapid.IntRange(1, 5).Draw(t, "n") {
		changes = append(changes, m.change(t, rapid.SampledFrom(ids).Draw(t, "session")))
	}
	if err := m.Store.Record(changes); err != nil {
		t.Fatalf("record: %v", err)
	}
	m.note(func(model *Model) {
		for _, c := range changes {
			model.Record(c)
		}
	})
}

func (m *Machine) change(t *rapid.T, id session.ID) session.Change {
	kinds := []session.ChangeKind{session.Connected, session.Disconnected, session.Subscribed,
		session.Unsubscribed, session.Sent, session.Sent, session.Done, session.Done, session.Done}
	c := session.Change{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Session: id}
	if rapid.IntRange(0, 30).Draw(t, "closed") == 0 {
		c.Kind = session.Closed
	}
	q := m.Model.Sessions[id].Queue
	switch c.Kind {
	case session.Disconnected:
		c.Until = session.Time(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 1<<41)).Draw(t, "until"))
		c.Ref = session.Ref(rapid.Uint64Range(0, 2000).Draw(t, "doubtful"))
	case session.Subscribed, session.Unsubscribed:
		c.Filter = rapid.SampledFrom([]string{"a", "b/+", "c/#", "$x", "a/much/longer/filter/é"}).Draw(t, "filter")
		c.QoS = byte(rapid.IntRange(0, 1).Draw(t, "qos"))
	case session.Sent, session.Done:
		c.Ref = session.Ref(rapid.Uint64Range(0, 2000).Draw(t, "ref"))
		if len(q) > 0 {
			c.Ref = q[rapid.IntRange(0, len(q)-1).Draw(t, "place")].Ref
		}
		c.PacketID = rapid.Uint16Min(1).Draw(t, "packetID")
	}
	return c
}

// drain acknowledges the first messages of a session, in order.
func (m *Machine) drain(t *rapid.T) {
	ids := m.ids()
	if len(ids) == 0 {
		t.Skip()
	}
	id := rapid.SampledFrom(ids).Draw(t, "session")
	q := m.Model.Sessions[id].Queue
	n := rapid.IntRange(0, len(q)).Draw(t, "n")
	var changes []session.Change
	for _, s := range q[:n] {
		changes = append(changes, session.Change{Kind: session.Done, Session: id, Ref: s.Ref})
	}
	if err := m.Store.Record(changes); err != nil {
		t.Fatalf("record: %v", err)
	}
	m.note(func(model *Model) {
		for _, c := range changes {
			model.Record(c)
		}
	})
}

func testStateMachine(t *testing.T, target Target) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "store")
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer os.RemoveAll(dir)
		m := &Machine{Store: target.open(t, dir)}
		defer func() { m.Store.Close() }()
		m.Model = recoverModel(t, m.Store)
		actions := m.Actions()
		if target.Durable {
			actions["reopen"] = func(t *rapid.T) {
				if err := m.Store.Close(); err != nil {
					t.Fatalf("close: %v", err)
				}
				m.Store = target.open(t, dir)
				recovered := recoverModel(t, m.Store)
				if diff := m.Model.Diff(recovered); diff != "" {
					t.Fatalf("recovered (-want +got):\n%s", diff)
				}
			}
		}
		t.Repeat(actions)
	})
}
