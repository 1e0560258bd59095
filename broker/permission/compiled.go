package permission

import "bytes"

// Compiled is the permissions of one device. It is small, never changes, and follows its product's Table. It
// may be used by many goroutines.
type Compiled struct {
	table      *Table
	productKey string
	deviceName string
	own        string // "/{productKey}/{deviceName}/"
	customRRPC bool
}

// For returns the permissions of a device. customRRPC says that it announced calls on its own topics (ext=1).
func (t *Table) For(productKey, deviceName string, customRRPC bool) *Compiled {
	own := "/" + productKey + "/" + deviceName + "/"
	return &Compiled{
		table:      t,
		productKey: own[1 : 1+len(productKey)],
		deviceName: own[2+len(productKey) : len(own)-1],
		own:        own,
		customRRPC: customRRPC,
	}
}

// Generation is that of the table.
func (c *Compiled) Generation() uint64 { return c.table.Generation() }

// MayPublish decides on a topic name. It does not allocate and does not keep topic.
func (c *Compiled) MayPublish(topic []byte) Verdict {
	if hasWildcard(topic) {
		return Verdict{Reason: WildcardInTopic}
	}
	want := publish
	if c.customRRPC {
		want |= publishRRPC
	}
	if r, allowed := c.decidePublish(topic, want); allowed {
		return Verdict{Allowed: true, Reason: r}
	}
	if _, allowed := c.decideSubscribe(topic, subscribe); allowed {
		return Verdict{Reason: SubscribeOnly}
	}
	return Verdict{Reason: c.why(topic)}
}

// MaySubscribe decides on a topic filter, which is valid by MQTT's rules. It does not allocate and does not
// keep filter.
func (c *Compiled) MaySubscribe(filter []byte) Verdict {
	want := subscribe
	if c.customRRPC {
		want |= subscribeRRPC
	}
	if r, allowed := c.decideSubscribe(filter, want); allowed {
		return Verdict{Allowed: true, Reason: r}
	}
	if c.customRRPC && isByPlatform(filter) {
		return Verdict{Allowed: true, Reason: ByPlatform}
	}
	if !hasWildcard(filter) {
		if _, allowed := c.decidePublish(filter, publish); allowed {
			return Verdict{Reason: PublishOnly}
		}
	}
	return Verdict{Reason: c.why(filter)}
}

// MayReceive decides whether a message on this topic may be delivered to the device, whatever it has
// subscribed.
func (c *Compiled) MayReceive(topic []byte) bool {
	return !hasWildcard(topic) && c.MaySubscribe(topic).Allowed
}

var (
	extRRPC         = []byte("/ext/rrpc/")
	broadcastPrefix = []byte("/broadcast/")
)

// decidePublish reports whether a topic may be published, and by which kind of rule.
func (c *Compiled) decidePublish(topic []byte, want operation) (Reason, bool) {
	r := c.table.rules.Load()
	if rest, own := cutPrefix(topic, c.own); own {
		return ByCategory, want&publish != 0 && r.published[string(rest)]
	}
	if rest, sys := c.cutSys(topic); sys {
		return BySystem, c.publishes(r.system.publishedBelowSys, rest, want)
	}
	if len(topic) == 0 || topic[0] != '/' || !c.publishes(r.system.published, topic[1:], want) {
		return UnknownTopic, false
	}
	return systemReason(topic), true
}

// decideSubscribe reports whether everything that a filter matches may be received, and by which kind of rule.
func (c *Compiled) decideSubscribe(filter []byte, want operation) (Reason, bool) {
	r := c.table.rules.Load()
	if rest, own := cutPrefix(filter, c.own); own {
		return ByCategory, c.covers(r.subscribed, rest, want)
	}
	if string(filter) == c.own[:len(c.own)-1] { // "#" matches the level above it, too
		return ByCategory, r.subscribed.below&want != 0
	}
	if rest, sys := c.cutSys(filter); sys {
		return BySystem, c.covers(r.system.receivedBelowSys, rest, want)
	}
	if len(filter) == 0 || filter[0] != '/' || !c.covers(r.system.received, filter[1:], want) {
		return UnknownTopic, false
	}
	return systemReason(filter), true
}

// cutSys takes /sys/{productKey}/{deviceName}/ off.
func (c *Compiled) cutSys(topic []byte) (rest []byte, found bool) {
	if rest, found = cutPrefix(topic, "/sys"); !found {
		return nil, false
	}
	return cutPrefix(rest, c.own)
}

func systemReason(topic []byte) Reason {
	if bytes.HasPrefix(topic, broadcastPrefix) {
		return ByBroadcast
	}
	return BySystem
}

func cutPrefix(b []byte, prefix string) (rest []byte, found bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}
