package broker

import (
	"errors"
	"strconv"
	"time"

	"sampan/broker/internal/netx"
	"sampan/packet"
	"sampan/session"
)

// connect handles CONNECT: who is it, may it come in, which session does it get.
func (c *conn) connect(w *work, f packet.Frame) error {
	b := c.broker
	c.arrival.served()
	var p packet.Connect
	if err := p.Decode(f, c.limits); err != nil {
		return err
	}
	c.clientID, c.level = string(p.ClientID), p.Level
	if p.Ignored != 0 {
		c.reportIgnored(p.Ignored, nil)
	}
	asked := time.Duration(p.KeepAlive) * time.Second
	principal, err := c.authenticate(w.batch.turn, &p, asked)
	if e := c.end.Load(); e != nil {
		return e // the time for CONNECT ran out meanwhile
	}
	if b.ctx.Err() != nil {
		// Whatever the authenticator says now, it is not the client's credentials.
		return c.refuse(w, &Refusal{Code: packet.RefusedUnavailable, Rule: "shutting-down"})
	}
	if err != nil {
		var r *Refusal
		if !errors.As(err, &r) {
			r = &Refusal{Code: packet.RefusedCredentials, Rule: "authenticator", Detail: err.Error()}
		}
		return c.refuse(w, r)
	}
	if principal.Key == "" {
		if b.opts.Authenticator != nil || !p.CleanSession {
			return c.refuse(w, &Refusal{Code: packet.RefusedIdentifier, Rule: "MQTT-3.1.3-8", Detail: "no identity"})
		}
		// A client without a name gets one of its own [MQTT-3.1.3-6].
		named := *principal
		named.Key = b.uniqueKey()
		principal = &named
	}
	keepAlive := max(0, principal.KeepAlive)
	if principal.KeepAlive == 0 {
		var refusal *Refusal
		if keepAlive, refusal = b.opts.keepAlive(asked); refusal != nil {
			return c.refuse(w, refusal)
		}
	}
	c.imposed = keepAlive > 0 && (asked == 0 || keepAlive < asked)
	c.principal = principal
	clean := p.CleanSession || principal.Ephemeral
	present, discarded, err := c.takeOver(w, clean, keepAlive)
	if discarded {
		c.emit(Event{Kind: SessionDiscarded, Client: principal.Key, Rule: "MQTT-3.1.2-6"})
	}
	if err != nil {
		return err
	}
	if b.heeded(Connected) {
		e := c.event(Connected)
		e.Clean, e.Present = clean, present
		c.emit(e)
	}
	return nil
}

// keepAlive returns the keep-alive in force for the one that CONNECT asks for.
func (o *Options) keepAlive(asked time.Duration) (time.Duration, *Refusal) {
	refuse := func(rule string, limit time.Duration) (time.Duration, *Refusal) {
		return 0, &Refusal{Code: packet.RefusedIdentifier, Rule: rule,
			Limit: int64(limit / time.Second), Value: int64(asked / time.Second),
			Detail: "keep-alive " + asked.String() + ", allowed " + o.KeepAliveMin.String() + " to " + o.KeepAliveMax.String()}
	}
	switch {
	case asked == 0 && (o.AllowNoKeepAlive || o.KeepAliveMin <= 0):
		return 0, nil
	case o.KeepAliveMin > 0 && asked < o.KeepAliveMin:
		return refuse("keep-alive-min", o.KeepAliveMin)
	case o.KeepAliveMax > 0 && asked > o.KeepAliveMax:
		if o.ClampKeepAlive {
			return o.KeepAliveMax, nil
		}
		return refuse("keep-alive-max", o.KeepAliveMax)
	}
	return asked, nil
}

// authenticate finds out who the client is. Without an Authenticator everybody comes in under the client identifier.
func (c *conn) authenticate(t *netx.Turn, p *packet.Connect, keepAlive time.Duration) (*Principal, error) {
	if c.broker.opts.Authenticator == nil {
		return &Principal{Key: c.clientID}, nil
	}
	t.Leave()
	ctx, cancel := c.untilConnected()
	defer cancel()
	principal, err := c.broker.opts.Authenticator.Authenticate(ctx, &ConnectRequest{
		ClientID:     c.clientID,
		Username:     string(p.Username),
		HasUsername:  p.HasUsername,
		Password:     p.Password,
		HasPassword:  p.HasPassword,
		Level:        p.Level,
		CleanSession: p.CleanSession,
		KeepAlive:    keepAlive,
		Channel:      c.channel,
	})
	if err == nil && principal == nil {
		err = errors.New("the authenticator returned neither a principal nor an error")
	}
	return principal, err
}

