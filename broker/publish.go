package broker

import (
	"bytes"

	"sampan/packet"
)

// publish takes in p, a PUBLISH that lies at chunk[at:at+n].
func (c *conn) publish(w *work, chunk []byte, at, n int, p *packet.Publish) error {
	r := &w.run
	w.publish[min(p.QoS, 1)]++
	if p.Ignored != 0 {
		c.reportIgnored(p.Ignored, p.Topic)
		if p.Ignored&packet.IgnoredPublish != 0 {
			return nil // QoS 2, dropped without an answer by configuration
		}
	}
	if !r.empty() && (w.runEnd != at || r.qos != p.QoS || !bytes.Equal(r.topic, p.Topic)) {
		if err := c.endRun(w); err != nil {
			return err
		}
	}
	b := c.broker
	if q := c.principal.Quota; q != nil {
		if v := q.Publish(b.ticker.Nanos(), p.QoS, n); !v.OK {
			c.overQuota++
			c.publishRefused(DropQuota, v, p.Topic, c.overQuota)
			return nil // dropped without an answer ("platform: over-limit PUBLISH")
		}
	}
	if r.empty() {
		w.except = nil
		if a := c.principal.Authorizer; a != nil {
			v := a.MayPublish(p.Topic)
			if !v.OK {
				return c.forbid(w, v, p)
			}
			if v.NoEcho {
				w.except = c.client
			}
		}
	}
	if i := b.opts.Interceptor; i != nil {
		if r.empty() {
			w.wanted = i.Wants(p.Topic)
			if w.wanted && !prompt(i, p.Topic) {
				w.batch.leave()
			}
		}
		if w.wanted && i.Intercept(c.principal, p) {
			b.stats.intercepted.Add(1)
			if p.QoS > 0 {
				w.acks = append(w.acks, p.ID)
			}
			return nil
		}
	}
	if p.QoS > 0 {
		w.acks = append(w.acks, p.ID)
	}
	r.add(chunk, at, at+n, p)
	r.except = w.except
	w.runEnd = at + n
	return nil
}

func prompt(i Interceptor, topic []byte) bool {
	p, ok := i.(PromptInterceptor)
	return ok && p.Prompt(topic)
}

// forbid refuses a message whose topic the client may not use.
func (c *conn) forbid(w *work, v Verdict, p *packet.Publish) error {
	c.forbidden++
	c.publishRefused(DropForbidden, v, p.Topic, c.forbidden)
	if c.broker.opts.CloseOnForbidden {
		return &ending{reason: ProtocolViolation, rule: "MQTT-3.3.5-2", detail: "publish to a forbidden topic: " + v.Rule}
	}
	if p.QoS > 0 && !c.broker.opts.NoPubackOnForbidden {
		w.acks = append(w.acks, p.ID)
	}
	return nil
}

// endRun routes the run, if there is one.
func (c *conn) endRun(w *work) error {
	r := &w.run
	if r.empty() {
		return nil
	}
	to := c.routes.find(c.broker, r.topic)
	w.batch.spend(to.matches.Len() * r.copies())
	stored, err := c.broker.deliver(r, to, &w.batch)
	w.stored = w.stored || stored
	r.reset()
	if err != nil {
		c.broker.storeFailed(err)
		w.acks = w.acks[:0] // the chunk's messages are not all stored: none is acknowledged
	}
	return err
}

// publishRefused counts a message that goes nowhere.
func (c *conn) publishRefused(why Reason, v Verdict, topic []byte, count uint64) {
	c.broker.stats.reasons[why].Add(1)
	if count&(count-1) != 0 {
		return
	}
	e := c.event(PublishRefused)
	e.Reason, e.Rule, e.Limit, e.Value, e.Topic, e.Count = why, v.Rule, v.Limit, v.Value, string(topic), count
	c.emit(e)
}

// reportIgnored counts a part of a packet that was ignored by configuration.
func (c *conn) reportIgnored(what packet.Ignored, topic []byte) {
	c.broker.stats.ignoredFields.Add(1)
	c.ignored++
	if c.ignored&(c.ignored-1) != 0 {
		return
	}
	e := c.event(FieldIgnored)
	switch {
	case what&packet.IgnoredWill != 0:
		e.Rule = "will"
	case what&packet.IgnoredRetain != 0:
		e.Rule = "retain"
	default:
		e.Rule = "qos2"
	}
	e.Topic, e.Count = string(topic), c.ignored
	c.emit(e)
}
