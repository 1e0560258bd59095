package psk

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// platformKeyLen is the length of the platform's keys: the hex characters of
// an HMAC-SHA256.
const platformKeyLen = 2 * sha256.Size

// The constant parts of the platform's psk identity.
const (
	platformIdentityType   = "devicename"
	platformIdentityMethod = "hmacsha256"
)

// PlatformIdentity is a device as the platform's C SDK names it in the psk
// identity `devicename|hmacsha256|${productKey}&${deviceName}|${timestamp}`.
type PlatformIdentity struct {
	ProductKey string
	DeviceName string
	// Timestamp is any text; the SDK sends the constant 2524608000000. It is
	// part of what is signed and not checked against a clock.
	Timestamp string
}

// ErrPlatformIdentity: a psk identity that does not have the platform's form.
var ErrPlatformIdentity = errors.New("psk identity is not of the form devicename|hmacsha256|productKey&deviceName|timestamp")

// ParsePlatformIdentity reads a psk identity. The only error is
// ErrPlatformIdentity.
func ParsePlatformIdentity(identity string) (PlatformIdentity, error) {
	parts := strings.Split(identity, "|")
	if len(parts) != 4 || parts[0] != platformIdentityType || parts[1] != platformIdentityMethod || parts[3] == "" {
		return PlatformIdentity{}, ErrPlatformIdentity
	}
	product, device, ok := strings.Cut(parts[2], "&")
	if !ok || product == "" || device == "" || strings.Contains(device, "&") {
		return PlatformIdentity{}, ErrPlatformIdentity
	}
	return PlatformIdentity{ProductKey: product, DeviceName: device, Timestamp: parts[3]}, nil
}

// String is the psk identity.
func (id PlatformIdentity) String() string {
	return platformIdentityType + "|" + platformIdentityMethod + "|" + id.ProductKey + "&" + id.DeviceName + "|" + id.Timestamp
}

// Key is the device's pre-shared key: the 64 upper-case hexadecimal characters,
// as characters, of the HMAC-SHA256 of `id${productKey}&${deviceName}timestamp${timestamp}`
// keyed with the device secret as it is written.
func (id PlatformIdentity) Key(deviceSecret string) []byte {
	mac := hmac.New(sha256.New, []byte(deviceSecret))
	mac.Write([]byte("id" + id.ProductKey + "&" + id.DeviceName + "timestamp" + id.Timestamp))
	return []byte(strings.ToUpper(hex.EncodeToString(mac.Sum(nil))))
}

// PlatformKeys makes a KeyFunc from a function that finds a device's secret.
// The key is derived even if the device is unknown or the identity ill-formed,
// so that this part takes the same time; secret itself should do as much.
func PlatformKeys(secret func(ctx context.Context, productKey, deviceName string) (deviceSecret string, ok bool)) KeyFunc {
	return func(ctx context.Context, identity []byte) ([]byte, bool) {
		id, err := ParsePlatformIdentity(string(identity))
		deviceSecret, ok := secret(ctx, id.ProductKey, id.DeviceName)
		key := id.Key(deviceSecret)
		return key, ok && err == nil
	}
}
