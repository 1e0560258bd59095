package platform_test

import (
	"testing"

	"sampan/broker/device"
)

// Whoever asks with a PSK identity causes the same work, whether the device exists or not: the key is derived
// in each case. Memory taken is what shows that without a clock.
func TestAPSKIdentityCostsTheSameForEverybody(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes memory of its own")
	}
	s := startProofs(t)
	s.device(productKey, "switched-off", deviceSecret)
	if _, err := s.Registry.Disable(productKey, "switched-off"); err != nil {
		t.Fatal(err)
	}
	const timestamp = "|2524608000000"
	identities := map[string]bool{
		"devicename|hmacsha256|" + productKey + "&" + deviceName + timestamp:    true,
		"devicename|hmacsha256|" + productKey + "&none" + timestamp:             false,
		"devicename|hmacsha256|none&" + deviceName + timestamp:                  false,
		"devicename|hmacsha256|" + productKey + "&switched-off" + timestamp:     false,
		"devicename|hmacsha256|" + certified + "&dev1" + timestamp:              false,
		"devicename|hmacsha256|" + chipped + "&dev1" + timestamp:                false,
		"devicename|sha256|" + productKey + "&" + deviceName + timestamp:        false,
		"a text that is no identity of the platform at all, but as long as one": false,
	}
	costs := map[float64][]string{}
	for identity, known := range identities {
		b := []byte(identity)
		cost := testing.AllocsPerRun(100, func() {
			if _, ok := s.PSKKey(t.Context(), b); ok != known {
				t.Errorf("%s: %v, want %v", identity, ok, known)
			}
		})
		costs[cost] = append(costs[cost], identity)
	}
	if len(costs) != 1 {
		t.Errorf("allocations differ: %v", costs)
	}
}

func TestPSKKeysAreForProductsWithSecrets(t *testing.T) {
	s := start(t)
	for auth, want := range map[device.AuthType]bool{device.BySecret: true, device.ByChip: false, device.ByCertificate: false} {
		product := "product-" + auth.String()
		s.product(device.ProductSpec{Key: product, AuthType: auth})
		s.device(product, deviceName, deviceSecret)
		if _, ok := s.PSKKey(t.Context(), []byte("devicename|hmacsha256|"+product+"&"+deviceName+"|1")); ok != want {
			t.Errorf("%s: a key: %v", auth, ok)
		}
	}
}
