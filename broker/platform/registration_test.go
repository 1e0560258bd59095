package platform_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sampan/broker/brokertest"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/gateway"
	"sampan/broker/platform"
	"sampan/broker/quota"
)

const (
	gateProduct = "gateProduct1"
	dynProduct  = "dynProduct1"
	dynSecret   = "dyn-secret"
)

// registrationSite has a gateway gw-c of a product of gateways, and the products dynProduct, whose device new1 has
// never been active, and subProduct without registration.
func registrationSite(t *testing.T, change ...func(*platform.Options)) (*site, *brokertest.Client) {
	s := gatewaySite(t, change...)
	s.product(device.ProductSpec{Key: gateProduct, Name: "gateways", NodeType: device.Gateway})
	s.device(gateProduct, "gw-c", "secret-c")
	s.product(device.ProductSpec{Key: dynProduct, Secret: dynSecret, Name: "dynamic", DynamicRegistration: true})
	s.device(dynProduct, "new1", "secret-of-new1")
	return s, s.connect(gateProduct, "gw-c", "secret-c", ",_ss=1")
}

func register(g string) string { return "/sys/" + g + "/thing/sub/register" }
func proxyRegister(g string) string {
	return "/sys/" + g + "/thing/proxy/provisioning/product_register"
}

func unborn(name string) map[string]any {
	return map[string]any{"productKey": dynProduct, "deviceName": name}
}

// proxied is a sub-device's part of a registration that is signed with its product's secret.
func proxied(name, secret string) map[string]any {
	c := credential.RegistrationContent{DeviceName: []byte(name), ProductKey: []byte(dynProduct), Random: []byte("AB12")}
	return map[string]any{"productKey": dynProduct, "deviceName": name, "random": "AB12", "signMethod": "hmacSha256",
		"sign": string(credential.HMACSHA256.AppendHex(nil, []byte(secret), c.AppendTo(nil)))}
}

// Who asks for a device that was never active has its secret. So only gateways may ask, and they make no devices.
func TestOnlyGatewaysRegisterSubDevices(t *testing.T) {
	s, c := registrationSite(t, func(o *platform.Options) {
		o.Quantities = quota.Platform()
		o.Quantities.SubRegisterBatch = 2
	})
	plain := s.connect(productKey, deviceName, deviceSecret, ",_ss=1")
	s.product(device.ProductSpec{Key: "certified1", Name: "certified", AuthType: device.ByCertificate, DynamicRegistration: true})
	s.device("certified1", "cert1", "never-used")
	const g, d = gateProduct + "/gw-c", productKey + "/" + deviceName
	for _, test := range []struct {
		name  string
		from  *brokertest.Client
		topic string
		ask   any
		code  int
	}{
		{"a device that is no gateway", plain, register(d), []any{unborn("new1")}, 400},
		{"the same with signatures", plain, proxyRegister(d), map[string]any{"proxieds": []any{proxied("new1", dynSecret)}}, 400},
		{"a gateway", c, register(g), []any{unborn("new1")}, 200},
		{"a name that is not there", c, register(g), []any{unborn("new1"), unborn("new2")}, 6100},
		{"a product without registration", c, register(g), []any{named("sub1")}, 6288},
		{"a product with certificates", c, register(g), []any{certifiedDevice}, 6288},
		{"too many", c, register(g), []any{unborn("a"), unborn("b"), unborn("c")}, 428},
		{"too many with signatures", c, proxyRegister(g), map[string]any{"proxieds": []any{proxied("a", ""), proxied("b", ""), proxied("c", "")}}, 428},
		{"without signatures where they are due", c, proxyRegister(g), []any{unborn("new1")}, 460},
	} {
		if code := ask(t, test.from, test.topic, test.ask); code != test.code {
			t.Errorf("%s: %d, want %d", test.name, code, test.code)
		}
	}
	if n := s.Registry.DeviceCount(dynProduct); n != 1 {
		t.Errorf("there are %d devices", n)
	}
}

var certifiedDevice = map[string]any{"productKey": "certified1", "deviceName": "cert1"}

// The C SDK 4 and the Android SDK sign each sub-device with its product's secret, and want to hear of each by itself.
func TestRegistrationWithTheProductsSecret(t *testing.T) {
	s, c := registrationSite(t)
	s.device(dynProduct, "new2", "secret-of-new2")
	request, _ := json.Marshal(map[string]any{"id": "9", "params": map[string]any{"proxieds": []any{
		proxied("new1", dynSecret), proxied("new2", "wrong"), proxied("none", dynSecret)}}})
	c.Send(brokertest.Publish(proxyRegister(gateProduct+"/gw-c"), string(request), 0, 0))
	p := c.NextPublish()
	var answer struct {
		Code int
		Data struct {
			Successes []struct{ ProductKey, DeviceName, DeviceSecret string }
			Failures  []struct {
				DeviceName string
				Code       int
			}
		}
	}
	if err := json.Unmarshal(p.Payload, &answer); err != nil || answer.Code != 200 {
		t.Fatalf("%v: %s", err, p.Payload)
	}
	if got := answer.Data.Successes; len(got) != 1 || got[0].DeviceName != "new1" || got[0].DeviceSecret != "secret-of-new1" {
		t.Errorf("successes %+v", got)
	}
	if got := answer.Data.Failures; len(got) != 2 || got[0].Code != 6287 || got[1].Code != 6100 {
		t.Errorf("failures %+v", got)
	}
}

