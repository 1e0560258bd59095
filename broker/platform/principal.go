package platform

import (
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
	// refused is told whose topic the device has published to without being allowed to.
	refused func(productKey, deviceName string)
	quiet   bool // it did not ask for its own system messages, although the filters made for it match them
}

// MayPublish is part of broker.Authorizer.
func (d *Device) MayPublish(topic []byte) broker.Verdict {
	v := d.grant.MayPublish(topic)
	if !v.Allowed {
		t := permission.Classify(topic)
		if sub := d.sub(t); sub != nil {
			v = sub.MayPublish(topic)
		} else if len(t.DeviceName) > 0 && d.refused != nil {
			d.refused(string(t.ProductKey), string(t.DeviceName))
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
	return verdict(v)
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
