package platform_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
)

// Servers are told what devices post and answer, and what becomes of them, with the payloads of the
// platform's pages. (facts, section 5)
func TestServersAreToldOfPosts(t *testing.T) {
	s := start(t)
	came := make(chan broker.Message, 8)
	sub, err := s.Broker.Subscribe("/as/+/+/thing/#", func(m broker.Message) { came <- m })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	expect := func(topic, payload string) {
		t.Helper()
		select {
		case m := <-came:
			if m.Topic != "/as"+topic || string(m.Payload) != payload {
				t.Errorf("got %s %s\nwant /as%s %s", m.Topic, m.Payload, topic, payload)
			}
		case <-time.After(brokertest.Patience):
			t.Fatalf("nothing on %s", topic)
		}
	}
	d, err := s.Registry.Device(productKey, deviceName)
	if err != nil {
		t.Fatal(err)
	}
	first := `"iotId":"` + d.IotID() + `","productKey":"a1B2c3D4e5","deviceName":"dev1"`
	const now = "1527854400000"
	c := s.connect(productKey, deviceName, deviceSecret, ",_ss=1")
	replyTo(t, c, own("/sys/%s/thing/event/property/post"), `{"id":"1","params":{"a":1,"b":{"value":"x<y","time":7}}}`)
	expect(own("/%s/thing/event/property/post"), `{`+first+`,"gmtCreate":`+now+`,"deviceType":"None","items":{"a":{"value":1,"time":`+now+`},"b":{"value":"x<y","time":7}}}`)
	replyTo(t, c, own("/sys/%s/thing/event/alarm/post"), `{"id":"2","params":{"value":{"level":3},"time":8}}`)
	expect(own("/%s/thing/event/alarm/post"), `{`+first+`,"gmtCreate":`+now+`,"identifier":"alarm","value":{"level":3},"time":8}`)
	c.Send(brokertest.Publish(own("/sys/%s/thing/model/up_raw"), "\x00\xff", 0, 0))
	expect(own("/%s/thing/model/up_raw"), "\x00\xff")
	id, err := s.Services().SetProperties(productKey, deviceName, json.RawMessage(`{"a":2}`))
	if err != nil {
		t.Fatal(err)
	}
	c.Send(brokertest.Publish(own("/sys/%s/thing/service/property/set_reply"), `{"id":"`+id+`","code":200,"data":{}}`, 0, 0))
	expect(own("/%s/thing/downlink/reply/message"), `{`+first+`,"gmtCreate":`+now+`,"requestId":"`+id+`","code":200,"message":"","topic":"/sys/a1B2c3D4e5/dev1/thing/service/property/set_reply","data":{}}`)
	if _, err := s.Registry.Disable(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	expect(own("/%s/thing/lifecycle"), `{"action":"disable",`+first+`,"messageCreateTime":`+now+`}`)
	if err := s.Registry.Delete(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	expect(own("/%s/thing/lifecycle"), `{"action":"delete",`+first+`,"messageCreateTime":`+now+`}`)
	s.device(productKey, "dev9", "x-secret")
	if m := <-came; m.Topic != "/as/"+productKey+"/dev9/thing/lifecycle" {
		t.Errorf("%s %s", m.Topic, m.Payload)
	}
}

// Servers are told what gateways find and whose sub-devices they are.
func TestServersAreToldOfTopologies(t *testing.T) {
	s := gatewaySite(t)
	came := make(chan broker.Message, 16)
	stop, err := s.Broker.Subscribe("/as/"+productKey+"/+/thing/#", func(m broker.Message) {
		if !strings.HasSuffix(m.Topic, "/thing/lifecycle") || strings.HasSuffix(m.Topic, "/topo/lifecycle") {
			came <- m // the others are of the devices that were made for this test
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop.Close()
	request := func(c *brokertest.Client, topic string, params ...any) {
		t.Helper()
		payload, err := json.Marshal(map[string]any{"id": "7", "params": params})
		if err != nil {
			t.Fatal(err)
		}
		if answer := replyTo(t, c, topic, string(payload)); !strings.Contains(answer, `"code":200`) {
			t.Fatal(answer)
		}
	}
	id := func(product, name string) string {
		d, err := s.Registry.Device(product, name)
		if err != nil {
			t.Fatal(err)
		}
		return d.IotID()
	}
	gone := id(subProduct, "sub1") // known also when it is deleted
	expect := func(g, path, action, name, iotID string) {
		t.Helper()
		payload := `"gwIotId":"` + id(productKey, g) + `","gwProductKey":"` + productKey + `","gwDeviceName":"` + g +
			`","devices":[{"productKey":"` + subProduct + `","deviceName":"` + name + `","iotId":"` + iotID + `"}]`
		if action != "" {
			payload = `"action":"` + action + `",` + payload + `,"messageCreateTime":1527854400000`
		}
		select {
		case m := <-came:
			if want := "/as/" + productKey + "/" + g + "/thing/" + path; m.Topic != want || string(m.Payload) != "{"+payload+"}" {
				t.Errorf("got %s %s\nwant %s {%s}", m.Topic, m.Payload, want, payload)
			}
		case <-time.After(brokertest.Patience):
			t.Fatalf("nothing of %s %s", g, action)
		}
	}
	a := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	b := s.connect(productKey, "gw-b", "secret-b", ",_ss=1")
	request(a, strings.Replace(topo("gw-a", "x"), "topo/x", "list/found", 1), named("stranger"))
	expect("gw-a", "list/found", "", "stranger", "")
	request(a, topo("gw-a", "add"), signedSub("sub1", subSecret))
	expect("gw-a", "topo/lifecycle", "add", "sub1", gone)
	// The last one that can sign for a device has it.
	request(b, topo("gw-b", "add"), signedSub("sub1", subSecret))
	expect("gw-a", "topo/lifecycle", "remove", "sub1", gone)
	expect("gw-b", "topo/lifecycle", "add", "sub1", gone)
	if _, err := s.Registry.Disable(subProduct, "sub1"); err != nil {
		t.Fatal(err)
	}
	expect("gw-b", "topo/lifecycle", "disable", "sub1", gone)
	if _, err := s.Registry.Enable(subProduct, "sub1"); err != nil {
		t.Fatal(err)
	}
	expect("gw-b", "topo/lifecycle", "enable", "sub1", gone)
	request(b, topo("gw-b", "delete"), named("sub1"), named("sub2"))
	expect("gw-b", "topo/lifecycle", "remove", "sub1", gone)
	request(a, topo("gw-a", "add"), signedSub("sub1", subSecret))
	expect("gw-a", "topo/lifecycle", "add", "sub1", gone)
	if err := s.Registry.Delete(subProduct, "sub1"); err != nil {
		t.Fatal(err)
	}
	expect("gw-a", "topo/lifecycle", "remove", "sub1", gone)
}
