package platform_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/platform"
	"sampan/broker/quota"
	"sampan/broker/rrpc"
	"sampan/packet"
)

// with changes the table of quantities.
func with(change func(q *quota.Limits)) func(*platform.Options) {
	return func(o *platform.Options) {
		if o.Quantities == nil {
			o.Quantities = quota.Platform()
		}
		change(o.Quantities)
	}
}

// unlimitedUplink keeps the rates of messages from devices out of a test of something else.
var unlimitedUplink = with(func(q *quota.Limits) {
	q.Rates[quota.UplinkQoS0], q.Rates[quota.UplinkQoS1] = quota.Rate{}, quota.Rate{}
})

// refused wants a limit to have refused something so often, and to have said so.
func (s *site) refused(name string, times uint64) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%s has refused %d times, not %d", name, times, s.Meter().Counts()[name]), func() bool { return s.Meter().Counts()[name] == times })
	eventually(s.t, "a line about "+name, func() bool { return len(s.Log.Lines("rule="+name, "limit=")) > 0 })
}

func TestMessagesOfServersToADevice(t *testing.T) {
	s := start(t, with(func(q *quota.Limits) { q.Rates[quota.AccountDownlink] = quota.PerSecond(70) }))
	s.device(productKey, "dev2", "x-secret")
	d, _ := s.Registry.Device(productKey, deviceName)
	other, _ := s.Registry.Device(productKey, "dev2")
	for i := range 50 {
		if err := s.Downlink(&d); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	var much *quota.Exceeded
	if err := s.Downlink(&d); !errors.As(err, &much) || much.Item != quota.Downlink || much.Detail != "Rate limit:50,current qps:51" {
		t.Errorf("message 51: %v", err)
	}
	s.refused("downlink", 1)
	// Calls and requests are messages, too.
	if _, err := s.RRPC(t.Context(), productKey, deviceName, nil, "", time.Second); !errors.As(err, &much) {
		t.Errorf("RRPC: %v", err)
	}
	if _, err := s.Services().SetProperties(productKey, deviceName, json.RawMessage(`{}`)); !errors.As(err, &much) {
		t.Errorf("property set: %v", err)
	}
	// The account's limit is for all devices together.
	for i := range 20 {
		if err := s.Downlink(&other); err != nil {
			t.Fatalf("message %d to another: %v", i, err)
		}
	}
	if err := s.Downlink(&other); !errors.As(err, &much) || much.Item != quota.AccountDownlink {
		t.Errorf("message 71: %v", err)
	}
	if err := s.Downlink(nil); !errors.As(err, &much) {
		t.Errorf("a broadcast: %v", err)
	}
	s.refused("account-downlink", 2)
	s.Clock.Advance(time.Second)
	if err := s.Downlink(&d); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

// Zero is no limit on the timeout of a call, and not another default.
func TestTimeoutsOfCallsWithoutLimit(t *testing.T) {
	s := start(t, with(func(q *quota.Limits) { q.RRPCTimeoutMin, q.RRPCTimeoutMax = 0, 0 }))
	for _, timeout := range []time.Duration{time.Millisecond, time.Minute, 0} {
		if _, err := s.RRPC(t.Context(), productKey, deviceName, nil, "", timeout); rrpc.CodeOf(err) != rrpc.Offline {
			t.Errorf("%v: %v", timeout, err)
		}
	}
}

func TestMessagesOfAllDevices(t *testing.T) {
	s := start(t, with(func(q *quota.Limits) { q.Rates[quota.AccountUplink] = quota.PerSecond(5) }))
	s.device(productKey, "dev2", "x-secret")
	a, b := s.connect(productKey, deviceName, deviceSecret, ""), s.connect(productKey, "dev2", "x-secret", "")
	for range 4 {
		a.Send(brokertest.Publish(own("/%s/update"), "x", 0, 0))
	}
	a.Sync()
	for range 4 {
		b.Send(brokertest.Publish("/"+productKey+"/dev2/update", "x", 0, 0))
	}
	b.Sync()
	s.refused("account-uplink", 3)
	if n := s.Broker.Stats().Dropped["quota"]; n != 3 {
		t.Errorf("%d dropped", n)
	}
}

func TestConnectsOfAllDevices(t *testing.T) {
	s := start(t, with(func(q *quota.Limits) { q.Rates[quota.AccountConnects] = quota.PerSecond(2) }))
	for i := range 3 {
		s.device(productKey, fmt.Sprint("many", i), "x-secret")
	}
	for i, want := range []packet.ReturnCode{packet.Accepted, packet.Accepted, packet.RefusedUnavailable} {
		if code := s.code(broker.Plain, login(productKey, fmt.Sprint("many", i), "x-secret", "")); code != want {
			t.Errorf("connection %d: %v, want %v", i, code, want)
		}
	}
	s.refused("account-connects", 1)
}

func TestSubscribersOfABroadcastTopic(t *testing.T) {
	s := start(t, with(func(q *quota.Limits) { q.SubscribersPerTopic = 2 }))
	topic := "/broadcast/" + productKey + "/news"
	code := func(c *brokertest.Client, filter string) byte {
		t.Helper()
		id := c.ID()
		c.Send(brokertest.SubscribePacket(id, 0, filter))
		f := c.Next()
		return f.Body()[2]
	}
	var all []*brokertest.Client
	for i := range 3 {
		s.device(productKey, fmt.Sprint("many", i), "x-secret")
		all = append(all, s.connect(productKey, fmt.Sprint("many", i), "x-secret", ""))
	}
	if code(all[0], topic) != 0 || code(all[1], "/broadcast/"+productKey+"/#") != 0 {
		t.Fatal("the first two were refused")
	}
	if code(all[2], topic) != packet.SubackFailure {
		t.Error("the third was not refused")
	}
	s.refused("subscribers-per-topic", 1)
	if code(all[0], topic) != 0 {
		t.Error("a subscription that there is was refused")
	}
	if code(all[2], "/broadcast/"+productKey+"/other") != 0 {
		t.Error("another topic was refused")
	}
	all[0].Unsubscribe(topic)
	if code(all[2], "/broadcast/"+productKey+"/#") != 0 {
		t.Error("refused although there is room again")
	}
	// Nor is there room for a device for which the server subscribes.
	s.connect(productKey, deviceName, deviceSecret, ",_ss=1")
	s.refused("subscribers-per-topic", 2)
	if n, err := s.Broker.Publish(t.Context(), topic, []byte("x"), 0); n != 2 || err != nil {
		t.Errorf("%d receivers, %v", n, err)
	}
}

func TestShadowRequests(t *testing.T) {
	s := start(t, unlimitedUplink)
	c := s.connect(productKey, deviceName, deviceSecret, ",_ss=1")
	for i := range 20 {
		if answer := shadowAnswer(t, c, `{"method":"get"}`); !strings.Contains(answer, `"success"`) {
			t.Fatalf("request %d: %s", i, answer)
		}
	}
	if answer := shadowAnswer(t, c, `{"method":"get"}`); !strings.Contains(answer, `"errorcode":"429"`) {
		t.Errorf("request 21: %s", answer)
	}
	s.refused("shadow-requests", 1)
	s.Clock.Advance(time.Second)
	if answer := shadowAnswer(t, c, `{"method":"get"}`); !strings.Contains(answer, `"success"`) {
		t.Errorf("a second later: %s", answer)
	}
}

func TestLoginsOfSubDevicesOfOneGateway(t *testing.T) {
	s := gatewaySite(t, unlimitedUplink, with(func(q *quota.Limits) { q.Rates[quota.SubDeviceLogins] = quota.PerSecond(2) }))
	a := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	b := s.connect(productKey, "gw-b", "secret-b", ",_ss=1")
	ask(t, a, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)})
	ask(t, b, topo("gw-b", "add"), []any{signedSub("sub2", subSecret)})
	for i, want := range []int{200, 200, 429} {
		if code := ask(t, a, combine("gw-a", "login"), signedSub("sub1", subSecret)); code != want {
			t.Errorf("login %d: %d, want %d", i, code, want)
		}
	}
	s.refused("sub-device-logins", 1)
	if code := ask(t, b, combine("gw-b", "login"), signedSub("sub2", subSecret)); code != 200 {
		t.Errorf("through another gateway: %d", code)
	}
}