// refuse answers CONNECT with a return code, or not at all, and ends the connection [MQTT-3.2.2-5].
func (c *conn) refuse(w *work, r *Refusal) error {
	if r.Code != packet.Accepted {
		c.connack(w, packet.Connack{Code: r.Code})
	}
	return &ending{reason: ConnectRefused, rule: r.Rule, detail: r.Detail, limit: r.Limit, value: r.Value}
}

// refuseWithoutStore answers a CONNECT whose session cannot be kept as promised.
func (c *conn) refuseWithoutStore(w *work, err error) error {
	c.broker.storeFailed(err)
	return c.refuse(w, &Refusal{Code: packet.RefusedUnavailable, Rule: "store", Detail: err.Error()})
}

func (c *conn) connack(w *work, p packet.Connack) {
	w.scratch = p.AppendTo(w.scratch[:0])
	c.out.control(w.scratch, &w.batch)
}

// takeOver puts the connection in the place of an older one of the same client [MQTT-3.1.4-2] and attaches
// it to its session.
//
// The older connection is closed and its goroutine waited for before the new one is answered; it ends soon, unless
// the store or an interceptor takes its time. From then on nobody but the new connection works on the client's
// behalf: what the old one had received is routed before what the new one receives.
//
// It reports whether a session was resumed, and whether a clean one took the place of a kept one.
func (c *conn) takeOver(w *work, clean bool, keepAlive time.Duration) (present, discarded bool, err error) {
	b := c.broker
	cl, full := b.clients.acquire(b, c.principal.Key, true, b.opts.MaxSessions)
	if full {
		return false, false, c.refuse(w, &Refusal{Code: packet.RefusedUnavailable, Rule: "max-sessions",
			Detail: "the broker holds as many sessions as it may",
			Limit:  int64(b.opts.MaxSessions), Value: int64(b.opts.MaxSessions) + 1})
	}
	attached := false
	defer func() {
		if !attached {
			b.clients.release(cl)
		}
	}()
	if !cl.takeover.TryLock() {
		w.batch.leave()
		cl.takeover.Lock()
	}
	defer cl.takeover.Unlock()
	if end := c.end.Load(); end != nil {
		return false, false, end // gone while it waited for others: it must not push out the last of them
	}

	if !clean || cl.sessionID.Load() != 0 {
		w.batch.leave() // the store may take its time, and who has the lock may wait for it
	}
	cl.mu.Lock()
	old := cl.conn
	cl.mu.Unlock()
	if old != nil {
		w.batch.leave() // the older connection may take its time
		old.stop(&ending{reason: TakenOver, detail: "by " + c.addr() + ", connection " + strconv.FormatUint(c.number, 10)})
		<-old.done.closed()
	}
	if end := c.end.Load(); end != nil {
		return false, false, end
	}

	// What this goroutine has claimed must not wait while others are locked.
	w.batch.flush()
	cl.mu.Lock()
	discarded = clean && cl.session != nil && cl.session.Persistent()
	present, noted, err := c.attach(cl, clean)
	cl.mu.Unlock()
	if err != nil {
		return false, discarded, c.refuseWithoutStore(w, err)
	}
	attached = true
	c.client = cl
	c.admitted()
	c.limits = b.limitsFor(c.level)
	c.lastRead.Store(b.ticker.Nanos())
	c.watch(keepAlive)

	if noted {
		w.batch.leave()
		c.busy.Store(false) // its keep-alive goes on: a client that gets no answer may have given up
		if err := c.syncStore(); err != nil {
			if end := c.end.Load(); end != nil {
				return false, discarded, end // gone while it waited
			}
			c.detach()
			c.client = nil // it was never accepted
			return false, discarded, c.refuseWithoutStore(w, err)
		}
	}
	ack := packet.Connack{SessionPresent: present && c.level >= packet.Level311} // MQTT 3.1 has no such bit
	c.connack(w, ack)
	// Only now may messages reach the connection: CONNACK is first [MQTT-3.2.0-1].
	cl.open(c)
	for _, m := range c.principal.Welcome {
		c.welcome(m, &w.batch)
	}
	cl.pump(&w.batch)

	return present, discarded, nil
}

// watch sets the deadline after which the connection ends: when its keep-alive has run out, or its lifetime.
func (c *conn) watch(keepAlive time.Duration) {
	b := c.broker
	now := c.lastRead.Load()
	alive := int64(never)
	if keepAlive > 0 {
		alive = int64(keepAlive) * 3 / 2 // [MQTT-3.1.2-24]
	}
	if d := c.principal.Lifetime; d > 0 {
		c.endsAt = now + int64(d)
	}
	c.aliveFor.Store(alive)
	switch {
	case c.endsAt != 0:
		b.deadlines.Set(&c.deadline, min(c.endsAt, now+min(alive, never-now)))
	case keepAlive > 0:
		b.deadlines.Set(&c.deadline, now+alive)
	default:
		b.deadlines.Cancel(&c.deadline)
	}
	if keepAlive == 0 && c.socket != nil {
		// Who pings needs no probes of TCP, which would wake a device's radio between its pings.
		c.socket.KeepAlive()
	}
}

