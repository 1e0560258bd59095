package inprocess

import (
	"sync"

	"sampan/session"
)

// lateStore is a store that can be made to wait before it says that something holds.
type lateStore struct {
	session.Store
	mu    sync.Mutex // guards what follows
	waits bool
	asked []func(error)
}

// Sync implements session.Store.
func (l *lateStore) Sync(f func(error)) {
	l.mu.Lock()
	if l.waits {
		l.asked = append(l.asked, f)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	l.Store.Sync(f)
}

func (l *lateStore) late(waits bool) {
	l.mu.Lock()
	l.waits = waits
	asked := l.asked
	l.asked = nil
	l.mu.Unlock()
	for _, f := range asked {
		l.Store.Sync(f)
	}
}
