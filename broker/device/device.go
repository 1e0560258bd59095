package device

import (
	"bytes"
	"encoding/hex"
	"sync/atomic"
	"time"

	"sampan/broker/device/internal/compact"
)

// Status is where a device is in its life.
type Status uint8

const (
	Unactivated Status = iota // has never logged in
	Enabled
	Disabled // may not log in, whether it ever did or not
)

var statusNames = [...]string{"unactivated", "enabled", "disabled"}

// String returns unactivated, enabled or disabled.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Device is a device as it was when it was looked up. The slices that its methods return are views of memory
// that never changes; they may be kept, but keep up to 256 KiB of other records with them.
type Device struct {
	product *Product
	item    compact.Item
	state   uint64
}

// Product is the device's product, never nil.
func (d *Device) Product() *Product { return d.product }

// Name is the DeviceName.
func (d *Device) Name() []byte { return d.item.Name }

// Secret is the DeviceSecret, the key of the device's signatures.
func (d *Device) Secret() []byte {
	c := cursor{b: d.item.Body}
	return c.text()
}

// Status is unactivated, enabled or disabled.
func (d *Device) Status() Status {
	switch {
	case d.state&stateDisabled != 0:
		return Disabled
	case d.state == 0:
		return Unactivated
	}
	return Enabled
}

// Activated is when the device logged in first, and zero if it never has.
func (d *Device) Activated() time.Time {
	if ms := activated(d.state); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// Token is the token that was given to a physical device, named by its client id, or nil.
func (d *Device) Token(clientID []byte) []byte {
	c := cursor{b: d.item.Body}
	c.text()
	c.number()
	for {
		tag, value := c.field()
		if tag == tagEnd {
			return nil
		}
		if tag == tagToken {
			if id, token := pair(&c, value); bytes.Equal(id, clientID) {
				return token
			}
		}
	}
}

// Number is the device's place in the order in which its product's devices were made. It is kept across
// restarts and never given again.
func (d *Device) Number() uint32 { return d.item.Number }

// Use is what a rate limiter limits.
type Use uint8

const (
	ForConnects Use = iota // its logins
	ForDownlink            // what servers send to it
	ForShadow              // its requests for its shadow
)

// Word is a word for a rate limiter that outlives the device's connections, not the process.
func (d *Device) Word(use Use) *atomic.Uint64 { return &d.item.Entry.Words[use] }

// Info is everything the registry knows of a device, copied.
type Info struct {
	ProductKey   string
	DeviceName   string
	DeviceSecret string
	IotID        string
	Nickname     string
	Status       Status
	Created      time.Time
	Activated    time.Time // zero: never
	Tags         []Tag     // sorted by key
	Tokens       []Token
	Certificate  string // lower-case hexadecimal of its Fingerprint; empty: none is bound
}

// Info copies everything out of the registry.
func (d *Device) Info() Info {
	b, _ := readBody(d.item.Body)
	return Info{
		ProductKey:   d.product.Key,
		DeviceName:   string(d.item.Name),
		DeviceSecret: b.secret,
		IotID:        d.IotID(),
		Nickname:     b.nickname,
		Status:       d.Status(),
		Created:      time.UnixMilli(b.created),
		Activated:    d.Activated(),
		Tags:         b.tags,
		Tokens:       b.tokens,
		Certificate:  hex.EncodeToString([]byte(b.certificate)),
	}
}
