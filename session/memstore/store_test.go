package memstore_test

import (
	"testing"

	"sampan/fuzz/storetest"
	"sampan/session"
	"sampan/session/memstore"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Target{
		Open: func(string) (session.Store, error) { return memstore.New(), nil },
	})
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	s := memstore.New()
	id, _ := s.Open("a")
	m := session.NewMessage([]byte("t"), nil, 0)
	to := []session.ID{id}
	changes := make([]session.Change, 1)
	step := func() {
		s.Append(m, to)
		changes[0] = session.Change{Kind: session.Done, Session: id, Ref: m.Ref()}
		s.Record(changes)
		s.Sync(func(error) {})
	}
	for range 1000 {
		step()
	}
	if n := testing.AllocsPerRun(10000, step); n != 0 {
		t.Fatalf("%v allocations a message", n)
	}
}

func BenchmarkAppendDone(b *testing.B) {
	s := memstore.New()
	m := session.NewMessage([]byte("t"), make([]byte, 256), 0)
	id, _ := s.Open("a")
	to := []session.ID{id}
	changes := make([]session.Change, 1)
	b.ReportAllocs()
	for b.Loop() {
		s.Append(m, to)
		changes[0] = session.Change{Kind: session.Done, Session: id, Ref: m.Ref()}
		s.Record(changes)
	}
}

func BenchmarkFanOut1000(b *testing.B) {
	s := memstore.New()
	m := session.NewMessage([]byte("t"), make([]byte, 256), 0)
	var to []session.ID
	for range 1000 {
		id, _ := s.Open("a")
		to = append(to, id)
	}
	changes := make([]session.Change, len(to))
	b.ReportAllocs()
	for b.Loop() {
		s.Append(m, to)
		for i, id := range to {
			changes[i] = session.Change{Kind: session.Done, Session: id, Ref: m.Ref()}
		}
		s.Record(changes)
	}
}
