package broker

import (
	"slices"
	"time"

	"sampan/packet"
	"sampan/session"
	"sampan/topictree"
)

// ClientInfo describes a client at one moment.
type ClientInfo struct {
	Key           string
	ClientID      string // as sent in CONNECT; empty while not connected
	Addr          string
	Connected     bool
	Persistent    bool
	Level         byte
	ConnectedAt   time.Time     // when its connection was accepted, to the millisecond; zero while not connected
	LastPacket    time.Duration // since the last packet from the client, or since it was HeldUp, if connected
	KeepAlive     time.Duration // 0: none
	Subscriptions int
	QueuedCount   int
	QueuedBytes   int64
	InFlight      int

	// HeldUp says that nothing is read from the client at this moment: it does not take its answers, is over its
	// quota, too many of its messages wait for the store, or the last ones for that, an Interceptor or an Observer.
	HeldUp bool
}

// Client describes the client with this key. It reports false if there is no such session.
func (b *Broker) Client(key string) (ClientInfo, bool) {
	cl, _ := b.clients.acquire(b, key, false, 0)
	if cl == nil {
		return ClientInfo{}, false
	}
	defer b.clients.release(cl)
	return cl.info()
}

// Clients calls f for each client until it returns false. Clients that come or go meanwhile may be missed.
func (b *Broker) Clients(f func(ClientInfo) bool) {
	b.clients.each(func(cl *client) bool {
		info, ok := cl.info()
		return !ok || f(info)
	})
}

func (cl *client) info() (ClientInfo, bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	i := ClientInfo{Key: cl.key}
	if s := cl.session; s != nil {
		i.Persistent = s.Persistent()
		i.Subscriptions = s.SubscriptionCount()
		i.QueuedCount, i.QueuedBytes = s.Queued()
		i.InFlight = s.InFlight()
	}
	if c := cl.conn; c != nil {
		i.Connected, i.ClientID, i.Addr, i.Level = true, c.clientID, c.addr(), c.level
		i.ConnectedAt = time.UnixMilli(int64(c.since))
		i.LastPacket = time.Duration(cl.broker.ticker.Nanos() - c.lastRead.Load())
		i.HeldUp = c.busy.Load()
		if alive := c.aliveFor.Load(); alive < never {
			i.KeepAlive = time.Duration(alive) * 2 / 3
		}
	}
	return i, cl.session != nil
}

// HasSubscribers reports whether a message on the topic would go to anybody, within the process or not.
func (b *Broker) HasSubscribers(topic string) bool {
	var m topictree.Matches[*client]
	b.tree.Match([]byte(topic), &m)
	return m.Len() > 0
}

// Subscribers is to how many clients a message on the topic would go, without the one with the key except
// and without subscribers within the process. Given a topic filter, it counts those who have subscribed to
// a wider one or to the same.
func (b *Broker) Subscribers(topic, except string) (n int) {
	var m topictree.Matches[*client]
	b.tree.Match([]byte(topic), &m)
	for _, chunk := range m.Chunks() {
		for i := range chunk {
			if cl := chunk[i].Subscriber; cl.handler == nil && cl.key != except {
				n++
			}
		}
	}
	return n
}

// Disconnect closes a client's connection, for example because its device was disabled; why goes into the
// log. Its session stays. It reports whether there was a connection.
func (b *Broker) Disconnect(key, why string) bool {
	cl, _ := b.clients.acquire(b, key, false, 0)
	if cl == nil {
		return false
	}
	defer b.clients.release(cl)
	cl.mu.Lock()
	c := cl.conn
	cl.mu.Unlock()
	if c == nil {
		return false
	}
	c.stop(&ending{reason: Kicked, detail: why})
	return true
}

// Discard ends a client's session, and its connection if it has one.
func (b *Broker) Discard(key, why string) bool {
	cl, _ := b.clients.acquire(b, key, false, 0)
	if cl == nil {
		return false
	}
	defer b.clients.release(cl)
	cl.takeover.Lock()
	defer cl.takeover.Unlock()
	cl.mu.Lock()
	c := cl.conn
	cl.mu.Unlock()
	if c != nil {
		c.stop(&ending{reason: Kicked, detail: why})
		<-c.done.closed()
	}
	cl.mu.Lock()
	had := cl.session != nil
	cl.endSession()
	cl.mu.Unlock()
	if had {
		b.emit(Event{Kind: SessionDiscarded, Client: key, Rule: "discarded", Detail: why})
	}
	return had || c != nil
}

// Reauthorize asks the client's Authorizer again about each of its subscriptions, after permissions have
// changed, and removes those that are not allowed any more. It returns how many it removed.
func (b *Broker) Reauthorize(key string) int {
	cl, _ := b.clients.acquire(b, key, false, 0)
	if cl == nil {
		return 0
	}
	defer b.clients.release(cl)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.conn == nil {
		return 0
	}
	lost := cl.reauthorize(cl.conn.principal)
	cl.flushSession(cl.session)
	return lost
}

// reauthorize removes the subscriptions that the principal may not have, but for those that the broker makes
// for it. Called with cl.mu held.
func (cl *client) reauthorize(p *Principal) int {
	if p.Authorizer == nil {
		return 0
	}
	var lost []string
	for filter := range cl.session.Filters() {
		own := slices.ContainsFunc(p.Subscriptions, func(s session.Subscription) bool { return s.Filter == filter })
		if !own && !p.Authorizer.MaySubscribe([]byte(filter)).OK {
			lost = append(lost, filter)
		}
	}
	for _, filter := range lost {
		cl.unsubscribeOne(filter)
	}
	return len(lost)
}

// AddSubscription and RemoveSubscription change a session on the client's behalf, for example the
// subscriptions of a gateway for its sub-devices; neither the client's permissions nor Options.MaxSubscriptions count.
// They report false if there is no such session, or if no client could subscribe so: the filter is not valid, or the
// QoS above 1.
func (b *Broker) AddSubscription(key, filter string, qos byte) bool {
	if qos > 1 || packet.ValidTopicFilter([]byte(filter), nil) != nil {
		return false
	}
	return b.withSession(key, func(cl *client) { cl.subscribe(filter, qos) })
}

// RemoveSubscription is described at AddSubscription.
func (b *Broker) RemoveSubscription(key, filter string) bool {
	return b.withSession(key, func(cl *client) { cl.unsubscribeOne(filter) })
}

// RemoveSubscriptions removes those of a session's subscriptions that which says, whether its client is connected or
// not, and returns how many. which must not call the broker.
func (b *Broker) RemoveSubscriptions(key string, which func(filter string) bool) (removed int) {
	b.withSession(key, func(cl *client) {
		for _, filter := range slices.Collect(cl.session.Filters()) {
			if which(filter) && cl.unsubscribeOne(filter) {
				removed++
			}
		}
	})
	return removed
}

func (b *Broker) withSession(key string, f func(*client)) bool {
	cl, _ := b.clients.acquire(b, key, false, 0)
	if cl == nil {
		return false
	}
	defer b.clients.release(cl)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.session == nil {
		return false
	}
	f(cl)
	cl.flushSession(cl.session)
	return true
}
