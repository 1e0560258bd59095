package model

import (
	"cmp"
	"slices"
	"strings"
)

// Count is what a broker holds for its clients.
type Count struct {
	Connected, Subscriptions, Queued int
	Sessions                         []Session // sorted
}

// Session describes a session.
type Session struct {
	Client                string // empty: it has no name
	Connected, Persistent bool
	Subscriptions         int
	Queued                int // messages that wait, even if their time is over: nobody looks before it is their turn
	InFlight              int // messages sent above QoS 0 and not acknowledged
}

// Count counts what is there now.
func (m *Model) Count() (n Count) {
	for _, s := range m.sessions {
		d := Session{Client: s.key, Connected: s.conn != nil, Persistent: s.persistent, Subscriptions: len(s.subs),
			Queued: len(s.queue), InFlight: len(s.flight)}
		if s.key[0] == 0 {
			d.Client = ""
		}
		if d.Connected {
			n.Connected++
		}
		n.Subscriptions += d.Subscriptions
		n.Queued += d.Queued
		n.Sessions = append(n.Sessions, d)
	}
	slices.SortFunc(n.Sessions, Session.Compare)
	return n
}

// Compare is the order of sessions: by name, and those without one by what they have.
func (s Session) Compare(o Session) int {
	return cmp.Or(strings.Compare(s.Client, o.Client), s.Subscriptions-o.Subscriptions, s.Queued-o.Queued, s.InFlight-o.InFlight)
}
