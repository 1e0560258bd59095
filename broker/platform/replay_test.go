package platform_test

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
)

// TestReplaysOfTheCSDK sends what the C SDKs send, byte for byte, and wants these bytes back. The files say
// what they are; a line is a packet, "> " from the device and "< " to it, as a Go string. ${name:n} in it is n
// characters that the server has made up: the first time any, and then the same.
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
	n, known := 0, map[string]string{}
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
				c.Send(brokertest.Bytes(fill(packet, known, "")))
				continue
			}
			got := ""
			if made.MatchString(packet) {
				got = string(c.Next().Raw)
				if want := fill(packet, known, got); got != want {
					t.Fatalf("line %d: got  %q\nwant %q", n, got, want)
				}
				continue
			}
			c.Expect(brokertest.Bytes(packet))
		}
	}
	if t.Failed() {
		t.Log(s.Log)
	}
}

// made is something that the server has made up.
var made = regexp.MustCompile(`\$\{(\w+):(\d+)\}`)

// fill puts what the server has made up into a packet; what is not known yet is taken from the one that came.
func fill(packet string, known map[string]string, came string) string {
	for m := made.FindStringSubmatchIndex(packet); m != nil; m = made.FindStringSubmatchIndex(packet) {
		name := packet[m[2]:m[3]]
		size, _ := strconv.Atoi(packet[m[4]:m[5]])
		if _, found := known[name]; !found && len(came) >= m[0]+size {
			known[name] = came[m[0] : m[0]+size]
		}
		packet = packet[:m[0]] + known[name] + packet[m[1]:]
	}
	return packet
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
