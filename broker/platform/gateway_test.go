package platform_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/platform"
	"sampan/broker/quota"
)

const (
	subProduct = "subProduct1"
	subSecret  = "sub-secret"
)

// gatewaySite has two gateways, gw-a and gw-b, and sub-devices sub1 to sub4.
func gatewaySite(t *testing.T, change ...func(*platform.Options)) *site {
	s := start(t, change...)
	s.product(device.ProductSpec{Key: subProduct, Name: "sub-devices"})
	for i := range 4 {
		s.device(subProduct, fmt.Sprintf("sub%d", i+1), subSecret)
	}
	s.device(productKey, "gw-a", "secret-a")
	s.device(productKey, "gw-b", "secret-b")
	return s
}

// signedSub is a sub-device's part of a request.
func signedSub(name, secret string) map[string]any {
	content := credential.Content{ClientID: []byte("c"), DeviceName: []byte(name), ProductKey: []byte(subProduct), Timestamp: []byte("1")}
	return map[string]any{"productKey": subProduct, "deviceName": name, "clientId": "c", "timestamp": 1, "signMethod": "hmacSha1",
		"sign": string(credential.HMACSHA1.AppendHex(nil, []byte(secret), content.AppendTo(nil)))}
}

// ask sends a request of a gateway and returns the code of the answer, which must come next.
func ask(t *testing.T, c *brokertest.Client, topic string, params any) int {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"id": "7", "params": params})
	if err != nil {
		t.Fatal(err)
	}
	c.Send(brokertest.Publish(topic, string(payload), 0, 0))
	p := c.NextPublish()
	var answer struct {
		ID   string
		Code int
	}
	if err := json.Unmarshal(p.Payload, &answer); err != nil || string(p.Topic) != topic+"_reply" || answer.ID != "7" {
		t.Fatalf("%s %s", p.Topic, p.Payload)
	}
	return answer.Code
}

func topo(g, what string) string { return "/sys/" + productKey + "/" + g + "/thing/topo/" + what }
func combine(g, what string) string {
	return "/ext/session/" + productKey + "/" + g + "/combine/" + what
}
func sub(name, rest string) string { return "/" + subProduct + "/" + name + "/" + rest }
func named(name string) map[string]any {
	return map[string]any{"productKey": subProduct, "deviceName": name}
}

// expectError wants a message on a gateway's /ext/error.
func expectError(t *testing.T, c *brokertest.Client, g string, code int, name string) {
	t.Helper()
	p := c.NextPublish()
	var e struct {
		Code int
		Data struct{ ProductKey, DeviceName string }
	}
	if err := json.Unmarshal(p.Payload, &e); err != nil || string(p.Topic) != "/ext/error/"+productKey+"/"+g || e.Code != code || e.Data.DeviceName != name {
		t.Fatalf("got %s %s, want %d about %s", p.Topic, p.Payload, code, name)
	}
}

func (s *site) online(name string) bool { _, ok := s.Gateways().Through(subProduct, name); return ok }

func TestSubDevicesTopicsAreUsableOnlyWhileLoggedIn(t *testing.T) {
	s := gatewaySite(t)
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	subscribe := func() byte {
		id := c.ID()
		c.Send(brokertest.SubscribePacket(id, 0, sub("sub1", "get")))
		return c.Next().Body()[2]
	}
	if code := ask(t, c, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)}); code != 200 {
		t.Fatalf("topo/add: %d", code)
	}
	if subscribe() != 0x80 {
		t.Error("subscribed before the login")
	}
	if code := ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret)); code != 200 {
		t.Fatalf("login: %d\n%s", code, s.Log)
	}
	if subscribe() != 0 {
		t.Error("not subscribed after the login")
	}
	if n, err := s.Broker.Publish(t.Context(), sub("sub1", "get"), []byte("x"), 0); n != 1 || err != nil {
		t.Errorf("%d subscribers, %v", n, err)
	}
	expectPublish(t, c, sub("sub1", "get"), "x")
	// Another sub-device of the product is still nobody's.
	c.Publish(sub("sub2", "update"), "x", 1)
	if code := ask(t, c, combine("gw-a", "logout"), named("sub1")); code != 200 {
		t.Fatalf("logout: %d", code)
	}
	if n, _ := s.Broker.Publish(t.Context(), sub("sub1", "get"), []byte("x"), 0); n != 0 {
		t.Errorf("%d subscribers after the logout", n)
	}
	c.Send(brokertest.Publish(sub("sub1", "update"), "x", 0, 0))
	expectError(t, c, "gw-a", 520, "sub1")
	if code := ask(t, c, combine("gw-a", "logout"), named("sub1")); code != 520 {
		t.Errorf("logout again: %d", code)
	}
}

