package session

// InMemory is how many bytes of messages the session holds in memory: those that wait, those in flight, and
// what it counts of them as held beside a store.
func (s *Session) InMemory() (waiting, inFlight, counted int) {
	for i := range s.queue.n {
		if e := s.queue.at(i); e.held() {
			waiting += e.m.Size()
		}
	}
	for i := range s.window.n {
		if e := s.window.at(i).e; e.m != nil {
			inFlight += e.m.Size()
		}
	}
	return waiting, inFlight, s.held
}

// Unread reports whether the session would have to have a message read back before it is sent.
func (s *Session) Unread(r Ref) bool {
	for i := s.window.n - s.resend; i < s.window.n; i++ {
		if sl := s.window.at(i); sl.e.ref == r && !sl.acked {
			return sl.e.m == nil
		}
	}
	for i := range s.queue.n {
		if e := s.queue.at(i); e.ref == r {
			return e.m == nil
		}
	}
	return false
}
