package platform_test

import (
	"testing"
	"time"
)

// The C SDK 4 listens for synchronous services on /ext/rrpc/+/sys/+/+/thing/service/+ alone, without a
// SUBSCRIBE; the topic has nine slashes. The Node SDK and the C SDK 3 listen on the system's RRPC topic.
func TestAServiceIsCalledWhereTheDeviceListens(t *testing.T) {
	s := start(t)
	if topic := s.ServiceTopic(productKey, deviceName, "timer"); topic != "" {
		t.Errorf("not connected: %q", topic)
	}
	for _, extra := range []string{"", ",_ss=1", ",ext=1", ",ext=2,_ss=1"} {
		c := s.connect(productKey, deviceName, deviceSecret, extra)
		if topic := s.ServiceTopic(productKey, deviceName, "timer"); topic != "" {
			t.Errorf("%q: %q", extra, topic)
		}
		c.Disconnect()
	}
	s.Clock.Advance(time.Minute) // for five CONNECTs more
	c := s.connect(productKey, deviceName, deviceSecret, ",_ss=1,ext=3")
	topic := s.ServiceTopic(productKey, deviceName, "timer")
	if topic != own("/sys/%s/thing/service/timer") {
		t.Fatalf("topic %q", topic)
	}
	done := make(chan error, 1)
	go func() {
		a, err := s.RRPC(t.Context(), productKey, deviceName, []byte("{}"), topic, 5*time.Second)
		if err == nil && string(a.Payload) != `{"code":200}` {
			t.Errorf("answer %q", a.Payload)
		}
		done <- err
	}()
	p := c.NextPublish()
	if request := string(p.Topic); len(request) != len("/ext/rrpc/")+19+len(topic) || request[len(request)-len(topic):] != topic {
		t.Fatalf("request on %s", request)
	}
	c.Publish(string(p.Topic), `{"code":200}`, 0)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A sub-device of such a gateway is called there, too, and its gateway answers for it.
func TestAServiceOfASubDeviceIsCalledWhereItsGatewayListens(t *testing.T) {
	s := gatewaySite(t)
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1,ext=3")
	if code := ask(t, c, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)}); code != 200 {
		t.Fatalf("topo/add: %d", code)
	}
	if code := ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret)); code != 200 {
		t.Fatalf("login: %d", code)
	}
	topic := s.ServiceTopic(subProduct, "sub1", "timer")
	if want := "/sys/" + subProduct + "/sub1/thing/service/timer"; topic != want {
		t.Fatalf("topic %q, want %q", topic, want)
	}
	done := make(chan error, 1)
	go func() {
		a, err := s.RRPC(t.Context(), subProduct, "sub1", []byte("{}"), topic, 5*time.Second)
		if err == nil && string(a.Payload) != "done" {
			t.Errorf("answer %q", a.Payload)
		}
		done <- err
	}()
	p := c.NextPublish()
	c.Publish(string(p.Topic), "done", 0)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
