// Package storetest is the contract of session.Store as a test, which every implementation passes, and a
// small model of a store to compare one with.
package storetest

import (
	"testing"

	"sampan/session"
)

// Target is the implementation under test.
type Target struct {
	// Open opens the store in a directory, without calling Recover.
	Open func(dir string) (session.Store, error)

	// Durable says that what a store holds is there when its directory is opened again.
	Durable bool

	// Slow leaves out the state machine, for stores on a real disk.
	Slow bool
}

// Run tests the contract.
func Run(t *testing.T, target Target) {
	type test struct {
		name string
		run  func(t *testing.T, target Target)
	}
	tests := []test{
		{"Names", testNames},
		{"Queue", testQueue},
		{"Load", testLoad},
		{"FanOut", testFanOut},
		{"ForNobody", testForNobody},
		{"SessionClosed", testSessionClosed},
		{"UnknownNames", testUnknownNames},
		{"MessageSizes", testMessageSizes},
		{"Sync", testSync},
		{"SyncOrder", testSyncOrder},
		{"AfterClose", testAfterClose},
		{"Stats", testStats},
		{"Concurrent", testConcurrent},
	}
	if !target.Slow {
		tests = append(tests, test{"StateMachine", testStateMachine})
	}
	if target.Durable {
		tests = append(tests, test{"Reopen", testReopen}, test{"NamesAfterReopening", testNamesAfterReopening})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, target) })
	}
}

// start opens an empty store, which is closed with the test.
func (target Target) start(t testing.TB) session.Store {
	t.Helper()
	s := target.open(t, t.TempDir())
	t.Cleanup(func() { s.Close() })
	recoverModel(t, s)
	return s
}

func (target Target) open(t fataler, dir string) session.Store {
	t.Helper()
	s, err := target.Open(dir)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

// fataler is what testing.TB and rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func recoverModel(t fataler, s session.Store) *Model {
	t.Helper()
	m, err := Recover(s)
	if err != nil {
		t.Fatalf("recover: %v", err)
	}
	return m
}

func wait(t fataler, s session.Store) {
	t.Helper()
	done := make(chan error, 1)
	s.Sync(func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatalf("sync: %v", err)
	}
}

func openSession(t fataler, s session.Store, identity string) session.ID {
	t.Helper()
	id, err := s.Open(identity)
	if err != nil {
		t.Fatalf("open session %q: %v", identity, err)
	}
	return id
}

func appendMessage(t fataler, s session.Store, topic, payload string, to ...session.ID) session.Ref {
	t.Helper()
	m := session.NewMessage([]byte(topic), []byte(payload), 0)
	if err := s.Append(m, to); err != nil {
		t.Fatalf("append: %v", err)
	}
	return m.Ref()
}

func record(t fataler, s session.Store, changes ...session.Change) {
	t.Helper()
	if err := s.Record(changes); err != nil {
		t.Fatalf("record: %v", err)
	}
}

// queue returns everything queued for a session.
func queue(s session.Store, id session.ID) []session.Stored {
	var all []session.Stored
	dst := make([]session.Stored, 7)
	for after := session.Ref(0); ; {
		n := s.Queue(id, after, dst)
		if n == 0 {
			return all
		}
		all = append(all, dst[:n]...)
		after = dst[n-1].Ref
	}
}