// welcome sends a message that the client has not asked for.
func (c *conn) welcome(m Message, from *batch) {
	p := packet.Publish{Topic: []byte(m.Topic), Payload: m.Payload}
	c.out.control(p.AppendTo(nil), from)
}

// attach gives the connection the client's session: the one there is, or a new one [MQTT-3.1.2-4,
// MQTT-3.1.2-6]. Called with cl.mu held.
func (c *conn) attach(cl *client, clean bool) (present, noted bool, err error) {
	b := c.broker
	b.deadlines.Cancel(&cl.expiry)
	if cl.session != nil && (clean || !cl.session.Persistent()) {
		noted = cl.session.Persistent()
		cl.endSession()
	}
	opts := b.opts.session(&b.budget)
	if cl.session != nil {
		present = true
		cl.session.SetOptions(opts)
		cl.reauthorize(c.principal) // permissions may have changed meanwhile
	} else {
		var s *session.Session
		if clean {
			s = session.New(opts)
		} else if s, err = session.Create(b.store, cl.key, opts); err != nil {
			return false, noted, err
		}
		cl.session = s
		cl.sessionID.Store(uint64(s.ID()))
		b.stats.sessions.Add(1)
	}
	for _, sub := range c.principal.Subscriptions {
		cl.subscribe(sub.Filter, sub.QoS)
	}
	cl.session.Resume()
	if cl.session.Persistent() {
		noted = true
	}
	cl.flushSession(cl.session)
	cl.conn, c.since = c, b.ticker.wall()
	b.stats.connected.Add(1)
	return present, noted, nil
}

// open lets messages reach the connection.
func (cl *client) open(c *conn) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	c.out.roomMade = c.roomMade
	if q, ok := c.principal.Quota.(WriteQuota); ok {
		c.out.mu.Lock()
		c.out.pace = q
		c.out.mu.Unlock()
	}
	cl.out.Store(&c.out)
}

// roomMade runs on the writer goroutine, which has the claim to the outbound.
func (c *conn) roomMade() {
	w := works.Get().(*work)
	c.client.pump(&w.batch)
	w.batch.flush()
	works.Put(w)
}

// acked notes acknowledgements in the store and sends what they have made room for.
func (cl *client) acked(b *batch) {
	cl.mu.Lock()
	more := false
	if s := cl.session; s != nil {
		cl.flushSession(s)
		more = s.Waiting()
	}
	cl.mu.Unlock()
	if more {
		cl.pump(b)
	}
}

// detach separates the connection from its session, which ends or waits for the next connection.
func (c *conn) detach() {
	b, cl := c.broker, c.client
	cl.mu.Lock()
	if cl.conn == c {
		cl.out.Store(nil)
		cl.conn = nil
		b.stats.connected.Add(-1)
		if s := cl.session; s.Persistent() {
			until := session.Time(0)
			if b.opts.SessionExpiry > 0 {
				until = b.ticker.wall() + session.Time(b.opts.SessionExpiry.Milliseconds())
			}
			s.Disconnect(until)
			cl.flushSession(s)
			cl.expireAfter(b.opts.SessionExpiry)
		} else {
			cl.endSession()
		}
	}
	drops := cl.takeCounters()
	cl.mu.Unlock()
	cl.report(drops, c)
	b.clients.release(cl)
}

// expireAfter makes the session end unless a connection resumes it before. Called with cl.mu held.
func (cl *client) expireAfter(d time.Duration) {
	if d <= 0 {
		return
	}
	b := cl.broker
	cl.expiresAt = b.ticker.Nanos() + int64(d)
	b.deadlines.Set(&cl.expiry, cl.expiresAt)
}

// expireLater is when a session is looked at again that could not be ended when its time was up.
const expireLater = time.Second

// Due is called by the deadline queue when the session may have expired. Other deadlines do not wait for the store with
// it.
func (cl *client) Due(now int64) int64 {
	b := cl.broker
	if b.prompt != nil && !b.prompt.Prompt() {
		return now + int64(expireLater)
	}
	if !b.clients.hold(cl) {
		return 0
	}
	defer b.clients.release(cl)
	cl.mu.Lock()
	// A connection may have come and gone since the deadline came up.
	ended := cl.conn == nil && cl.session != nil && now >= cl.expiresAt
	if ended {
		cl.endSession()
	}
	cl.mu.Unlock()
	if ended {
		b.emit(Event{Kind: SessionDiscarded, Client: cl.key, Rule: "session-expiry",
			Limit: int64(b.opts.SessionExpiry / time.Second)})
	}
	return 0
}
