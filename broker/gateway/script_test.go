package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/gateway"
	"sampan/broker/permission"
	"sampan/broker/quota"
	"sampan/packet"
	"sampan/session"
)

var update = flag.Bool("update", false, "write what was answered into the scripts")

// site is a Service and the broker that it is given, which notes what it is asked for.
type site struct {
	*gateway.Service
	registry *device.Registry
	lines    []string
	log      bytes.Buffer
	passes   int    // over all subscriptions of a session
	between  func() // called in a login between the signatures and the sessions
	after    func() // called in a login when the sub-device is logged in and what follows from it is still to be done
}

func (s *site) note(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *site) Publish(_ context.Context, topic string, payload []byte, _ byte) (int, error) {
	s.note("< %s %s", topic, payload)
	return 1, nil
}

func (s *site) Deliver(_ context.Context, key, topic string, payload []byte, _ byte) error {
	s.note("< to %s: %s %s", key, topic, payload)
	return nil
}

func (s *site) Reauthorize(key string) int {
	s.passes++
	s.note("! %s: subscriptions asked about again", key)
	return 0
}
func (s *site) Disconnect(key, why string) bool {
	s.note("! %s: disconnected, %s", key, why)
	if s.after != nil {
		s.after()
	}
	return true
}
func (s *site) AddSubscription(key, filter string, qos byte) bool {
	s.note("! %s: + %s", key, filter)
	return true
}
func (s *site) RemoveSubscriptions(key string, which func(filter string) bool) int {
	s.passes++
	for _, n := range []string{"sub/dev1", "sub/dev2", "sub/dev3", "sub/dev4"} {
		if which("/" + n + "/get") {
			s.note("! %s: - everything of %s", key, n)
		}
	}
	return 0
}
func (s *site) RemoveSubscription(key, filter string) bool {
	s.note("! %s: - %s", key, filter)
	return true
}

// There are the gateways gw-1 and gw-2, which connects with _ss=1, and the sub-devices dev1 to dev4 of product sub.
func start(t *testing.T) *site {
	t.Helper()
	s := &site{registry: device.New(device.Options{})}
	make := func(spec device.ProductSpec, names ...string) {
		if _, err := s.registry.CreateProduct(spec); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if _, err := s.registry.CreateDevice(spec.Key, device.DeviceSpec{Name: name, Secret: "secret-" + name}); err != nil {
				t.Fatal(err)
			}
		}
	}
	make(device.ProductSpec{Key: "gateway", Name: "gateways", NodeType: device.Gateway}, "gw-1", "gw-2")
	make(device.ProductSpec{Key: "sub", Name: "sub-devices", DynamicRegistration: true}, "dev1", "dev2", "dev3", "dev4")
	limits := quota.Platform()
	limits.SubDevices = 3
	s.Service = gateway.New(gateway.Options{
		Registry: s.registry, Quantities: limits, Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
		Permissions: func(d *device.Device) *permission.Compiled {
			if s.between != nil {
				s.between()
			}
			return permission.NewTable(d.Product(), permission.Options{}).For(d.Product().Key, string(d.Name()), false)
		},
		Key: func(productKey, deviceName string) string { return productKey + "/" + deviceName },
		Changed: func(productKey, deviceName string, through gateway.Name, online bool) {
			s.note("! %s/%s through %s: online %v", productKey, deviceName, through, online)
		},
	})
	s.Use(s)
	return s
}

// The scripts in testdata say what a gateway asks ("> topic payload") and what comes of it ("< " and "! ").
// $(name) in a payload is the signed part of a sub-device, $(name secret) with that secret; "% word" is something that happens.
// -update writes what comes of it.
func TestScripts(t *testing.T) {
	brokertest.Scripts(t, *update, func(t *testing.T) func(string) []string {
		s := start(t)
		return func(line string) []string { return s.carryOut(t, line) }
	})
}

var signedPart = regexp.MustCompile(`\$\(([^ )]+)( [^)]*)?\)`)

