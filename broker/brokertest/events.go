package brokertest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"sampan/broker"
)

// Events is an Observer that keeps every event.
type Events struct {
	next broker.Observer

	mu     sync.Mutex // guards what follows
	events []broker.Event
	more   chan struct{} // closed when an event comes
}

// NewEvents returns a recorder that hands every event on to next, which may be nil.
func NewEvents(next broker.Observer) *Events {
	return &Events{next: next, more: make(chan struct{})}
}

// Observe implements broker.Observer.
func (r *Events) Observe(e broker.Event) {
	if r.next != nil {
		r.next.Observe(e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.more)
	r.more = make(chan struct{})
}

// All returns the events so far.
func (r *Events) All() []broker.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Of returns the events of one kind so far.
func (r *Events) Of(kind broker.EventKind) []broker.Event {
	return slices.DeleteFunc(r.All(), func(e broker.Event) bool { return e.Kind != kind })
}

// Wait returns the first event, of the past or the future, for which want returns true. It fails the test
// if none comes.
func (r *Events) Wait(t testing.TB, what string, want func(broker.Event) bool) broker.Event {
	t.Helper()
	timeout := time.After(Patience)
	for from := 0; ; {
		r.mu.Lock()
		events, more := r.events, r.more
		r.mu.Unlock()
		for _, e := range events[from:] {
			if want(e) {
				return e
			}
		}
		from = len(events)
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("no event: %s; there were %d:\n%+v", what, len(events), events)
		}
	}
}

// WaitFor is Wait for the first event of a kind about a client. An empty client means any.
func (r *Events) WaitFor(t testing.TB, kind broker.EventKind, client string) broker.Event {
	t.Helper()
	return r.Wait(t, kind.String()+" "+client, func(e broker.Event) bool {
		return e.Kind == kind && (client == "" || e.Client == client)
	})
}
