package openapi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"sampan/broker/brokertest"
	"sampan/broker/credential"
	"sampan/broker/quota"
	"sampan/packet"
)

// sign is a device's signature with the secret that all devices here have.
func sign(clientID, name string) string {
	content := credential.Content{ClientID: []byte(clientID), DeviceName: []byte(name), ProductKey: []byte("pk1")}
	return string(credential.HMACSHA256.AppendHex(nil, []byte("secret-of-device"), content.AppendTo(nil)))
}

// connect makes a device and connects it; its system topics are subscribed for it.
func (s *site) connect(name string) *brokertest.Client {
	s.t.Helper()
	return s.connectAs(name, ",_ss=1")
}

// connectAs is connect with parameters of the client identifier.
func (s *site) connectAs(name, parameters string) *brokertest.Client {
	s.t.Helper()
	s.device(s.t, name)
	nc, err := s.Broker.Dial()
	if err != nil {
		s.t.Fatal(err)
	}
	c := brokertest.NewClient(s.t, nc)
	ack := c.TryConnect(brokertest.ConnectPacket("c|securemode=3,signmethod=hmacsha256"+parameters+"|", brokertest.Credentials(name+"&pk1", sign("c", name))))
	if ack.Code != packet.Accepted {
		s.t.Fatalf("%v\n%s", ack.Code, s.Log)
	}
	return c
}

// call calls an action and returns its body.
func (s *site) call(action string, pairs ...string) string {
	s.t.Helper()
	p := url.Values{"Action": {action}}
	for i := 0; i < len(pairs); i += 2 {
		p.Set(pairs[i], pairs[i+1])
	}
	_, body := s.get(p)
	return body
}

// ask sends a request of a device and wants the code 200.
func ask(t *testing.T, c *brokertest.Client, topic, params string) {
	t.Helper()
	c.Send(brokertest.Publish(topic, `{"id":"1","params":`+params+`}`, 0, 0))
	if p := c.NextPublish(); string(p.Topic) != topic+"_reply" || !strings.Contains(string(p.Payload), `"code":200`) {
		t.Fatalf("%s %s", p.Topic, p.Payload)
	}
}

// A broadcast to all reaches devices that have subscribed to nothing, and sub-devices that are logged in,
// over their gateway's connection and under their own names.
func TestABroadcastToAllReachesSubDevices(t *testing.T) {
	s := start(t)
	c := s.connect("gateway")
	for _, name := range []string{"sub1", "sub2"} {
		s.device(t, name)
		ask(t, c, "/sys/pk1/gateway/thing/topo/add", `[{"productKey":"pk1","deviceName":"`+name+`","clientId":"c","signMethod":"hmacSha256","sign":"`+sign("c", name)+`"}]`)
	}
	ask(t, c, "/ext/session/pk1/gateway/combine/login", `{"productKey":"pk1","deviceName":"sub1","clientId":"c","signMethod":"hmacSha256","sign":"`+sign("c", "sub1")+`"}`)
	var answer struct {
		MessageID json.Number `json:"MessageId"`
	}
	body := s.call("PubBroadcast", "ProductKey", "pk1", "MessageContent", base64.StdEncoding.EncodeToString([]byte("all")))
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.MessageID) != 19 {
		t.Fatalf("%s: %v", body, err)
	}
	got := map[string]string{}
	for range 2 {
		p := c.NextPublish()
		got[string(p.Topic)] = string(p.Payload)
	}
	for _, name := range []string{"gateway", "sub1"} {
		if topic := "/sys/pk1/" + name + "/broadcast/request/" + answer.MessageID.String(); got[topic] != "all" {
			t.Errorf("nothing on %s: %v", topic, got)
		}
	}
	if rest := c.Drain(); len(rest) != 0 {
		t.Errorf("%d messages more", len(rest))
	}
}

