package tlsconf

import (
	"io"
	"sync"
	"time"
)

const (
	// DefaultTicketRotation is how often the key for session tickets changes.
	DefaultTicketRotation = 12 * time.Hour
	// ticketKeysKept: the one in use and two that are still accepted, so a
	// ticket is good for at least two rotations and at most three.
	ticketKeysKept = 3
)

// tickets holds the keys for session tickets. They are made here and never
// leave memory: who learns one can read the connections it was used for.
type tickets struct {
	every time.Duration
	rand  io.Reader

	mu   sync.Mutex
	keys [][32]byte // newest first
	next time.Time  // when the newest is too old
}

// current gives the keys for now, and whether they have changed. Keys that
// nobody used for long are dropped at once, not one by one.
func (t *tickets) current(now time.Time) (keys [][32]byte, changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.keys) > 0 && now.Before(t.next) {
		return t.keys, false, nil
	}
	keep := ticketKeysKept - 1
	if len(t.keys) > 0 {
		missed := int(min(now.Sub(t.next)/t.every, ticketKeysKept))
		keep = max(0, keep-missed)
	}
	var key [32]byte
	if _, err := io.ReadFull(t.rand, key[:]); err != nil {
		return t.keys, false, err
	}
	// A new slice: the old one is in use.
	fresh := append(make([][32]byte, 0, ticketKeysKept), key)
	t.keys = append(fresh, t.keys[:min(keep, len(t.keys))]...)
	t.next = now.Add(t.every)
	return t.keys, true, nil
}
