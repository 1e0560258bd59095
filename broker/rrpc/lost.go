package rrpc

import (
	"sync"
	"time"
)

// lost remembers the devices whose connection was lost, each for one keep-alive.
type lost struct {
	mu    sync.Mutex
	until map[string]time.Time
	order []string // oldest first; may name devices that are gone from until
}

// maxLost bounds the memory; beyond it the oldest is forgotten, and then called OFFLINE.
const maxLost = 100_000

func (l *lost) add(key string, now time.Time, keepAlive time.Duration) {
	if keepAlive <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until == nil {
		l.until = make(map[string]time.Time)
	}
	for len(l.order) > 0 {
		first := l.order[0]
		if until, there := l.until[first]; there && len(l.order) < maxLost && now.Before(until) {
			break
		}
		delete(l.until, first)
		l.order = l.order[1:]
	}
	l.until[key] = now.Add(keepAlive)
	l.order = append(l.order, key)
}

func (l *lost) remove(key string) {
	l.mu.Lock()
	delete(l.until, key)
	l.mu.Unlock()
}

func (l *lost) recently(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	until, ok := l.until[key]
	return ok && now.Before(until)
}
