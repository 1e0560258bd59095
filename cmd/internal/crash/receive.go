package crash

import "sampan/cmd/internal/client"

// received notes a message that came to a subscriber from a start of the broker, and judges it.
func (l *ledger) received(sub, broker int, m client.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick()
	s := l.subscribers[sub]
	run, stream, number, err := parsePayload(m.Payload)
	if err == nil && (run != l.run || stream >= len(l.streams) || number == 0 || number > uint64(len(l.streams[stream].sent))) {
		l.faults.add(Damaged, "%s got message %d of stream %d in run %x, which nobody sent", s.name, number, stream, run)
		return
	}
	if err != nil || m.Topic != l.streams[stream].topic || m.QoS != 1 || m.ID == 0 || m.Retain {
		l.faults.add(Damaged, "%s got %d bytes on %s with QoS %d, identifier %d: %v", s.name, len(m.Payload), m.Topic, m.QoS, m.ID, err)
		return
	}
	what := id{stream, number}
	if before, taken := s.flying[m.ID]; taken && before != what {
		l.faults.add(Identifier, "%s got message %d of %s with identifier %d, which message %d of %s still has",
			s.name, number, m.Topic, m.ID, before.number, l.streams[before.stream].topic)
	}
	s.flying[m.ID] = what
	l.note(s, what, broker, m)
	if l.final != nil && what == l.final.id && !s.complete {
		s.complete = true
		l.checkSettled()
	}
}

// note enters a receipt. Called with mu held.
func (l *ledger) note(s *subscriber, what id, broker int, m client.Message) {
	for len(s.got[what.stream]) < int(what.number) {
		s.got[what.stream] = append(s.got[what.stream], receipt{})
	}
	if sent := l.streams[what.stream].sent[what.number-1]; sent.acknowledged != 0 && sent.broker < broker {
		l.counts.Outlived++
	}
	r := &s.got[what.stream][what.number-1]
	if r.times == 0 {
		l.counts.Received++
		if l.streams[what.stream].steady && l.required(s, what) {
			s.owed--
		}
		if last := s.last[what.stream]; what.number < last {
			l.faults.add(Reordered, "%s got message %d of %s for the first time after message %d", s.name, what.number, m.Topic, last)
		}
		s.last[what.stream] = max(s.last[what.stream], what.number)
		if l.forbidden(s, what) {
			l.faults.add(Unsubscribed, "%s got message %d of %s, which was sent after its UNSUBACK", s.name, what.number, m.Topic)
		}
	} else {
		l.counts.Redelivered++
		switch {
		case r.connection == s.session:
			l.faults.add(Doubled, "%s got message %d of %s twice on one connection", s.name, what.number, m.Topic)
		case !m.Dup:
			l.faults.add(Doubled, "%s got message %d of %s a second time without DUP: first from start %d of the broker, then from start %d",
				s.name, what.number, m.Topic, r.broker, broker)
		}
		if r.identifier != m.ID {
			l.counts.Renumbered++
			if r.broker == broker && !r.acked {
				l.faults.add(Identifier, "%s got message %d of %s with identifier %d, and again, from the same start of the broker, with %d",
					s.name, what.number, m.Topic, r.identifier, m.ID)
			}
		}
	}
	r.times++
	r.identifier, r.connection, r.broker, r.acked = m.ID, s.session, broker, false
}

// acking is called before a subscriber acknowledges a message.
func (l *ledger) acking(sub int, identifier uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.subscribers[sub]
	if what, ok := s.flying[identifier]; ok {
		delete(s.flying, identifier)
		s.got[what.stream][what.number-1].acked = true
	}
}

// finish says which message is the last one. It may have come already.
func (l *ledger) finish(stream int, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.final = &final{id{stream, number}}
	for _, s := range l.subscribers {
		s.complete = s.has(l.final.id)
	}
	l.checkSettled()
}

// checkSettled is called with mu held.
func (l *ledger) checkSettled() {
	for _, s := range l.subscribers {
		if !s.complete {
			return
		}
	}
	select {
	case <-l.settled:
	default:
		close(l.settled)
	}
}

// audit looks for what was acknowledged and has not come. Of a run that has not waited for the last messages, since it
// was interrupted or the broker had gone, only that counts behind which something has come: the rest may have been on
// its way.
func (l *ledger) audit(waited bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.subscribers {
		for i, stream := range l.streams {
			for n := range stream.sent {
				m := id{i, uint64(n + 1)}
				if !waited && m.number > s.last[i] {
					break
				}
				if !s.has(m) && l.required(s, m) {
					l.faults.add(Lost, "%s never got message %d of %s, acknowledged by start %d of the broker",
						s.name, m.number, stream.topic, stream.sent[n].broker)
				}
			}
		}
	}
}

// snapshot is what has happened so far.
func (l *ledger) snapshot() (Counts, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts, l.faults.total()
}
