package device

import (
	"errors"
	"slices"
	"sync"

	"sampan/session/wal"
)

// memoryLog is a log without a disk. Positions count entries from 1.
type memoryLog struct {
	mu      sync.Mutex
	entries [][]byte
	first   int // number of entries before entries[0]
	keep    int // entries that Truncate leaves before its position, as a log of whole segments does
	failing error
	closed  bool
}

func (l *memoryLog) Append(parts ...[]byte) (wal.Pos, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing != nil {
		return 0, l.failing
	}
	l.entries = append(l.entries, slices.Concat(parts...))
	return wal.Pos(l.first + len(l.entries)), nil
}

func (l *memoryLog) Wait() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failing
}

func (l *memoryLog) Stats() wal.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return wal.Stats{Failure: l.failing}
}

func (l *memoryLog) Replay(_ wal.Pos, fn func(wal.Pos, []byte) error) (wal.Report, error) {
	for i, e := range l.entries {
		if err := fn(wal.Pos(l.first+i+1), slices.Clone(e)); err != nil {
			return wal.Report{}, err
		}
	}
	return wal.Report{}, nil
}

func (l *memoryLog) Truncate(before wal.Pos) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	drop := int(before) - 1 - l.first - l.keep
	if drop > 0 {
		l.entries = slices.Clone(l.entries[drop:])
		l.first += drop
	}
	return l.failing
}

func (l *memoryLog) Close() error {
	if l.closed {
		return errors.New("closed twice")
	}
	l.closed = true
	return nil
}

// reopened is the log as the next process finds it, with its first n entries.
func (l *memoryLog) reopened(n int) *memoryLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &memoryLog{entries: slices.Clone(l.entries[:min(n, len(l.entries))]), first: l.first, keep: l.keep}
}
