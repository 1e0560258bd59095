package platform

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"

	"sampan/broker"
	"sampan/broker/alink/envelope"
	"sampan/broker/gateway"
	"sampan/broker/permission"
)

// Device is who a connection belongs to; it is the broker.Authorizer of its Principal.
type Device struct {
	ProductKey, DeviceName string
	// CustomRRPC says that the device takes calls on topics of its own.
	CustomRRPC bool

	grant *permission.Compiled
	subs  *gateway.View
	// platform is nil for a Device that is only asked about topics.
	platform *Platform
	quiet    bool // it did not ask for its own system messages, although the filters made for it match them
}

// MayPublish is part of broker.Authorizer.
func (d *Device) MayPublish(topic []byte) broker.Verdict {
	v := d.grant.MayPublish(topic)
	if !v.Allowed {
		t := permission.Classify(topic)
		if sub := d.sub(t); sub != nil {
			v = sub.MayPublish(topic)
		} else if len(t.DeviceName) > 0 && d.platform != nil {
			d.platform.gateways.Refused(d.ProductKey, d.DeviceName, gateway.Name{ProductKey: string(t.ProductKey), DeviceName: string(t.DeviceName)}, topic)
		}
	}
	out := verdict(v)
	out.NoEcho = d.quiet && !d.own(topic)
	return out
}

// sub returns the permissions of the sub-device whose topic this is, if it is logged in through the device.
func (d *Device) sub(t permission.Topic) *permission.Compiled {
	if len(t.DeviceName) == 0 {
		return nil
	}
	return d.subs.Sub(t.ProductKey, t.DeviceName)
}

// own reports whether a topic is below /{productKey}/{deviceName}/, not one of the system's.
func (d *Device) own(topic []byte) bool {
	pk := len(d.ProductKey)
	return len(topic) > pk+1 && string(topic[1:1+pk]) == d.ProductKey && topic[1+pk] == '/'
}

// MaySubscribe is part of broker.Authorizer.
func (d *Device) MaySubscribe(filter []byte) broker.Verdict {
	v := d.grant.MaySubscribe(filter)
	if !v.Allowed {
		if sub := d.sub(permission.Classify(filter)); sub != nil {
			v = sub.MaySubscribe(filter)
		}
	}
	if !v.Allowed {
		return verdict(v)
	}
	return d.roomFor(filter)
}

var broadcastPrefix = []byte("/broadcast/")

// roomFor reports whether a broadcast topic may have one more subscriber. It does not keep devices that
// subscribe at the same moment, or with wildcards to topics that are full, from being too many together; a
// broadcast to them is then refused.
func (d *Device) roomFor(filter []byte) broker.Verdict {
	if d.platform == nil || !bytes.HasPrefix(filter, broadcastPrefix) {
		return broker.Allowed
	}
	limit := d.platform.opts.Quantities.SubscribersPerTopic
	if limit <= 0 {
		return broker.Allowed
	}
	others := d.platform.broker.Subscribers(string(filter), Key(d.ProductKey, d.DeviceName))
	if others < limit {
		return broker.Allowed
	}
	return broker.Verdict{Rule: "subscribers-per-topic", Limit: int64(limit), Value: int64(others + 1)}
}

func verdict(v permission.Verdict) broker.Verdict {
	return broker.Verdict{OK: v.Allowed, Rule: v.Reason.String()}
}

// nobody may do nothing: a connection that is only there to be told something.
type nobody struct{}

func (nobody) MayPublish([]byte) broker.Verdict   { return broker.Verdict{Rule: "registration"} }
func (nobody) MaySubscribe([]byte) broker.Verdict { return broker.Verdict{Rule: "registration"} }

// compact is JSON without white space, as the C SDK 4 needs it.
func compact(v any) []byte {
	b, err := envelope.Marshal(v)
	if err != nil {
		panic(err) // of strings and numbers only
	}
	return b
}

func unique() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
