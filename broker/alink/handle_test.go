package alink_test

import (
	"testing"

	"sampan/broker/alink"
	"sampan/broker/device"
	"sampan/packet"
)

// An embedder sees a request first, and may keep it; or all of them go on to others as well.
func TestHandle(t *testing.T) {
	registry := device.New(device.Options{})
	if _, err := registry.CreateProduct(device.ProductSpec{Key: "pk", Name: "one"}); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.CreateDevice("pk", device.DeviceSpec{Name: "dev1"}); err != nil {
		t.Fatal(err)
	}
	const mine, others = "/sys/pk/dev1/thing/event/mine/post", "/sys/pk/dev1/thing/event/other/post"
	for _, pass := range []bool{false, true} {
		out, seen := new(answers), ""
		s := alink.New(alink.Options{Registry: registry, Pass: pass, Handle: func(productKey, deviceName, topic string, payload []byte) bool {
			seen += productKey + "/" + deviceName + " " + string(payload) + ";"
			return topic == mine
		}})
		s.Use(out)
		for _, topic := range []string{mine, others} {
			if taken := s.Intercept(nil, &packet.Publish{Topic: []byte(topic), Payload: []byte(`{"id":"1","params":{}}`)}); taken == pass {
				t.Errorf("pass %v, %s: taken %v", pass, topic, taken)
			}
		}
		if want := `pk/dev1 {"id":"1","params":{}};pk/dev1 {"id":"1","params":{}};`; seen != want {
			t.Errorf("pass %v: the embedder has seen %s", pass, seen)
		}
		if len(out.lines) != 1 {
			t.Errorf("pass %v: answers %q, want one to the other's", pass, out.lines)
		}
	}
}
