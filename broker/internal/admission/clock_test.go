package admission

import (
	"sync"
	"time"
)

// manual is a clock that the test moves.
type manual struct {
	mu     sync.Mutex // guards what follows
	now    int64
	timers map[int]timer
	made   int
}

type timer struct {
	at int64
	f  func()
}

func newManual() *manual { return &manual{now: 1, timers: map[int]timer{}} }

func (m *manual) Nanos() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *manual) After(d time.Duration, f func()) (stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made++
	id := m.made
	m.timers[id] = timer{m.now + int64(d), f}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.timers, id)
	}
}

// advance moves the clock and calls what has become due.
func (m *manual) advance(d time.Duration) {
	m.mu.Lock()
	m.now += int64(d)
	var due []func()
	for id, t := range m.timers {
		if t.at <= m.now {
			due = append(due, t.f)
			delete(m.timers, id)
		}
	}
	m.mu.Unlock()
	for _, f := range due {
		f()
	}
}
