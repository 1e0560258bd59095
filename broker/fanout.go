package broker

import (
	"bytes"
	"slices"

	"sampan/session"
	"sampan/topictree"
)

// This file is the middle of a message's path: from a run of PUBLISH packets to the outbounds of its
// subscribers. It runs on the publisher's goroutine and waits for nobody.

// route remembers where the messages of one topic go.
type route struct {
	topic   []byte
	matches topictree.Matches[*client]
	stored  []session.ID // of the receivers whose session a store keeps
}

// routes is the routes that a publisher has used last.
type routes struct {
	recent []*route
	next   int
}

// keepRoutes is how many topics a publisher can alternate between without a new match.
const keepRoutes = 4

// find returns the route of a topic, matched anew unless nothing has changed since the last time.
func (rs *routes) find(b *Broker, topic []byte) *route {
	for _, r := range rs.recent {
		if bytes.Equal(r.topic, topic) {
			if !b.tree.Current(&r.matches, topic) {
				r.match(b)
			}
			return r
		}
	}
	var r *route
	if len(rs.recent) < keepRoutes {
		r = new(route)
		rs.recent = append(rs.recent, r)
	} else {
		r = rs.recent[rs.next]
		rs.next = (rs.next + 1) % keepRoutes
	}
	r.topic = append(r.topic[:0], topic...)
	r.match(b)
	return r
}

func (r *route) match(b *Broker) {
	b.tree.Match(r.topic, &r.matches)
	r.stored = r.stored[:0]
	lower := b.opts.DeliveredQoS == LowerQoS
	for _, chunk := range r.matches.Chunks() {
		for i := range chunk {
			if e := &chunk[i]; e.QoS > 0 || !lower {
				if id := e.Subscriber.sessionID.Load(); id != 0 {
					r.stored = append(r.stored, session.ID(id))
				}
			}
		}
	}
}

// storedBut is r.stored without one client's session.
func (r *route) storedBut(except *client) []session.ID {
	if except == nil || except.sessionID.Load() == 0 {
		return r.stored
	}
	own := session.ID(except.sessionID.Load())
	return slices.DeleteFunc(slices.Clone(r.stored), func(id session.ID) bool { return id == own })
}

// deliver sends a run to everybody who subscribes to its topic. It returns whether the store took note of
// the messages, and fails only if the store does.
func (b *Broker) deliver(r *run, to *route, from *batch) (stored bool, err error) {
	var expires session.Time
	if r.qos > 0 {
		expires = b.messageExpiry()
		if targets := to.storedBut(r.except); len(targets) > 0 {
			if b.storeMayWait() {
				from.leave()
			}
			for i := range r.frames {
				if err := b.store.Append(r.message(i, expires), targets); err != nil {
					return false, err
				}
			}
			stored = true
		}
	}
	lower := b.opts.DeliveredQoS == LowerQoS
	var sent [2]uint64
	for _, chunk := range to.matches.Chunks() {
		for i := range chunk {
			e := &chunk[i]
			switch {
			case e.Subscriber == r.except:
			case e.Subscriber.handler != nil:
				e.Subscriber.handler.put(r)
			case r.qos == 0 || lower && e.QoS == 0:
				sent[0] += e.Subscriber.deliverQoS0(r, from)
			default:
				sent[1] += e.Subscriber.deliverQoS1(r, expires, stored, from)
			}
		}
	}
	for qos, n := range sent {
		if n > 0 {
			b.stats.sent[qos].Add(n)
		}
	}
	return stored, nil
}

// messageExpiry is until when a QoS 1 message published now is kept.
func (b *Broker) messageExpiry() session.Time {
	if b.opts.MessageExpiry <= 0 {
		return 0
	}
	return b.ticker.wall() + session.Time(b.opts.MessageExpiry.Milliseconds())
}

// deliverQoS0 hands a run to a client's outbound, or as many of its packets as there is room for, and
// returns how many.
func (cl *client) deliverQoS0(r *run, from *batch) uint64 {
	n := uint64(len(r.frames))
	out := cl.out.Load()
	if out == nil {
		cl.broker.stats.reasons[DropOffline].Add(n)
		return 0
	}
	p := r.atQoS0()
	out.mu.Lock()
	if out.closed {
		out.mu.Unlock()
		cl.broker.stats.reasons[DropOffline].Add(n)
		return 0
	}
	if out.lend(p, from) {
		out.mu.Unlock()
		return n
	}
	start, taken := 0, uint64(0)
	for i := range r.frames {
		end := r.endAtQoS0(i)
		if !out.lend(p[start:end], from) {
			break
		}
		start = end
		taken++
	}
	out.mu.Unlock()
	cl.broker.stats.reasons[DropOutboundFull].Add(n - taken)
	return taken
}

// deliverQoS1 gives each message of a run an identifier and hands it to the client's outbound, as far as
// window and outbound allow; the rest waits in the session. It returns how many were handed over.
func (cl *client) deliverQoS1(r *run, expires session.Time, stored bool, from *batch) uint64 {
	if cl.sessionID.Load() != 0 && cl.broker.storeMayWait() {
		from.leave() // it notes what was sent
	}
	cl.mu.Lock()
	s := cl.session
	if s == nil {
		cl.mu.Unlock()
		cl.broker.stats.reasons[DropOffline].Add(uint64(len(r.frames)))
		return 0
	}
	keep := s.Persistent()
	if keep && !stored {
		// The session became one that is stored after the match; its client had no connection in
		// between that could have subscribed, so the message was not for this session.
		cl.mu.Unlock()
		return 0
	}
	i := 0
	if out := cl.out.Load(); out != nil {
		out.mu.Lock()
		for ; i < len(r.frames) && !out.closed; i++ {
			size := r.frames[i].end - r.frames[i].start
			if !out.room(size) {
				out.starved = true
				break
			}
			var m *session.Message
			if keep {
				m = r.message(i, expires)
			}
			id, ok := s.Send(m)
			if !ok {
				break
			}
			out.take(from)
			out.extend(size)
			out.pending = r.appendQoS1(out.pending, i, id)
		}
		out.mu.Unlock()
	}
	sent := uint64(i)
	for ; i < len(r.frames); i++ {
		s.Enqueue(r.message(i, expires))
	}
	if keep {
		cl.flushSession(s)
	}
	drops := cl.takeCounters()
	cl.mu.Unlock()
	cl.report(drops, from)
	return sent
}
