package rrpc

import "sync/atomic"

// Stats counts calls by result.
type Stats struct {
	Pending    int64
	MaxPending int64
	Calls      map[Code]uint64
	Unexpected uint64 // answers that nobody waited for
}

type stats struct {
	success, timeout, offline, halfConn, unknown atomic.Uint64
	unexpected                                   atomic.Uint64
}

func (s *stats) of(code Code) *atomic.Uint64 {
	switch code {
	case Success:
		return &s.success
	case Timeout:
		return &s.timeout
	case Offline:
		return &s.offline
	case HalfConn:
		return &s.halfConn
	default:
		return &s.unknown
	}
}

func (s *stats) count(code Code) { s.of(code).Add(1) }

// Stats returns a snapshot.
func (c *Caller) Stats() Stats {
	s := Stats{Pending: c.count.Load(), MaxPending: int64(c.opts.MaxPending),
		Calls: make(map[Code]uint64), Unexpected: c.stats.unexpected.Load()}
	for _, code := range []Code{Success, Timeout, Offline, HalfConn, Unknown} {
		s.Calls[code] = c.stats.of(code).Load()
	}
	return s
}
