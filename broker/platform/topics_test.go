package platform_test

import (
	"encoding/json"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
	"sampan/broker/platform"
	"sampan/broker/rrpc"
	"sampan/packet"
)

func TestASubscriptionThatLosesItsPermissionStopsDelivering(t *testing.T) {
	s := start(t)
	category, err := s.Registry.CreateCategory(productKey, "user/alarm", device.Subscribe, "")
	if err != nil {
		t.Fatal(err)
	}
	c := s.connect(productKey, deviceName, deviceSecret, "")
	topic := own("/%s/user/alarm")
	c.Subscribe(topic, 1)
	if _, err := s.Broker.Publish(t.Context(), topic, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	expectPublish(t, c, topic, "1")
	if err := s.Registry.DeleteCategory(productKey, category.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the subscription is gone", func() bool { i, _ := s.Broker.Client(productKey + "/" + deviceName); return i.Subscriptions == 0 })
	if n, err := s.Broker.Publish(t.Context(), topic, []byte("2"), 0); err != nil || n != 0 {
		t.Errorf("%d subscribers, %v", n, err)
	}
	c.Sync()
	// A category that is added works at once.
	if _, err := s.Registry.CreateCategory(productKey, "user/news", device.Subscribe, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the category may be used", func() bool {
		id := c.ID()
		c.Send(brokertest.SubscribePacket(id, 0, own("/%s/user/news")))
		f := c.Next()
		return f.Type() == packet.TypeSuback && f.Body()[2] != packet.SubackFailure
	})
}

func TestForbiddenTopics(t *testing.T) {
	s := start(t)
	c := s.connect(productKey, deviceName, deviceSecret, "")
	id := c.ID()
	c.Send(brokertest.SubscribePacket(id, 1, own("/%s/get"), "/"+productKey+"/other/get", own("/sys/%s/thing/#"), "#"))
	c.Expect(&packet.Suback{ID: id, Codes: []byte{1, packet.SubackFailure, 1, packet.SubackFailure}})
	// Acknowledged, so that the device's window does not fill, and dropped.
	c.Publish("/"+productKey+"/other/update", "x", 1)
	e := s.Events.Wait(t, "refused", func(e broker.Event) bool { return e.Kind == broker.PublishRefused })
	if e.Topic != "/"+productKey+"/other/update" || e.Rule == "" {
		t.Errorf("%+v", e)
	}
	// Nobody may subscribe to what carries secrets.
	for _, topic := range []string{"/ext/register", "/ext/regnwl", "/ext/auth/identity/response", "/as/mqtt/status/#"} {
		id := c.ID()
		c.Send(brokertest.SubscribePacket(id, 0, topic))
		c.Expect(&packet.Suback{ID: id, Codes: []byte{packet.SubackFailure}})
	}
}

func TestMessagesBeyondTheRateAreDroppedWithoutAnAnswer(t *testing.T) {
	s := start(t)
	c := s.connect(productKey, deviceName, deviceSecret, "")
	acknowledged := 0
	for range 12 {
		c.Send(brokertest.Publish(own("/%s/update"), "x", 1, c.ID()))
	}
	c.Send(brokertest.Pingreq)
	for f := c.Next(); f.Type() != packet.TypePingresp; f = c.Next() {
		acknowledged++
	}
	if acknowledged != 10 {
		t.Errorf("%d of 12 were acknowledged, want 10 a second", acknowledged)
	}
	e := s.Events.Wait(t, "refused", func(e broker.Event) bool { return e.Kind == broker.PublishRefused })
	if e.Reason != broker.DropQuota || e.Limit != 10 {
		t.Errorf("%+v", e)
	}
	s.Clock.Advance(time.Second)
	c.Publish(own("/%s/update"), "x", 1)
}

// Without the services their topics are routed like others.
func TestWithoutServices(t *testing.T) {
	s := start(t, func(o *platform.Options) { o.NoAlink = true })
	if s.Services() != nil {
		t.Error("there are services")
	}
	came := make(chan string, 1)
	sub, err := s.Broker.Subscribe(own("/sys/%s/thing/event/property/post"), func(m broker.Message) { came <- string(m.Payload) })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	c := s.connect(productKey, deviceName, deviceSecret, "")
	c.Subscribe(own("/sys/%s/thing/event/property/post_reply"), 0)
	c.Publish(own("/sys/%s/thing/event/property/post"), "anything", 1)
	if got := <-came; got != "anything" {
		t.Errorf("%q", got)
	}
	if got := c.Drain(); len(got) != 0 {
		t.Errorf("it was answered: %s", got[0].Payload)
	}
	if err := s.Registry.Delete(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	c.ExpectClosed()
}

func TestStatusNotifications(t *testing.T) {
	s := start(t)
	came := make(chan broker.Message, 8)
	sub, err := s.Broker.Subscribe("/as/mqtt/status/#", func(m broker.Message) { came <- m })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	next := func() (status map[string]string) {
		t.Helper()
		select {
		case m := <-came:
			if m.Topic != own("/as/mqtt/status/%s") {
				t.Errorf("on %s", m.Topic)
			}
			if err := json.Unmarshal(m.Payload, &status); err != nil {
				t.Fatal(err)
			}
		case <-time.After(brokertest.Patience):
			t.Fatal("no notification")
		}
		return status
	}
	c := s.connect(productKey, deviceName, deviceSecret, "")
	up := next()
	if up["status"] != "online" || up["productKey"] != productKey || up["deviceName"] != deviceName {
		t.Errorf("%v", up)
	}
	if up["time"] != "2018-06-01 20:00:00.000" || up["utcTime"] != "2018-06-01T12:00:00.000Z" {
		t.Errorf("times %v", up)
	}
	for _, field := range []string{"lastTime", "utcLastTime", "clientIp"} {
		if _, found := up[field]; !found {
			t.Errorf("no %s in %v", field, up)
		}
	}
	c.Disconnect()
	if down := next(); down["status"] != "offline" {
		t.Errorf("%v", down)
	}
}

func TestHalfConnectedDevice(t *testing.T) {
	s := start(t)
	c := s.connect(productKey, deviceName, deviceSecret, "")
	call := func() rrpc.Code {
		_, err := s.RRPC(t.Context(), productKey, deviceName, []byte("?"), "", time.Second)
		return rrpc.CodeOf(err)
	}
	c.Close()
	s.Events.Wait(t, "the connection is lost", func(e broker.Event) bool { return e.Kind == broker.Disconnected })
	if code := call(); code != rrpc.HalfConn {
		t.Errorf("just after: %s", code)
	}
	s.Clock.Advance(61 * time.Second)
	if code := call(); code != rrpc.Offline {
		t.Errorf("a keep-alive later: %s", code)
	}
}

func TestRRPCOverSystemAndCustomTopics(t *testing.T) {
	s := start(t)
	c := s.connect(productKey, deviceName, deviceSecret, ",ext=1,_ss=1")
	for _, topic := range []string{"", own("/%s/user/get")} {
		done := make(chan error, 1)
		go func() {
			a, err := s.RRPC(t.Context(), productKey, deviceName, []byte{0, 255}, topic, 5*time.Second)
			if err == nil && string(a.Payload) != "\xff\x00" {
				t.Errorf("answer %q", a.Payload)
			}
			done <- err
		}()
		p := c.NextPublish()
		answer := string(p.Topic)
		if topic == "" {
			prefix := own("/sys/%s/rrpc/request/")
			if len(answer) != len(prefix)+19 || answer[:len(prefix)] != prefix {
				t.Fatalf("request on %s", answer)
			}
			answer = own("/sys/%s/rrpc/response/") + answer[len(prefix):]
		} else if answer != "/ext/rrpc/"+answer[10:29]+topic {
			t.Fatalf("request on %s", answer)
		}
		if string(p.Payload) != "\x00\xff" {
			t.Errorf("request %q", p.Payload)
		}
		c.Publish(answer, "\xff\x00", 0)
		if err := <-done; err != nil {
			t.Errorf("%q: %v", topic, err)
		}
	}
}

// Each is a message that no service can do anything with; the broker stays, and so does the connection.
func TestHostilePayloadsAreRefusedAndSurvived(t *testing.T) {
	s := start(t)
	c := s.connect(productKey, deviceName, deviceSecret, ",_ss=1")
	deep := make([]byte, 0, 100_000)
	for range 50_000 {
		deep = append(deep, '[')
	}
	topics := []string{
		"/sys/%s/thing/event/property/post", "/sys/%s/thing/topo/add", "/sys/%s/thing/sub/register", "/sys/%s/thing/deviceinfo/update",
		"/sys/%s/thing/service/property/set_reply", "/ext/session/%s/combine/login", "/ext/session/%s/combine/batch_login",
		"/ext/ntp/%s/request", "/shadow/update/%s", "/ota/device/inform/%s", "/ota/device/progress/%s", "/ota/device/request/%s",
		"/sys/%s/thing/property/desired/get", "/sys/%s/thing/nothing/there", "/sys/%s/thing/event//post", "/sys/%s/thing/model/up_raw",
	}
	for _, topic := range topics {
		for _, payload := range []string{
			"", "null", "{", "[]", "0", `"x"`, `{"id":null,"params":null}`, `{"id":{},"params":{"a":1}}`, `{"id":"1","params":"{"}`,
			`{"id":"1","params":[[]]}`, `{"id":"1","params":[{"productKey":1}]}`, `{"method":"update","state":3,"version":1}`,
			`{"method":"update","state":{"reported":[]},"version":1e99}`, "\xff\xfe\x00", string(deep),
		} {
			c.Send(brokertest.Publish(own(topic), payload, 0, 0))
			s.Clock.Advance(40 * time.Millisecond) // within the rates
		}
		c.Drain()
	}
	if i, ok := s.Broker.Client(productKey + "/" + deviceName); !ok || !i.Connected {
		t.Error("the connection is gone")
	}
}
