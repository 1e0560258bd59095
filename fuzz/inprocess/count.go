package inprocess

import (
	"fmt"
	"slices"
	"strings"

	"sampan/broker"
	"sampan/fuzz/model"
)

// Count implements script.Counter: nothing is left of what has ended, and the statistics and the list of clients say
// what there is.
func (t *Target) Count(m *model.Model) error {
	n := m.Count()
	if t.watched {
		n.Subscriptions++
	}
	s := t.b.Stats()
	got := [...]int64{s.Connected, s.Sessions, s.Clients, s.Subscriptions, s.OutboundBytes}
	want := [...]int64{int64(n.Connected), int64(len(n.Sessions)), int64(len(n.Sessions)), int64(n.Subscriptions), 0}
	if got != want {
		return fmt.Errorf("connected, sessions, clients, subscriptions, outbound bytes: %d, want %d", got, want)
	}
	sessions := t.sessions()
	if t.rules.Outbound > 0 { // how many wait for a client that has not read is a matter of when it began to
		for _, of := range [...][]model.Session{sessions, n.Sessions} {
			for i := range of {
				of[i].Queued, of[i].InFlight = 0, 0
			}
			slices.SortFunc(of, model.Session.Compare)
		}
	} else if s.QueuedMessages != int64(n.Queued) {
		return fmt.Errorf("%d messages wait, want %d", s.QueuedMessages, n.Queued)
	}
	if !slices.Equal(sessions, n.Sessions) {
		return fmt.Errorf("the broker says it has %+v, want %+v", sessions, n.Sessions)
	}
	return nil
}

// sessions is the broker's list of them, sorted.
func (t *Target) sessions() (all []model.Session) {
	t.b.Clients(func(c broker.ClientInfo) bool {
		s := model.Session{Client: c.Key, Connected: c.Connected, Persistent: c.Persistent, Subscriptions: c.Subscriptions,
			Queued: c.QueuedCount, InFlight: c.InFlight}
		if strings.HasPrefix(c.Key, "auto-") || c.Key[0] == 0 {
			s.Client = ""
		}
		all = append(all, s)
		return true
	})
	slices.SortFunc(all, model.Session.Compare)
	return all
}
