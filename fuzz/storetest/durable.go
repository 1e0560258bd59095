package storetest

import (
	"fmt"
	"testing"

	"sampan/session"
)

func testReopen(t *testing.T, target Target) {
	dir := t.TempDir()
	m := NewModel()
	for round := range 4 {
		s := target.open(t, dir)
		if diff := m.Diff(recoverModel(t, s)); diff != "" {
			t.Fatalf("round %d: recovered (-want +got):\n%s", round, diff)
		}
		id := openSession(t, s, fmt.Sprint("client", round))
		m.Open(id, fmt.Sprint("client", round))
		for other := range m.Sessions {
			var changes []session.Change
			for i, q := range m.Sessions[other].Queue {
				switch i % 4 {
				case 0:
					changes = append(changes, session.Change{Kind: session.Sent, Session: other, Ref: q.Ref,
						PacketID: uint16(100*round + i)})
				case 1:
					changes = append(changes, session.Change{Kind: session.Done, Session: other, Ref: q.Ref})
				}
			}
			changes = append(changes,
				session.Change{Kind: session.Subscribed, Session: other, Filter: fmt.Sprint("f", round), QoS: byte(round % 2)},
				session.Change{Kind: session.Subscribed, Session: other, Filter: "always", QoS: byte(round % 2)},
				session.Change{Kind: session.Unsubscribed, Session: other, Filter: fmt.Sprint("f", round-2)},
				session.Change{Kind: session.Disconnected, Session: other, Until: session.Time(round + 1), Ref: session.Ref(round)})
			if int(other)%2 == round%2 {
				changes = append(changes, session.Change{Kind: session.Connected, Session: other})
			}
			record(t, s, changes...)
			for _, c := range changes {
				m.Record(c)
			}
			for i := range 40 {
				msg := session.NewMessage([]byte("t"), fmt.Append(nil, round, i), session.Time(i))
				to := []session.ID{other}
				if i%5 == 0 {
					to = append(to, id)
				}
				if err := s.Append(msg, to); err != nil {
					t.Fatal(err)
				}
				m.Append(msg, to)
			}
		}
		if err := m.Check(s); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func testNamesAfterReopening(t *testing.T, target Target) {
	dir := t.TempDir()
	ids, refs := map[session.ID]bool{}, map[session.Ref]bool{}
	last := session.Ref(0)
	for range 5 {
		s := target.open(t, dir)
		recoverModel(t, s)
		id := openSession(t, s, "a")
		if ids[id] {
			t.Fatalf("session name %d was given twice", id)
		}
		ids[id] = true
		for range 3 {
			r := appendMessage(t, s, "t", "x", id)
			if refs[r] || r < last {
				t.Fatalf("message name %d was given again, or is not behind %d", r, last)
			}
			refs[r], last = true, r
		}
		// Nothing is left of either, but their names stay taken.
		record(t, s, session.Change{Kind: session.Closed, Session: id})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
