package ledger

import (
	"slices"
	"sync"

	"sampan/session/wal"
)

// memory is a log without a disk: it holds the entries that count.
type memory struct {
	mu      sync.RWMutex
	last    wal.Pos
	entries map[wal.Pos][]byte
}

// Append is part of log.
func (m *memory) Append(parts ...[]byte) (wal.Pos, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = make(map[wal.Pos][]byte)
	}
	m.last++
	if parts[0][0]&deleted == 0 {
		m.entries[m.last] = slices.Concat(parts...)
	}
	return m.last, nil
}

// forget gives up an entry, which may not be there.
func (m *memory) forget(pos wal.Pos) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, pos)
}

// ReadAt is part of log.
func (m *memory) ReadAt(pos wal.Pos, dst []byte) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, ok := m.entries[pos]
	if !ok {
		return nil, wal.ErrTruncated
	}
	return append(dst[:0], e...), nil
}

// Sync is part of log.
func (m *memory) Sync(done func(error)) { done(nil) }

// Wait is part of log.
func (m *memory) Wait() error { return nil }

// Close is part of log.
func (m *memory) Close() error { return nil }