// What a device answers to a synchronous service is the result; what is no answer is an error of its own.
func TestAnswersToSynchronousServices(t *testing.T) {
	s := start(t)
	c := s.connect("dev-1")
	for _, test := range []struct{ answer, want string }{
		{`{"id":"1","code":200,"data":{"x":1}}`, `"Result":"{\"x\":1}"`},
		{`no JSON`, `"Code":"iot.messagebroker.RrpcFailed"`},
		{``, `"Code":"iot.messagebroker.RrpcFailed"`},
		{`[1]`, `"Code":"iot.messagebroker.RrpcFailed"`},
	} {
		body := make(chan string, 1)
		go func() {
			body <- s.call("InvokeThingService", "ProductKey", "pk1", "DeviceName", "dev-1", "Identifier", "x", "Args", `{"a":1}`, "CallType", "sync")
		}()
		p := c.NextPublish()
		if !strings.Contains(string(p.Payload), `"params":{"a":1},"method":"thing.service.x"`) {
			t.Errorf("request %s", p.Payload)
		}
		c.Publish(strings.Replace(string(p.Topic), "/request/", "/response/", 1), test.answer, 0)
		if got := <-body; !strings.Contains(got, test.want) {
			t.Errorf("%q: %s", test.answer, got)
		}
	}
}

// Whether a service is synchronous is the product's to say, so that callers need not (on the platform its model
// says it).
func TestAProductSaysWhichServicesAreSynchronous(t *testing.T) {
	s := start(t)
	c := s.connect("dev-1")
	invoke := func(identifier string) chan string {
		body := make(chan string, 1)
		go func() {
			body <- s.call("InvokeThingService", "ProductKey", "pk1", "DeviceName", "dev-1", "Identifier", identifier, "Args", "{}")
		}()
		return body
	}
	for _, code := range []string{s.code("UpdateProduct", "ProductKey", "pk1", "SyncServices", "add,reboot"), s.code("UpdateProduct", "ProductKey", "pk1", "Description", "x")} {
		if code != "" {
			t.Fatal(code)
		}
	}
	if body := s.call("QueryProduct", "ProductKey", "pk1"); !strings.Contains(body, `"SyncServices":"add,reboot"`) {
		t.Error(body)
	}
	body := invoke("reboot")
	p := c.NextPublish()
	if !strings.HasPrefix(string(p.Topic), "/sys/pk1/dev-1/rrpc/request/") {
		t.Errorf("called on %s", p.Topic)
	}
	c.Publish(strings.Replace(string(p.Topic), "/request/", "/response/", 1), `{"id":"1","code":200,"data":{"x":1}}`, 0)
	if got := <-body; !strings.Contains(got, `"Result":"{\"x\":1}"`) {
		t.Error(got)
	}
	body = invoke("another")
	if p := c.NextPublish(); string(p.Topic) != "/sys/pk1/dev-1/thing/service/another" {
		t.Errorf("called on %s", p.Topic)
	}
	if got := <-body; strings.Contains(got, "Result") || !strings.Contains(got, "MessageId") {
		t.Error(got)
	}
	for _, bad := range []string{"a,", "a/b", "a,a"} {
		if code := s.code("UpdateProduct", "ProductKey", "pk1", "SyncServices", bad); !strings.HasPrefix(code, "iot.prod.") {
			t.Errorf("%q: %q", bad, code)
		}
	}
	if code := s.code("UpdateProduct", "ProductKey", "pk1", "SyncServices", ""); code != "" {
		t.Error(code)
	}
	body = invoke("reboot")
	if p := c.NextPublish(); string(p.Topic) != "/sys/pk1/dev-1/thing/service/reboot" {
		t.Errorf("called on %s", p.Topic)
	}
	<-body
}

