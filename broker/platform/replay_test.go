package platform_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
)

// TestReplaysOfTheCSDK sends what the C SDKs send, byte for byte, and wants these bytes back. The files say
// what they are; a line is a packet, "> " from the device and "< " to it, as a Go string.
func TestReplaysOfTheCSDK(t *testing.T) {
	files, err := filepath.Glob("testdata/replay/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no replays: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { replay(t, file) })
	}
}

func replay(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := start(t)
	s.product(device.ProductSpec{Key: "subpk12345", Name: "sub-devices"})
	s.device("subpk12345", "sub1", "sub-secret-1")
	s.device("subpk12345", "sub2", "sub-secret-2")
	var c *brokertest.Client
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		n++
		switch {
		case strings.HasPrefix(line, "# channel: "):
			words := strings.Fields(strings.TrimPrefix(line, "# channel: "))
			identity := strings.Join(words[1:], "")
			c = s.over(map[string]broker.Security{"plain": broker.Plain, "tls": broker.TLS, "psk": broker.PSK}[words[0]], identity)
		case line == "# closed":
			c.ExpectClosed()
		case line == "" || strings.HasPrefix(line, "#"):
		default:
			packet, err := strconv.Unquote(line[2:])
			if err != nil {
				t.Fatalf("line %d: %v", n, err)
			}
			if line[0] == '>' {
				c.Send(brokertest.Bytes(packet))
			} else {
				c.Expect(brokertest.Bytes(packet))
			}
		}
	}
	if t.Failed() {
		t.Log(s.Log)
	}
}

// The key of TLS-PSK is 64 characters of upper case hexadecimal, not 32 bytes (vector G).
func TestPSKKeyOfTheCSDK(t *testing.T) {
	s := start(t)
	key, ok := s.PSKKey(t.Context(), []byte("devicename|hmacsha256|a1B2c3D4e5&dev1|2524608000000"))
	if want := "0CD8A0E8794C67A37E8F309608106D5B7BF3B1E4DFB6509A99989E5E8A40E6CF"; !ok || string(key) != want {
		t.Errorf("key %q, %v; want %s", key, ok, want)
	}
	for _, identity := range []string{"", "x", "devicename|hmacsha256|a1B2c3D4e5&none|1", "devicename|hmacsha256|none&dev1|1"} {
		if key, ok := s.PSKKey(t.Context(), []byte(identity)); ok {
			t.Errorf("%q has the key %q", identity, key)
		}
	}
	if _, err := s.Registry.Disable(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.PSKKey(t.Context(), []byte("devicename|hmacsha256|a1B2c3D4e5&dev1|2524608000000")); ok {
		t.Error("a disabled device has a key")
	}
}

// A channel that has proved one device does not carry another.
func TestPSKChannelIsOfItsDeviceAlone(t *testing.T) {
	s := start(t)
	s.device(productKey, "dev2", "ds-secret-2")
	c := s.over(broker.PSK, "devicename|hmacsha256|a1B2c3D4e5&dev1|2524608000000")
	if ack := c.TryConnect(login(productKey, "dev2", "ds-secret-2", "")); ack.Code == 0 {
		t.Error("a device connected over the channel of another")
	}
}
