package broker

import "sampan/packet"

// subscribe handles SUBSCRIBE: one SUBACK with a code for each filter, in their order [MQTT-3.8.4-1,
// MQTT-3.8.4-5, MQTT-3.9.3-1].
func (c *conn) subscribe(w *work, f packet.Frame) error {
	var p packet.Subscribe
	if err := p.Decode(f, c.limits); err != nil {
		return err
	}
	if p.Ignored != 0 {
		c.reportIgnored(p.Ignored, nil)
	}
	codes := make([]byte, 0, p.Len())
	for filter, qos := range p.All() {
		code, refused := qos, (*Verdict)(nil)
		if e := p.Refusal(len(codes)); e != nil {
			refused = &Verdict{Rule: string(e.Rule), Limit: int64(e.Limit), Value: int64(e.Value)}
		} else if refused = c.subscribeOne(filter, qos); refused != nil {
			code = packet.SubackFailure
		}
		if refused != nil {
			c.subscribeRefused(string(filter), *refused)
		}
		codes = append(codes, code)
	}
	if c.level < packet.Level311 {
		// MQTT 3.1 has no code for a refusal: the answer is the QoS asked for, nothing is delivered, and the
		// log says so.
		i := 0
		for _, qos := range p.Asked() {
			if codes[i] == packet.SubackFailure {
				codes[i] = min(qos, 1)
			}
			i++
		}
	}
	ack := packet.Suback{ID: p.ID, Codes: codes}
	w.scratch = ack.AppendTo(w.scratch[:0])
	c.answer(w.scratch, c.flush(), 0, &w.batch)
	return nil
}

// subscribeOne makes one subscription, or says why not.
func (c *conn) subscribeOne(filter []byte, qos byte) (refused *Verdict) {
	if a := c.principal.Authorizer; a != nil {
		if v := a.MaySubscribe(filter); !v.OK {
			return &v
		}
	}
	limit := c.principal.MaxSubscriptions
	if limit == 0 {
		limit = c.broker.opts.MaxSubscriptions
	}
	cl := c.client
	cl.mu.Lock()
	if n := cl.session.SubscriptionCount(); n >= limit && !cl.session.Subscribed(filter) {
		cl.mu.Unlock()
		return &Verdict{Rule: "max-subscriptions", Limit: int64(limit), Value: int64(n + 1)}
	}
	name := string(filter)
	cl.subscribe(name, qos)
	cl.mu.Unlock()
	if c.broker.opts.Observer != nil || c.broker.debug() {
		e := c.event(Subscribed)
		e.Topic, e.Value = name, int64(qos)
		c.emit(e)
	}
	return nil
}

// subscribe makes a subscription, or replaces its QoS, without interrupting deliveries [MQTT-3.8.4-3].
// Called with cl.mu held.
func (cl *client) subscribe(filter string, qos byte) {
	if cl.session.Subscribe(filter, qos) {
		cl.broker.stats.subscriptions.Add(1)
	}
	cl.broker.tree.Subscribe(filter, cl, qos)
}

// unsubscribeOne removes a subscription. Called with cl.mu held.
func (cl *client) unsubscribeOne(filter string) bool {
	if !cl.session.Unsubscribe(filter) {
		return false
	}
	cl.broker.tree.Unsubscribe(filter, cl)
	cl.lose()
	cl.broker.stats.subscriptions.Add(-1)
	return true
}

// flush hands the session's changes to the store and reports whether an answer must wait for it. It must
// also if a message that came in between has taken the changes along.
func (c *conn) flush() bool {
	c.client.mu.Lock()
	defer c.client.mu.Unlock()
	c.client.flushSession(c.client.session)
	return c.client.session.Persistent()
}

func (c *conn) subscribeRefused(filter string, v Verdict) {
	c.broker.stats.subRefused.Add(1)
	e := c.event(SubscribeRefused)
	e.Topic, e.Rule, e.Limit, e.Value = filter, v.Rule, v.Limit, v.Value
	if c.level < packet.Level311 {
		e.Detail = "MQTT 3.1 has no code for this: answered as granted, delivers nothing"
	}
	c.refused++
	e.Count = c.refused
	c.emit(e)
}

// unsubscribe handles UNSUBSCRIBE, which is always answered [MQTT-3.10.4-4, MQTT-3.10.4-5].
func (c *conn) unsubscribe(w *work, f packet.Frame) error {
	var p packet.Unsubscribe
	if err := p.Decode(f, c.limits); err != nil {
		return err
	}
	cl := c.client
	for filter := range p.All() {
		cl.mu.Lock()
		removed := cl.unsubscribeOne(string(filter))
		cl.mu.Unlock()
		if removed && (c.broker.opts.Observer != nil || c.broker.debug()) {
			e := c.event(Unsubscribed)
			e.Topic = string(filter)
			c.emit(e)
		}
	}
	w.scratch = packet.AppendUnsuback(w.scratch[:0], p.ID)
	c.answer(w.scratch, c.flush(), 0, &w.batch)
	return nil
}
