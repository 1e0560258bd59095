package quota

import (
	"log/slog"
	"maps"
	"sync"
)

// Meter counts what limits refuse, by the limit's name. The zero value is ready for use; it must not be
// copied.
type Meter struct {
	// Logger gets a line for the 1st, 2nd, 4th, 8th, ... refusal by each limit. nil: slog.Default().
	Logger *slog.Logger

	mu     sync.Mutex
	counts map[string]uint64
}

// Count notes a refusal that somebody else logs, and returns how many there were. name is one of a small
// number of words in the program, not anything that a client has sent.
func (m *Meter) Count(name string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = make(map[string]uint64)
	}
	m.counts[name]++
	return m.counts[name]
}

// Refused notes a refusal and sparsely logs it: who was refused what by which limit, and the value that was
// over it.
func (m *Meter) Refused(name, who string, limit, value int64) {
	n := m.Count(name)
	if n&(n-1) != 0 {
		return
	}
	log := m.Logger
	if log == nil {
		log = slog.Default()
	}
	log.Warn("over a limit", "rule", name, "client", who, "limit", limit, "value", value, "count", n)
}

// Counts returns the refusals so far.
func (m *Meter) Counts() map[string]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		return make(map[string]uint64)
	}
	return maps.Clone(m.counts)
}
