package network

import (
	"bytes"
	"context"
	"time"

	"sampan/fuzz/script"
	"sampan/packet"
)

// prepare removes what a script would find of others: sessions and retained messages of its names that were there
// before the first script. What scripts leave behind is removed after each, so a name is looked at once.
func (t *Target) prepare(ctx context.Context, s *script.Script) error {
	if t.mine == nil {
		t.mine = make(map[string]bool)
	}
	fresh := func(kind string, all []string) (some []string) {
		for _, what := range all {
			if !t.mine[kind+what] {
				t.mine[kind+what] = true
				some = append(some, what)
			}
		}
		return some
	}
	names, topics := left(s)
	return t.remove(ctx, fresh("client ", names), fresh("topic ", topics))
}

// clean removes what a script has left on the broker: sessions and retained messages. Otherwise the next
// one would find them, or the next campaign, so it is done also when ctx has ended.
func (t *Target) clean(ctx context.Context, s *script.Script) error {
	for i := range t.conns {
		t.Cut(i) // and wait: what a Will sets going must be over
	}
	names, topics := left(s)
	return t.remove(context.WithoutCancel(ctx), names, topics)
}

// remove removes the sessions of clients, and the retained messages of topics.
func (t *Target) remove(ctx context.Context, names, topics []string) error {
	if len(names) == 0 && len(topics) > 0 {
		names = []string{""} // clients without a name have left something
	}
	first := true
	for _, name := range names {
		ctx, cancel := context.WithTimeout(ctx, t.Patience)
		nc, err := t.Dial(ctx)
		cancel()
		if err != nil {
			return err
		}
		p := packet.Connect{ClientID: []byte(name), CleanSession: true, KeepAlive: 60}
		t.login().set(&p)
		raw := p.AppendTo(nil)
		if first {
			for _, topic := range topics {
				empty := packet.Publish{Topic: []byte(topic), Retain: true}
				raw = empty.AppendTo(raw)
			}
			first = false
		}
		raw = packet.AppendPingreq(raw)
		nc.SetDeadline(time.Now().Add(t.Patience))
		_, err = nc.Write(raw)
		if err == nil {
			c := &canary{nc: nc}
			if _, err = c.until(t.Patience, packet.TypeConnack); err == nil {
				_, err = c.until(t.Patience, packet.TypePingresp)
			}
		}
		nc.Write(packet.AppendDisconnect(nil))
		var end [16]byte
		nc.Read(end[:]) // until the broker has closed
		nc.Close()
		if err != nil && !isTimeout(err) {
			continue // it would not be cleaned; the next script that minds will not be repeatable
		}
	}
	return nil
}

// left lists the clients and the topics of retained messages of a script, each once.
func left(s *script.Script) (names, topics []string) {
	seen := make(map[string]bool)
	add := func(to *[]string, kind, what string) {
		if what != "" && !seen[kind+what] {
			seen[kind+what] = true
			*to = append(*to, what)
		}
	}
	for _, st := range s.Steps {
		if p, ok := connectOf(st.Raw); ok {
			add(&names, "c", string(p.ClientID))
			if p.Will && p.WillRetain {
				add(&topics, "t", string(p.WillTopic))
			}
			continue
		}
		// A broker that lets DUP at QoS 0 pass keeps the message, too.
		raw := bytes.Clone(st.Raw)
		if len(raw) > 0 && packet.Type(raw[0]>>4) == packet.TypePublish {
			raw[0] &^= 0x08
		}
		f, n, _, err := packet.Next(raw, nil)
		var p packet.Publish
		if err == nil && n > 0 && f.Type() == packet.TypePublish && p.Decode(f, nil) == nil && p.Retain {
			add(&topics, "t", string(p.Topic))
		}
	}
	return names, topics
}