func TestCodesOfTopologyAndLogin(t *testing.T) {
	s := gatewaySite(t, func(o *platform.Options) {
		o.Quantities = quota.Platform()
		o.Quantities.SubDevices, o.Quantities.LoginBatch, o.Quantities.SubRegisterBatch = 2, 2, 2
		o.Quantities.Rates[quota.UplinkQoS0] = quota.Rate{}
	})
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	add, login := topo("gw-a", "add"), combine("gw-a", "login")
	self := signedSub("x", "")
	self["productKey"], self["deviceName"] = productKey, "gw-a"
	method := signedSub("sub1", subSecret)
	method["signMethod"] = "rot13"
	for _, test := range []struct {
		name   string
		topic  string
		params any
		code   int
	}{
		{"no params", add, nil, 460},
		{"no sign", add, []any{named("sub1")}, 460},
		{"a wrong secret", add, []any{signedSub("sub1", "wrong")}, 401},
		{"an unknown device", add, []any{signedSub("none", subSecret)}, 6100},
		{"an unknown method", add, []any{method}, 6292},
		{"itself", add, []any{self}, 6402},
		{"all or nothing", add, []any{signedSub("sub1", subSecret), signedSub("sub2", "wrong")}, 401},
		{"not in the topology", login, signedSub("sub1", subSecret), 6401},
		{"two", add, []any{signedSub("sub1", subSecret), signedSub("sub2", subSecret)}, 200},
		{"a third", add, []any{signedSub("sub3", subSecret)}, 6400},
		{"a wrong secret at login", login, signedSub("sub1", "wrong"), 6287},
		{"too large a batch", combine("gw-a", "batch_login"), map[string]any{"deviceList": []any{signedSub("sub1", subSecret), signedSub("sub2", subSecret), signedSub("sub3", subSecret)}}, 428},
		{"an empty batch", combine("gw-a", "batch_login"), map[string]any{"deviceList": []any{}}, 460},
		{"a batch all or nothing", combine("gw-a", "batch_login"), map[string]any{"deviceList": []any{signedSub("sub1", subSecret), signedSub("sub3", subSecret)}}, 6401},
		{"a batch", combine("gw-a", "batch_login"), map[string]any{"signMethod": "hmacSha1", "deviceList": []any{signedSub("sub1", subSecret), signedSub("sub2", subSecret)}}, 200},
	} {
		if code := ask(t, c, test.topic, test.params); code != test.code {
			t.Errorf("%s: %d, want %d", test.name, code, test.code)
		}
	}
	if !s.online("sub1") || !s.online("sub2") || s.online("sub3") {
		t.Error("not the two that have logged in are online")
	}
	if log := s.Log.String(); strings.Contains(log, subSecret) {
		t.Error("a secret is in the log")
	}
}

func TestALaterGatewayTakesASubDeviceOver(t *testing.T) {
	s := gatewaySite(t)
	a := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	b := s.connect(productKey, "gw-b", "secret-b", ",_ss=1")
	ask(t, a, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)})
	if code := ask(t, a, combine("gw-a", "login"), signedSub("sub1", subSecret)); code != 200 {
		t.Fatalf("gw-a: %d", code)
	}
	ask(t, b, topo("gw-b", "add"), []any{signedSub("sub1", subSecret)})
	if code := ask(t, b, combine("gw-b", "login"), signedSub("sub1", subSecret)); code != 200 {
		t.Fatalf("gw-b: %d", code)
	}
	expectError(t, a, "gw-a", 427, "sub1")
	if g, _ := s.Gateways().Through(subProduct, "sub1"); g.DeviceName != "gw-b" {
		t.Errorf("through %v", g)
	}
	// The system topics of the sub-device are the new gateway's alone.
	if n, _ := s.Broker.Publish(t.Context(), "/sys/"+subProduct+"/sub1/thing/service/property/set", []byte("{}"), 0); n != 1 {
		t.Errorf("%d receivers", n)
	}
	if got := b.Drain(); len(got) != 1 {
		t.Errorf("gw-b got %d messages", len(got))
	}
	// The device by itself comes before any gateway.
	s.connect(subProduct, "sub1", subSecret, "")
	expectError(t, b, "gw-b", 427, "sub1")
	if s.online("sub1") {
		t.Error("it is still reached through the gateway")
	}
}

func TestAGatewayThatGoesTakesItsSubDevicesAlong(t *testing.T) {
	s := gatewaySite(t)
	status := make(chan string, 16)
	stop, err := s.Broker.Subscribe("/as/mqtt/status/"+subProduct+"/+", func(m broker.Message) {
		var v struct{ Status string }
		json.Unmarshal(m.Payload, &v)
		status <- v.Status
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop.Close()
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	ask(t, c, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)})
	ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret))
	c.Close()
	for _, want := range []string{"online", "offline"} {
		select {
		case got := <-status:
			if got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		case <-time.After(brokertest.Patience):
			t.Fatalf("never %s", want)
		}
	}
	// It comes back with its topology.
	s.Clock.Advance(time.Minute)
	c = s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	if code := ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret)); code != 200 {
		t.Errorf("login: %d", code)
	}
}

func TestAGatewayHearsWhatTheServerDoesToItsSubDevices(t *testing.T) {
	s := gatewaySite(t)
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	ask(t, c, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)})
	ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret))
	expect := func(topic, part string) {
		t.Helper()
		if p := c.NextPublish(); string(p.Topic) != topic || !strings.Contains(string(p.Payload), part) {
			t.Fatalf("got %s %s\nwant %s %s", p.Topic, p.Payload, topic, part)
		}
	}
	if _, err := s.Registry.Disable(subProduct, "sub1"); err != nil {
		t.Fatal(err)
	}
	expect("/sys/"+subProduct+"/sub1/thing/disable", `"method":"thing.disable"`)
	expect(topo("gw-a", "change"), `"status":8`)
	expectError(t, c, "gw-a", 522, "sub1")
	if code := ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret)); code != 522 {
		t.Errorf("login of a disabled device: %d", code)
	}
	if _, err := s.Registry.Enable(subProduct, "sub1"); err != nil {
		t.Fatal(err)
	}
	expect("/sys/"+subProduct+"/sub1/thing/enable", `"method":"thing.enable"`)
	expect(topo("gw-a", "change"), `"status":2`)
	ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret))
	if err := s.Registry.Delete(subProduct, "sub1"); err != nil {
		t.Fatal(err)
	}
	expect("/sys/"+subProduct+"/sub1/thing/delete", `"method":"thing.delete"`)
	expect(topo("gw-a", "change"), `"status":1`)
	expectError(t, c, "gw-a", 521, "sub1")
	if code := ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret)); code != 6100 {
		t.Errorf("login of a deleted device: %d", code)
	}
}
