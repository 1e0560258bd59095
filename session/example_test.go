package session_test

import (
	"fmt"

	"sampan/session"
	"sampan/session/memstore"
)

// A client that goes away with a message unacknowledged, and comes back.
func ExampleSession() {
	store := memstore.New()
	defer store.Close()
	s, err := session.Create(store, "lamp", session.Options{Budget: new(session.Budget)})
	if err != nil {
		panic(err)
	}
	m := session.NewMessage([]byte("lamp/on"), []byte("now"), 0)
	if err := store.Append(m, []session.ID{s.ID()}); err != nil {
		panic(err)
	}
	id, ok := s.Send(m)
	fmt.Println("sent as", id, ok)

	s.Resume() // a new connection
	out, result := s.Next(0)
	for result == session.NotLoaded { // the session does not hold what the store has
		var refs [8]session.Ref
		for _, r := range refs[:s.Wanted(refs[:])] {
			m, _ := store.Load(r) // nil: it cannot be read
			s.Loaded(r, m)
		}
		out, result = s.Next(0)
	}
	fmt.Println("again as", out.ID, "DUP", out.Redelivery)
	fmt.Println("acknowledged", s.Ack(out.ID), "in flight", s.InFlight())
	// Output:
	// sent as 1 true
	// again as 1 DUP true
	// acknowledged true in flight 0
}