// Pub reaches one device on its topics, with raw data too, and the subscribers of a topic of broadcasts.
func TestPubReachesDevicesAndBroadcasts(t *testing.T) {
	s := start(t)
	c := s.connect("dev-1")
	for _, topic := range []string{"/sys/pk1/dev-1/thing/model/down_raw", "/broadcast/pk1/news"} {
		body := s.call("Pub", "ProductKey", "pk1", "TopicFullName", topic, "MessageContent", base64.StdEncoding.EncodeToString([]byte{0, 255}))
		if !strings.Contains(body, `"Success":true,"MessageId":"`) {
			t.Error(body)
		}
		if p := c.NextPublish(); string(p.Topic) != topic || string(p.Payload) != "\x00\xff" {
			t.Errorf("%s %q", p.Topic, p.Payload)
		}
	}
	for topic, code := range map[string]string{
		"/broadcast/pk1/news": "iot.messagebroker.RateLimit", "/broadcast/pk2/news": "iot.messagebroker.InvalidFormattedTopicName",
		"/sys/pk1/none/thing/model/down_raw": "iot.device.NotExistedDevice", "/sys/pk2/dev-1/thing/model/down_raw": "iot.messagebroker.InvalidFormattedTopicName",
		"/sys/pk1/a/dev-1/thing/model/down_raw": "iot.messagebroker.InvalidFormattedTopicName", "/sys/pk1//thing/model/down_raw": "iot.messagebroker.InvalidFormattedTopicName",
		// Properties and services have actions of their own.
		"/sys/pk1/dev-1/thing/service/property/set": "iot.messagebroker.InvalidFormattedTopicName",
	} {
		if got := s.code("Pub", "ProductKey", "pk1", "TopicFullName", topic, "MessageContent", ""); got != code {
			t.Errorf("%s: %q, want %q", topic, got, code)
		}
	}
	// 256 KB, as for devices.
	large := base64.StdEncoding.EncodeToString(make([]byte, 256<<10+1))
	if r := s.signed3("Pub", "ProductKey=pk1&TopicFullName=%2Fpk1%2Fdev-1%2Fget", url.Values{"MessageContent": {large}}.Encode(), accessSecret); r != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if _, body := s.do(r, nil); !strings.Contains(body, `"Code":"iot.messagebroker.PublishMessageFailed"`) {
			t.Error(body)
		}
	}
}