// 1,024 KB/s in each direction: what is beyond it waits.
func TestBandwidthOfAConnection(t *testing.T) {
	s := start(t)
	c := s.connect(productKey, deviceName, deviceSecret, ",_ss=1")
	topic := own("/sys/%s/thing/service/property/set")
	payload := strings.Repeat("x", 256<<10)
	send := func() {
		t.Helper()
		if _, err := s.Broker.Publish(t.Context(), topic, []byte(payload), 0); err != nil {
			t.Fatal(err)
		}
	}
	timers := s.Clock.Timers()
	for range 4 {
		send()
		expectPublish(t, c, topic, payload)
	}
	send()
	eventually(t, "the fifth has to wait", func() bool { return s.Clock.Timers() > timers })
	if sent := s.Broker.Stats().BytesSent; sent > 5*256<<10 {
		t.Errorf("%d bytes were sent", sent)
	}
	s.Clock.Advance(time.Second)
	expectPublish(t, c, topic, payload)
}

// Each limit on what one request holds: one more is refused with the code, and counted.
func TestLimitsOnRequests(t *testing.T) {
	s := gatewaySite(t, unlimitedUplink, with(func(q *quota.Limits) { q.Rates[quota.ShadowRequests] = quota.Rate{} }))
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	ask(t, c, topo("gw-a", "add"), []any{signedSub("sub1", subSecret)})
	ask(t, c, combine("gw-a", "login"), signedSub("sub1", subSecret))
	many := func(n int) map[string]any {
		m := map[string]any{}
		for i := range n {
			m[fmt.Sprint("n", i)] = map[string]any{"value": i, "time": 1}
		}
		return m
	}
	const post = "/sys/" + productKey + "/gw-a/thing/event/property/"
	identity := func(name string) map[string]any {
		return map[string]any{"identity": named(name), "properties": many(1)}
	}
	subs := func(n int) []any {
		var all []any
		for range n {
			all = append(all, identity("sub1"))
		}
		return all
	}
	for _, test := range []struct {
		name   string
		topic  string
		params any
		code   int
		rule   string
	}{
		{"200 properties", post + "post", many(200), 200, ""},
		{"201 properties", post + "post", many(201), 6106, "properties-per-post"},
		{"200 events", post + "pack/post", map[string]any{"events": many(200)}, 200, ""},
		{"201 events", post + "pack/post", map[string]any{"events": many(201)}, 460, "events-per-pack-post"},
		{"a sub-device twenty times", post + "pack/post", map[string]any{"subDevices": subs(20)}, 200, ""},
		{"a sub-device that is not logged in", post + "pack/post", map[string]any{"subDevices": []any{identity("sub2")}}, 520, ""},
		{"history of a sub-device", post + "history/post", []any{map[string]any{"identity": named("sub1"), "properties": []any{many(2), many(3)}, "events": []any{many(1)}}}, 200, ""},
		{"batch", post + "batch/post", map[string]any{"properties": map[string]any{"p": []any{map[string]any{"value": 1, "time": 1}, map[string]any{"value": 2, "time": 2}}}}, 200, ""},
		{"a batch that is none", post + "batch/post", map[string]any{"properties": []any{1}}, 460, ""},
	} {
		before := s.Meter().Counts()[test.rule]
		if code := ask(t, c, test.topic, test.params); code != test.code {
			t.Errorf("%s: %d, want %d", test.name, code, test.code)
		}
		if test.rule != "" && s.Meter().Counts()[test.rule] != before+1 {
			t.Errorf("%s: not counted as %s: %v", test.name, test.rule, s.Meter().Counts())
		}
	}
	if p, err := s.Services().Properties(subProduct, "sub1"); err != nil || string(p["n2"].Value) != "2" {
		t.Errorf("properties of the sub-device: %v, %v", p, err)
	}
	if p, err := s.Services().Properties(productKey, "gw-a"); err != nil || string(p["p"].Value) != "2" {
		t.Errorf("properties of the gateway: %v, %v", p["p"], err)
	}
}

