package platform

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"

	"sampan/broker"
	"sampan/broker/permission"
)

// Device is who a connection belongs to; it is the broker.Authorizer of its Principal.
type Device struct {
	ProductKey, DeviceName string
	// CustomRRPC says that the device takes calls on topics of its own.
	CustomRRPC bool

	grant *permission.Compiled
	quiet bool // it did not ask for its own system messages, although the filters made for it match them
}

// MayPublish is part of broker.Authorizer.
func (d *Device) MayPublish(topic []byte) broker.Verdict {
	v := verdict(d.grant.MayPublish(topic))
	v.NoEcho = d.quiet && len(topic) > 0 && !d.own(topic)
	return v
}

// own reports whether a topic is below /{productKey}/{deviceName}/, not one of the system's.
func (d *Device) own(topic []byte) bool {
	pk := len(d.ProductKey)
	return len(topic) > pk+1 && string(topic[1:1+pk]) == d.ProductKey && topic[1+pk] == '/'
}

// MaySubscribe is part of broker.Authorizer.
func (d *Device) MaySubscribe(filter []byte) broker.Verdict {
	return verdict(d.grant.MaySubscribe(filter))
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
	b, err := json.Marshal(v)
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