// RemoveThingTopo takes a sub-device out of its gateway's topology, and everything out of a gateway's.
func TestTopologiesOfServers(t *testing.T) {
	s := start(t)
	c := s.connect("gateway")
	add := func(names ...string) {
		t.Helper()
		for _, name := range names {
			ask(t, c, "/sys/pk1/gateway/thing/topo/add", `[{"productKey":"pk1","deviceName":"`+name+`","clientId":"c","signMethod":"hmacSha256","sign":"`+sign("c", name)+`"}]`)
		}
	}
	gateway := []string{"ProductKey", "pk1", "DeviceName", "gateway"}
	removed := func(device string, want ...string) {
		t.Helper()
		if code := s.code("RemoveThingTopo", "ProductKey", "pk1", "DeviceName", device); code != "" {
			t.Fatalf("%s: %s", device, code)
		}
		p := c.NextPublish()
		if string(p.Topic) != "/sys/pk1/gateway/thing/topo/change" || !strings.Contains(string(p.Payload), `"status":1`) {
			t.Errorf("%s %s", p.Topic, p.Payload)
		}
		for _, name := range want {
			if !strings.Contains(string(p.Payload), `"deviceName":"`+name+`"`) {
				t.Errorf("%s is not in %s", name, p.Payload)
			}
		}
	}
	for _, name := range []string{"sub1", "sub2", "sub3"} {
		s.device(t, name)
	}
	add("sub1", "sub2", "sub3")
	if body := s.call("GetThingTopo", append([]string{"PageNo", "1", "PageSize", "2"}, gateway...)...); !strings.Contains(body, `"Total":3`) || strings.Count(body, `"IotId"`) != 2 {
		t.Error(body)
	}
	if body := s.call("GetGatewayBySubDevice", "ProductKey", "pk1", "DeviceName", "sub2"); !strings.Contains(body, `"DeviceName":"gateway"`) {
		t.Error(body)
	}
	removed("sub1", "sub1")
	removed("gateway", "sub2", "sub3")
	for _, device := range []string{"gateway", "sub1"} {
		if code := s.code("RemoveThingTopo", "ProductKey", "pk1", "DeviceName", device); code != "iot.gateway.NotExistedTopo" {
			t.Errorf("%s again: %q", device, code)
		}
	}
	// Asked to add one, the gateway does so with the signature that it has.
	if code := s.code("NotifyAddThingTopo", "GwProductKey", "pk1", "GwDeviceName", "gateway", "DeviceListStr", `[{"productKey":"pk1","deviceName":"sub3"}]`); code != "" {
		t.Error(code)
	}
	if p := c.NextPublish(); string(p.Topic) != "/sys/pk1/gateway/thing/topo/add/notify" || !strings.Contains(string(p.Payload), `"params":[{"productKey":"pk1","deviceName":"sub3"}]`) {
		t.Errorf("%s %s", p.Topic, p.Payload)
	}
	for _, bad := range []string{"", "{}", "[]", `[{"productKey":"pk1"}]`, `[{"productKey":"pk1","deviceName":"none"}]`} {
		if code := s.code("NotifyAddThingTopo", "GwProductKey", "pk1", "GwDeviceName", "gateway", "DeviceListStr", bad); code == "" {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// Firmware and configuration files are set by actions of our own; the device is told on the platform's topics.
func TestFirmwareAndConfiguration(t *testing.T) {
	s := start(t)
	c := s.connect("dev-1")
	device := []string{"ProductKey", "pk1", "DeviceName", "dev-1"}
	c.Send(brokertest.Publish("/ota/device/inform/pk1/dev-1", `{"id":"1","params":{"version":"1.0"}}`, 0, 0))
	c.Sync()
	if body := s.call("QueryDeviceFirmware", device...); !strings.Contains(body, `{"Module":"default","Version":"1.0"}`) {
		t.Error(body)
	}
	if body := s.call("QueryDeviceDetail", device...); !strings.Contains(body, `"FirmwareVersion":"1.0"`) {
		t.Error(body)
	}
	if code := s.code("SetDeviceFirmware", device...); code != "MissingFirmwareVersion" {
		t.Errorf("without a version: %s", code)
	}
	body := s.call("SetDeviceFirmware", append([]string{"FirmwareVersion", "2.0", "Url", "http://h/f", "Sign", "abc", "Size", "7"}, device...)...)
	if !strings.Contains(body, `"Told":true`) {
		t.Error(body)
	}
	const push = `{"code":"1000","data":{"size":7,"version":"2.0","url":"http://h/f","sign":"abc","signMethod":"SHA256","isDiff":0},"id":"1","message":"success"}`
	if p := c.NextPublish(); string(p.Topic) != "/ota/device/upgrade/pk1/dev-1" || string(p.Payload) != push {
		t.Errorf("%s %s", p.Topic, p.Payload)
	}
	body = s.call("SetProductConfig", "ProductKey", "pk1", "DeviceName", "dev-1", "Url", "http://h/c", "Sign", "abc", "Size", "9")
	if !strings.Contains(body, `"Told":true`) {
		t.Error(body)
	}
	if p := c.NextPublish(); string(p.Topic) != "/sys/pk1/dev-1/thing/config/push" || !strings.Contains(string(p.Payload), `"configSize":9,"sign":"abc","signMethod":"Sha256","url":"http://h/c","getType":"file"}`) {
		t.Errorf("%s %s", p.Topic, p.Payload)
	}
	ask(t, c, "/sys/pk1/dev-1/thing/config/get", `{"configScope":"product","getType":"file"}`)
	if code := s.code("SetProductConfig", "ProductKey", "pk1"); code != "" {
		t.Errorf("taken away: %s", code)
	}
	c.Send(brokertest.Publish("/sys/pk1/dev-1/thing/config/get", `{"id":"2","params":{"configScope":"product","getType":"file"}}`, 0, 0))
	if p := c.NextPublish(); !strings.Contains(string(p.Payload), `"code":6710`) {
		t.Errorf("%s", p.Payload)
	}
}

// A call on a custom topic reaches the device that it names, on one of that device's own topics and on no other.
func TestTheTopicOfACallIsTheDevicesOwn(t *testing.T) {
	s := start(t)
	s.device(t, "away")
	s.device(t, "dev-2")
	call := func(name, topic string) string {
		return s.call("RRpc", "ProductKey", "pk1", "DeviceName", name, "RequestBase64Byte", "aGk=", "Timeout", "5000", "Topic", topic)
	}
	for _, topic := range []string{
		"/pk1/dev-2/user/get", "/pk2/away/user/get", "/sys/pk1/dev-2/thing/service/x", "/pk1/away", "/pk1/away/", "/pk1/away2/user/get",
		"/pk1/away/+", "/pk1/away/user/#", "/pk1/+/user/get", "/sys/sys/pk1/away/user/get", "/broadcast/pk1/a", "/x", "/", "user/get",
		"/pk1/away/user\x00get", "/pk1/away/\xff",
	} {
		if body := call("away", topic); !strings.Contains(body, `"Code":"iot.messagebroker.InvalidFormattedTopicName"`) {
			t.Errorf("%q: %s", topic, body)
		}
	}
	if body := call("away", "/pk1/away/user/get"); !strings.Contains(body, `"RrpcCode":"OFFLINE"`) {
		t.Error(body)
	}
	c := s.connectAs("dev-1", ",ext=1,_ss=1")
	for _, topic := range []string{"/pk1/dev-1/user/get", "/pk1/dev-1/get", "/sys/pk1/dev-1/thing/service/x"} {
		body := make(chan string, 1)
		go func() { body <- call("dev-1", topic) }()
		p := c.NextPublish()
		if called := string(p.Topic); !strings.HasPrefix(called, "/ext/rrpc/") || !strings.HasSuffix(called, topic) {
			t.Errorf("%s: called on %s", topic, called)
		}
		c.Publish(string(p.Topic), "yes", 0)
		if got := <-body; !strings.Contains(got, `"RrpcCode":"SUCCESS"`) {
			t.Errorf("%s: %s", topic, got)
		}
	}
}

// A device is online since it has connected, whatever it sends later. The time is there while it is connected by itself.
func TestSinceWhenADeviceIsOnline(t *testing.T) {
	s := start(t)
	type times struct{ local, utc, last string }
	online := func(name string) (got times) {
		t.Helper()
		var detail struct {
			Data struct{ GmtOnline, UtcOnline string }
		}
		if err := json.Unmarshal([]byte(s.call("QueryDeviceDetail", "ProductKey", "pk1", "DeviceName", name)), &detail); err != nil {
			t.Fatal(err)
		}
		var state struct {
			DeviceStatusList struct {
				DeviceStatus []struct{ LastOnlineTime string }
			}
		}
		body := s.call("BatchGetDeviceState", "ProductKey", "pk1", "DeviceName.1", name)
		if err := json.Unmarshal([]byte(body), &state); err != nil || len(state.DeviceStatusList.DeviceStatus) != 1 {
			t.Fatal(body, err)
		}
		return times{detail.Data.GmtOnline, detail.Data.UtcOnline, state.DeviceStatusList.DeviceStatus[0].LastOnlineTime}
	}
	want := func(when, name string, want times) {
		t.Helper()
		if got := online(name); got != want {
			t.Errorf("%s, %s: %+v, want %+v", when, name, got, want)
		}
	}
	s.Clock.Advance(time.Hour)
	const utc = "2018-06-01T13:00:00.000Z"
	since := times{"2018-06-01 21:00:00", utc, utc}
	c := s.connect("gateway")
	want("at once", "gateway", since)
	s.Clock.Advance(50 * time.Second)
	c.Sync()
	want("after a ping", "gateway", since)

	s.device(t, "sub1")
	ask(t, c, "/sys/pk1/gateway/thing/topo/add", `[{"productKey":"pk1","deviceName":"sub1","clientId":"c","signMethod":"hmacSha256","sign":"`+sign("c", "sub1")+`"}]`)
	ask(t, c, "/ext/session/pk1/gateway/combine/login", `{"productKey":"pk1","deviceName":"sub1","clientId":"c","signMethod":"hmacSha256","sign":"`+sign("c", "sub1")+`"}`)
	want("through a gateway", "sub1", times{})

	c.Disconnect()
	for end := time.Now().Add(brokertest.Patience); s.Broker.Stats().Connections > 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the connection is still there")
		}
	}
	want("away", "gateway", times{})
}

// A device that is connected is told at once what is desired of it; another one finds it when it asks. null takes a
// desired value away, of which no device is told.
func TestDesiredPropertiesAreTold(t *testing.T) {
	s := start(t)
	c := s.connect("dev-1")
	s.device(t, "away")
	for _, test := range []struct{ name, device, items, versions, answer, told, desired string }{
		{"told", "dev-1", `{"t":1,"u":"a"}`, `{"t":0}`, `"MessageId":"1","Versions":"{\"t\":1,\"u\":1}"`, `{"t":1,"u":"a"}`,
			`{"Identifier":"t","Value":"1","Version":1},{"Identifier":"u","Value":"a","Version":1}`},
		{"partly taken away", "dev-1", `{"t":null,"u":"b"}`, `{"t":1}`, `"MessageId":"2","Versions":"{\"t\":0,\"u\":2}"`, `{"u":"b"}`,
			`{"Identifier":"u","Value":"b","Version":2}`},
		{"of another version", "dev-1", `{"u":null}`, `{"u":1}`, `"Code":"iot.device.DesiredVersionMismatch"`, "",
			`{"Identifier":"u","Value":"b","Version":2}`},
		{"taken away", "dev-1", `{"u":null}`, `{"u":2}`, `"Data":{"Versions":"{\"u\":0}"}`, "", ""},
		{"away", "away", `{"t":1}`, "", `"Data":{"Versions":"{\"t\":1}"}`, "", `{"Identifier":"t","Value":"1","Version":1}`},
	} {
		device := []string{"ProductKey", "pk1", "DeviceName", test.device}
		if body := s.call("SetDeviceDesiredProperty", append(device, "Items", test.items, "Versions", test.versions)...); !strings.Contains(body, test.answer) {
			t.Errorf("%s: answer %s, want %s", test.name, body, test.answer)
		}
		if body := s.call("QueryDeviceDesiredProperty", device...); !strings.Contains(body, `"DesiredPropertyInfo":[`+test.desired+`]`) {
			t.Errorf("%s: desired %s, want %s", test.name, body, test.desired)
		}
		got := c.Drain()
		if test.told == "" {
			if len(got) != 0 {
				t.Errorf("%s: told %s", test.name, got[0].Payload)
			}
			continue
		}
		if len(got) != 1 || string(got[0].Topic) != "/sys/pk1/dev-1/thing/service/property/set" || !strings.Contains(string(got[0].Payload), `"params":`+test.told+`,`) {
			t.Errorf("%s: told %v, want %s", test.name, got, test.told)
		}
	}
}

// What is desired is kept also if the device cannot be told, because it is sent too much.
func TestDesiredPropertiesBeyondTheRate(t *testing.T) {
	s := start(t, func(q *quota.Limits) { q.Rates[quota.Downlink] = quota.PerSecond(1) })
	c := s.connect("dev-1")
	device := []string{"ProductKey", "pk1", "DeviceName", "dev-1"}
	for _, value := range []string{"1", "2"} {
		if code := s.code("SetDeviceDesiredProperty", append(device, "Items", `{"t":`+value+`}`)...); code != "" {
			t.Errorf("%s: %s", value, code)
		}
	}
	if got := c.Drain(); len(got) != 1 {
		t.Errorf("told %d times, want once", len(got))
	}
	if body := s.call("QueryDeviceDesiredProperty", device...); !strings.Contains(body, `{"Identifier":"t","Value":"2","Version":2}`) {
		t.Error(body)
	}
	if n := s.Platform.Meter().Counts()[quota.Downlink.String()]; n != 1 {
		t.Errorf("%d refusals were counted, want 1", n)
	}
}
