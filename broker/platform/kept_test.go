package platform_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/alink"
	"sampan/broker/brokertest"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/broker/platform"
	"sampan/packet"
	"sampan/session/wal/vfs/simdisk"
)

// openLedger opens a ledger on a simulated disk.
func openLedger(t *testing.T, disk *simdisk.Disk) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open("", ledger.Options{FS: disk.FS()})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// keptSite is a gatewaySite with a ledger on a disk and the registry of an earlier one, if there was one.
func keptSite(t *testing.T, disk *simdisk.Disk, registry *device.Registry) *site {
	t.Helper()
	l := openLedger(t, disk)
	t.Cleanup(func() { l.Close() })
	with := func(o *platform.Options) {
		o.Ledger = l
		if registry != nil {
			o.Registry = registry
		}
	}
	if registry == nil {
		return gatewaySite(t, with)
	}
	s := start(t, with)
	s.Registry = registry
	return s
}

// replyTo sends a request and returns the code of the answer to it; other messages are passed over.
func replyTo(t *testing.T, c *brokertest.Client, topic, payload string) (answer string) {
	t.Helper()
	c.Send(brokertest.Publish(topic, payload, 0, 0))
	for {
		if p := c.NextPublish(); string(p.Topic) == topic+"_reply" {
			return string(p.Payload)
		}
	}
}

func shadowAnswer(t *testing.T, c *brokertest.Client, payload string) string {
	t.Helper()
	c.Send(brokertest.Publish(own("/shadow/update/%s"), payload, 0, 0))
	p := c.NextPublish()
	if string(p.Topic) != own("/shadow/get/%s") {
		t.Fatalf("%s %s", p.Topic, p.Payload)
	}
	return string(p.Payload)
}

// Everything that was confirmed to a device or a server is there when the broker has lost its power, or was
// killed, in the moment after.
func TestWhatWasConfirmedSurvives(t *testing.T) {
	for name, crash := range map[string]func(*simdisk.Disk){
		"power cut": func(d *simdisk.Disk) { d.PowerCut(rand.New(rand.NewPCG(1, 2))) },
		"kill -9":   func(d *simdisk.Disk) { d.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			disk := simdisk.New()
			s := keptSite(t, disk, nil)
			c := s.connect(productKey, deviceName, deviceSecret, ",_ss=1")
			g := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")

			for topic, payload := range map[string]string{
				"/sys/%s/thing/event/property/post": `{"id":"1","params":{"big":{"value":12345678901234567890,"time":1500000000123},"text":"a<b"}}`,
				"/sys/%s/thing/deviceinfo/update":   `{"id":"2","params":[{"attrKey":"k","attrValue":"v"}]}`,
			} {
				if answer := replyTo(t, c, own(topic), payload); !strings.Contains(answer, `"code":200`) {
					t.Fatalf("%s: %s", topic, answer)
				}
			}
			if answer := shadowAnswer(t, c, `{"method":"update","state":{"reported":{"n":9007199254740993,"t":[1,{"x":"&"}]}},"version":5}`); !strings.Contains(answer, `"success"`) {
				t.Fatal(answer)
			}
			if _, _, err := s.Services().SetDesired(productKey, deviceName, map[string]json.RawMessage{"want": json.RawMessage(`{"a": 1}`)}, nil); err != nil {
				t.Fatal(err)
			}
			if p := c.NextPublish(); string(p.Topic) != own("/sys/%s/thing/service/property/set") {
				t.Fatalf("on %s", p.Topic)
			}
			c.Send(brokertest.Publish(own("/ota/device/inform/%s"), `{"id":"3","params":{"version":"1.0"}}`, 0, 0))
			c.Sync() // there is no answer; what follows waits for it, too
			if err := s.Services().Upgrade(productKey, deviceName, &alink.Firmware{Version: "2.0", URL: "http://h/f?a=1&b=2"}); err != nil {
				t.Fatal(err)
			}
			if err := s.Services().SetConfig(productKey, &alink.ConfigFile{ID: "c1", URL: "http://h/c"}); err != nil {
				t.Fatal(err)
			}
			if code := ask(t, g, topo("gw-a", "add"), []any{signedSub("sub1", subSecret), signedSub("sub2", subSecret)}); code != 200 {
				t.Fatalf("topo/add: %d", code)
			}
			if code := ask(t, g, topo("gw-a", "delete"), []any{named("sub2")}); code != 200 {
				t.Fatalf("topo/delete: %d", code)
			}
			id, token := s.ticket(t)

			crash(disk)
			s = keptSite(t, disk, s.Registry)

			services := s.Services()
			properties, err := services.Properties(productKey, deviceName)
			if err != nil || string(properties["big"].Value) != "12345678901234567890" || !properties["big"].Time.Equal(time.UnixMilli(1500000000123)) ||
				string(properties["text"].Value) != `"a<b"` {
				t.Errorf("properties %v, %v", properties, err)
			}
			if shadow, err := services.Shadow(productKey, deviceName); err != nil || !strings.Contains(string(shadow), `{"reported":{"n":9007199254740993,"t":[1,{"x":"&"}]}}`) ||
				!strings.Contains(string(shadow), `"version":5`) {
				t.Errorf("shadow %s, %v", shadow, err)
			}
			if desired, err := services.Desired(productKey, deviceName); err != nil || string(desired["want"].Value) != `{"a":1}` || desired["want"].Version != 1 {
				t.Errorf("desired %v, %v", desired, err)
			}
			if versions, err := services.FirmwareVersions(productKey, deviceName); err != nil || versions["default"] != "1.0" {
				t.Errorf("versions %v, %v", versions, err)
			}
			if d, err := s.Registry.Device(productKey, deviceName); err != nil || len(d.Info().Tags) != 1 {
				t.Errorf("tags %v, %v", d.Info().Tags, err)
			}
			if subs := s.Gateways().Topology(productKey, "gw-a"); len(subs) != 1 || subs[0].DeviceName != "sub1" {
				t.Errorf("topology %v", subs)
			}
			if got := s.code(broker.TLS, brokertest.ConnectPacket("c1|securemode=-1|", brokertest.Credentials(id, token))); got != packet.Accepted {
				t.Errorf("ticket: %v", got)
			}

			// What devices ask for comes from what was kept.
			g = s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
			if code := ask(t, g, combine("gw-a", "login"), signedSub("sub1", subSecret)); code != 200 {
				t.Errorf("login: %d", code)
			}
			if code := ask(t, g, combine("gw-a", "login"), signedSub("sub2", subSecret)); code != 6401 {
				t.Errorf("login of a sub-device that was taken out: %d", code)
			}
			c = s.connect(productKey, deviceName, deviceSecret, ",_ss=1")
			for topic, part := range map[string]string{
				"/sys/%s/thing/ota/firmware/get":     `"url":"http://h/f?a=1&b=2"`,
				"/sys/%s/thing/property/desired/get": `"want":{"value":{"a":1},"version":1}`,
			} {
				if answer := replyTo(t, c, own(topic), `{"id":"1","params":{}}`); !strings.Contains(answer, part) {
					t.Errorf("%s: %s", topic, answer)
				}
			}
			if answer := replyTo(t, c, own("/sys/%s/thing/config/get"), `{"id":"1","params":{"configScope":"product","getType":"file"}}`); !strings.Contains(answer, `"url":"http://h/c"`) {
				t.Errorf("config: %s", answer)
			}
		})
	}
}

