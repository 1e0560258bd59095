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
	losses  uint64       // Broker.losses before it was matched, or found to be right still
	direct  bool         // to one client, whatever it has subscribed to
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
			losses := b.losses.Load()
			if b.tree.Current(&r.matches, topic) {
				r.losses = losses
			} else {
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
	r.losses = b.losses.Load()
	b.tree.Match(r.topic, &r.matches)
	r.stored = r.stored[:0]
	lower := b.opts.DeliveredQoS == LowerQoS
	for _, chunk := range r.matches.Chunks() {
		for i := range chunk {
			if e := &chunk[i]; e.QoS > 0 || !lower {
				if id := e.Subscriber.sessionID.Load(); id != 0 && e.Subscriber.subscribes(r) {
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
				sent[0] += e.Subscriber.deliverQoS0(r, to, from)
			default:
				sent[1] += e.Subscriber.deliverQoS1(r, to, expires, from)
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
func (cl *client) deliverQoS0(r *run, to *route, from *batch) uint64 {
	n := uint64(len(r.frames))
	out := cl.out.Load()
	if out == nil {
		cl.broker.stats.reasons[DropOffline].Add(n)
		return 0
	}
	if !cl.subscribes(to) {
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
func (cl *client) deliverQoS1(r *run, to *route, expires session.Time, from *batch) uint64 {
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
	if !cl.meant(to, keep) {
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

// A route says who had subscribed when it was matched. Until a message reaches a client, which may take as long as the
// store does, the client may have unsubscribed [MQTT-3.10.4-2], or have another session, for which it has asked for
// nothing [MQTT-3.1.2-6]. Who has lost a subscription since is looked at once more.

// lose notes that the client has lost subscriptions. It is called when the topic tree does not have them any more, with
// mu held.
func (cl *client) lose() { cl.lost.Store(cl.broker.losses.Add(1)) }

// unchanged reports whether the client has lost nothing since a route was matched.
func (cl *client) unchanged(to *route) bool { return cl.lost.Load() <= to.losses }

// subscribes reports whether the client still has a subscription that matches a route's topic, or needs none.
func (cl *client) subscribes(to *route) bool {
	if to.direct || cl.unchanged(to) {
		return true
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.matches(string(to.topic))
}

// meant reports whether a message of QoS 1 is for the client's session: what the store has in its queue is, also if the
// subscription is gone since. Called with mu held.
func (cl *client) meant(to *route, keep bool) bool {
	switch {
	case !to.direct && cl.unchanged(to):
		return true
	case keep:
		return slices.Contains(to.stored, session.ID(cl.sessionID.Load()))
	}
	return to.direct || cl.matches(string(to.topic))
}

// matches reports whether one of the session's subscriptions matches a topic. Called with mu held.
func (cl *client) matches(topic string) bool {
	if cl.session == nil {
		return false
	}
	for filter := range cl.session.Filters() {
		if filterMatches(filter, topic) {
			return true
		}
	}
	return false
}