// The secret of a device that proves itself by certificate proves nothing, through a gateway neither.
func TestNoSecretLetsADeviceWithACertificateIn(t *testing.T) {
	s := gatewaySite(t)
	s.product(device.ProductSpec{Key: "certified1", Name: "certified", AuthType: device.ByCertificate})
	s.device("certified1", "cert1", subSecret)
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	content := credential.Content{ClientID: []byte("c"), DeviceName: []byte("cert1"), ProductKey: []byte("certified1"), Timestamp: []byte("1")}
	signed := map[string]any{"productKey": "certified1", "deviceName": "cert1", "clientId": "c", "timestamp": 1, "signMethod": "hmacSha1",
		"sign": string(credential.HMACSHA1.AppendHex(nil, []byte(subSecret), content.AppendTo(nil)))}
	if code := ask(t, c, topo("gw-a", "add"), []any{signed}); code != 401 {
		t.Errorf("topo/add: %d", code)
	}
	if code := ask(t, c, combine("gw-a", "login"), signed); code != 6287 {
		t.Errorf("login: %d", code)
	}
}

// A gateway that is away keeps its session, and what it has subscribed to, but not what is of a sub-device that
// is not its own any more.
func TestAGatewayThatIsAwayLosesASubDevice(t *testing.T) {
	for name, lose := range map[string]func(*site){
		"to another gateway": func(s *site) {
			b := s.connect(productKey, "gw-b", "secret-b", ",_ss=1")
			ask(t, b, topo("gw-b", "add"), []any{signedSub("sub1", subSecret)})
		},
		"a server takes it out of the topology": func(s *site) {
			s.Gateways().RemoveTopology(gateway.Name{ProductKey: productKey, DeviceName: "gw-a"}, gateway.Name{ProductKey: subProduct, DeviceName: "sub1"})
		},
		"it connects by itself": func(s *site) { s.connect(subProduct, "sub1", subSecret, "") },
		"it is disabled":        func(s *site) { s.Registry.Disable(subProduct, "sub1") },
		"there is another of its name": func(s *site) {
			s.Registry.Delete(subProduct, "sub1")
			s.device(subProduct, "sub1", "another")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaySite(t)
			hello := login(productKey, "gw-a", "secret-a", "")
			hello.CleanSession = false
			a := s.over(0, "")
			a.TryConnect(hello)
			a.Subscribe(topo("gw-a", "add_reply"), 0)
			a.Subscribe(combine("gw-a", "login_reply"), 0)
			ask(t, a, topo("gw-a", "add"), []any{signedSub("sub1", subSecret), signedSub("sub2", subSecret)})
			ask(t, a, combine("gw-a", "login"), signedSub("sub1", subSecret))
			ask(t, a, combine("gw-a", "login"), signedSub("sub2", subSecret))
			a.Subscribe(sub("sub1", "get"), 1)
			a.Subscribe(sub("sub2", "get"), 1)
			a.Close()
			eventually(t, "the sub-devices are offline", func() bool { return !s.online("sub1") && !s.online("sub2") })
			lose(s)
			eventually(t, "its topic is nobody's", func() bool {
				i, _ := s.Broker.Client(platform.Key(productKey, "gw-a"))
				return i.Subscriptions == 3
			})
			for _, name := range []string{"sub1", "sub2"} {
				s.Broker.Publish(t.Context(), sub(name, "get"), []byte(name), 1)
			}
			s.Clock.Advance(time.Minute)
			a = s.over(0, "")
			a.TryConnect(hello)
			var got []string
			for _, p := range a.Drain() {
				got = append(got, string(p.Payload))
			}
			if !slices.Equal(got, []string{"sub2"}) {
				t.Errorf("the gateway gets %q", got)
			}
		})
	}
}

// A sub-device is no gateway: its own could not be told from those of its gateway when that goes.
func TestASubDeviceHasNoneOfItsOwn(t *testing.T) {
	s := gatewaySite(t)
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	ask(t, c, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)})
	ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret))
	if code := ask(t, c, "/sys/"+subProduct+"/sub1/thing/topo/add", []any{signedSub("sub2", subSecret)}); code != 400 {
		t.Errorf("topo/add: %d", code)
	}
	if _, has := s.Gateways().Of(gateway.Name{ProductKey: subProduct, DeviceName: "sub2"}); has {
		t.Error("it is in a topology")
	}
}

// What a gateway answers to a server's word that has ended the sub-device's session is no mistake of it.
func TestAnswersForASubDeviceThatWasDisabled(t *testing.T) {
	s := gatewaySite(t)
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	ask(t, c, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)})
	ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret))
	s.Registry.Disable(subProduct, "sub1")
	told := c.NextPublish() // thing/disable
	c.NextPublish()         // topo/change
	expectError(t, c, "gw-a", 522, "sub1")
	c.Send(brokertest.Publish(string(told.Topic)+"_reply", `{"id":"1","code":200,"data":{}}`, 0, 0))
	c.Send(brokertest.Publish("/ext/ntp/"+productKey+"/gw-a/request", `{"deviceSendTime":1}`, 0, 0))
	if p := c.NextPublish(); !strings.Contains(string(p.Topic), "ntp") {
		t.Errorf("%s %s", p.Topic, p.Payload)
	}
}

// A gateway whose sub-device a server takes out of its topology is told so: it is not logged in any more (6401).
func TestAGatewayIsToldThatASubDeviceIsNotItsOwn(t *testing.T) {
	s := gatewaySite(t)
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	ask(t, c, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)})
	ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret))
	s.Gateways().RemoveTopology(gateway.Name{ProductKey: productKey, DeviceName: "gw-a"}, gateway.Name{ProductKey: subProduct, DeviceName: "sub1"})
	expectError(t, c, "gw-a", 6401, "sub1")
}