// ticket authenticates over HTTP as in 2018.
func (s *site) ticket(t *testing.T) (id, token string) {
	t.Helper()
	content := credential.Content{ClientID: []byte("c1"), DeviceName: []byte(deviceName), ProductKey: []byte(productKey)}
	code, data := post(s.AuthHandler(platform.Endpoint{}), "/auth/devicename", url.Values{
		"productKey": {productKey}, "deviceName": {deviceName}, "clientId": {"c1"},
		"sign": {string(credential.HMACMD5.AppendHex(nil, []byte(deviceSecret), content.AppendTo(nil)))},
	})
	if code != 200 {
		t.Fatalf("code %d", code)
	}
	return data["iotId"].(string), data["iotToken"].(string)
}

// A device that is deleted leaves nothing behind, not even to one of the same name, and not even if the
// broker was killed before it could tidy up.
func TestADeletedDeviceLeavesNothingBehind(t *testing.T) {
	disk := simdisk.New()
	s := keptSite(t, disk, nil)
	g := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	ask(t, g, topo("gw-a", "add"), []any{signedSub("sub1", subSecret), signedSub("sub2", subSecret)})
	keep := func(pk, dn string) {
		t.Helper()
		if _, _, err := s.Services().SetDesired(pk, dn, map[string]json.RawMessage{"a": json.RawMessage("1")}, nil); err != nil {
			t.Fatal(err)
		}
	}
	keep(subProduct, "sub1")
	keep(subProduct, "sub2")
	s.ticket(t)
	if err := s.Registry.Delete(subProduct, "sub1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is forgotten", func() bool { return s.Ledger().Stats().Total == 3 })
	// Nobody is there to notice these.
	disk.Kill()
	registry := s.Registry
	s.Platform.Close()
	for _, dn := range []string{"sub2", "gw-a"} {
		pk := map[bool]string{true: subProduct, false: productKey}[dn == "sub2"]
		if err := registry.Delete(pk, dn); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := registry.CreateDevice(subProduct, device.DeviceSpec{Name: "sub2", Secret: subSecret}); err != nil {
		t.Fatal(err)
	}
	s = keptSite(t, disk, registry)
	if stats := s.Ledger().Stats(); stats.Total != 1 || stats.Records[ledger.Tickets] != 1 {
		t.Errorf("%+v", stats)
	}
	if desired, err := s.Services().Desired(subProduct, "sub2"); err != nil || len(desired) != 0 {
		t.Errorf("%v, %v", desired, err)
	}
}