func TestSubDevicesInOnePost(t *testing.T) {
	s := gatewaySite(t, unlimitedUplink, with(func(q *quota.Limits) { q.SubDevicesPerPackPost = 1 }))
	c := s.connect(productKey, "gw-a", "secret-a", ",_ss=1")
	post := map[string]any{}
	for n, want := range []int{200, 200, 460} {
		if n > 0 {
			name := fmt.Sprint("sub", n)
			ask(t, c, topo("gw-a", "add"), []any{signedSub(name, subSecret)})
			ask(t, c, combine("gw-a", "login"), signedSub(name, subSecret))
			all, _ := post["subDevices"].([]any)
			post["subDevices"] = append(all, map[string]any{"identity": named(name), "properties": map[string]any{"p": n}})
		}
		if code := ask(t, c, "/sys/"+productKey+"/gw-a/thing/event/property/pack/post", post); code != want {
			t.Errorf("with %d sub-devices: %d, want %d", n, code, want)
		}
	}
	s.refused("sub-devices-per-pack-post", 1)
}

// What an embedder broadcasts has the limits of the platform, too.
func TestBroadcastsOfAnEmbedder(t *testing.T) {
	s := start(t)
	c := s.connect(productKey, deviceName, deviceSecret, "")
	topic := "/broadcast/" + productKey + "/news"
	c.Subscribe(topic, 1)
	id, err := s.Broadcast(t.Context(), productKey, topic, []byte("to a topic"))
	if err != nil || len(fmt.Sprint(id)) != 19 {
		t.Fatalf("%d, %v", id, err)
	}
	expectPublish(t, c, topic, "to a topic")
	if id, err = s.Broadcast(t.Context(), productKey, "", []byte("to all")); err != nil {
		t.Fatal(err)
	}
	expectPublish(t, c, own("/sys/%s/broadcast/request/")+fmt.Sprint(id), "to all")
	var much *quota.Exceeded
	for topic, item := range map[string]quota.Item{topic: quota.TopicBroadcasts, "": quota.FullBroadcasts} {
		if _, err := s.Broadcast(t.Context(), productKey, topic, nil); !errors.As(err, &much) || much.Item != item {
			t.Errorf("again on %q: %v", topic, err)
		}
	}
	s.Clock.Advance(time.Minute)
	var over *quota.Over
	if _, err := s.Broadcast(t.Context(), productKey, "", make([]byte, 64<<10+1)); !errors.As(err, &over) || over.Limit != 64<<10 {
		t.Errorf("too large: %v", err)
	}
	s.refused("broadcast-payload", 1)
	for _, topic := range []string{"/broadcast/other/news", "/broadcast/" + productKey + "/", "news", "/broadcast/" + productKey + "/+"} {
		if _, err := s.Broadcast(t.Context(), productKey, topic, nil); err == nil {
			t.Errorf("%q was taken for a broadcast topic", topic)
		}
	}
	if _, err := s.Broadcast(t.Context(), "none", "", nil); err == nil {
		t.Error("a product that there is not")
	}
}