func sign(part string) string {
	m := signedPart.FindStringSubmatch(part)
	name, secret := m[1], "secret-"+m[1]
	if m[2] != "" {
		secret = m[2][1:]
	}
	content := credential.Content{ClientID: []byte("c"), DeviceName: []byte(name), ProductKey: []byte("sub"), Timestamp: []byte("1")}
	b, _ := json.Marshal(map[string]string{"productKey": "sub", "deviceName": name, "clientId": "c", "timestamp": "1", "signMethod": "hmacSha256",
		"sign": string(credential.HMACSHA256.AppendHex(nil, []byte(secret), content.AppendTo(nil)))})
	return string(b)
}

// happens carries out a line that begins with %.
func (s *site) happens(t *testing.T, words []string) {
	t.Helper()
	productKey, deviceName, _ := strings.Cut(words[len(words)-1], "/")
	n := gateway.Name{ProductKey: productKey, DeviceName: deviceName}
	switch words[0] {
	case "connected":
		s.Connected(productKey, deviceName)
	case "disconnected":
		s.Disconnected(productKey, deviceName)
	case "disabled":
		if _, err := s.registry.Disable(productKey, deviceName); err != nil {
			t.Fatal(err)
		}
		s.Disabled(productKey, deviceName)
	case "enabled":
		if _, err := s.registry.Enable(productKey, deviceName); err != nil {
			t.Fatal(err)
		}
		s.Enabled(productKey, deviceName)
	case "deleted":
		d, err := s.registry.Device(productKey, deviceName)
		if err != nil {
			t.Fatal(err)
		}
		id := d.IotID()
		if err := s.registry.Delete(productKey, deviceName); err != nil {
			t.Fatal(err)
		}
		s.Deleted(productKey, deviceName, id)
	case "refused":
		g, name, _ := strings.Cut(words[1], "/")
		s.Refused(g, name, n, []byte("/sys/"+n.String()+"/thing/event/property/post"))
	case "notify":
		if err := s.NotifyAdd(gateway.Name{ProductKey: "gateway", DeviceName: "gw-1"}, n); err != nil {
			t.Fatal(err)
		}
	case "online":
		s.Online(productKey, func(sub, through gateway.Name) bool { s.note("! %s is online through %s", sub, through); return true })
	default:
		t.Fatalf("nothing happens by %q", words)
	}
}

// carryOut carries out a line of a script and returns what came of it.
func (s *site) carryOut(t *testing.T, line string) (lines []string) {
	t.Helper()
	switch {
	case strings.HasPrefix(line, "% "):
		s.happens(t, strings.Fields(line[2:]))
	case strings.HasPrefix(line, "> "):
		topic, payload, _ := strings.Cut(line[2:], " ")
		from := &broker.Principal{Key: "gateway/gw-1"}
		if strings.Contains(topic, "gw-2") {
			from.Key = "gateway/gw-2"
			from.Subscriptions = []session.Subscription{{Filter: "of its own"}} // _ss=1
		}
		p := &packet.Publish{Topic: []byte(topic), Payload: []byte(signedPart.ReplaceAllStringFunc(payload, sign))}
		if !s.Wants(p.Topic) {
			s.note("! not wanted")
		} else if !s.Intercept(from, p) {
			t.Errorf("%s was not taken", topic)
		}
		clear(p.Payload) // it was a view
	}
	for _, l := range s.lines {
		lines = append(lines, secretless(l))
	}
	s.lines = nil
	return lines
}

var generated = regexp.MustCompile(`("deviceSecret":")[0-9A-Za-z]{32}"`)

// secretless hides what was generated.
func secretless(line string) string { return generated.ReplaceAllString(line, `$1(32 characters)"`) }

// A sub-device that is disabled or deleted while it logs in is not logged in afterwards.
func TestWhoIsDisabledWhileItLogsIn(t *testing.T) {
	for _, happens := range []string{"disabled", "deleted"} {
		t.Run(happens, func(t *testing.T) {
			s := start(t)
			s.carryOut(t, `> /sys/gateway/gw-1/thing/topo/add {"id":"1","params":[$(dev1)]}`)
			s.between = func() { s.happens(t, []string{happens, "sub/dev1"}) }
			s.carryOut(t, `> /ext/session/gateway/gw-1/combine/login {"id":"2","params":$(dev1)}`)
			if through, online := s.Through("sub", "dev1"); online {
				t.Errorf("it is logged in through %s", through)
			}
		})
	}
}
