package openapi_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
	"sampan/broker/openapi"
	"sampan/broker/platform"
	"sampan/broker/quota"
	"sampan/broker/rrpc"
)

const (
	accessKey    = "testid"
	accessSecret = "testsecret"
)

// site is the API of a platform, over HTTP.
type site struct {
	url      string
	handler  http.Handler
	Registry *device.Registry
	Broker   *broker.Broker
	Platform *platform.Platform
	Clock    *brokertest.Clock
	Log      *brokertest.Log
	streams  *openapi.Streams

	t     testing.TB
	nonce int
}

func start(t testing.TB, change ...func(*quota.Limits)) *site {
	t.Helper()
	limits := quota.Platform()
	for _, c := range change {
		c(limits)
	}
	s := &site{Clock: brokertest.NewClock(), Log: brokertest.NewLog(), t: t}
	s.Registry = device.New(device.Options{Now: s.Clock.Now, MaxCategoriesPerProduct: 50})
	p := platform.New(platform.Options{Registry: s.Registry, Clock: s.Clock, Logger: s.Log.Logger(), Quantities: limits})
	s.Platform = p
	var err error
	if s.Broker, err = p.Broker(broker.Options{}); err != nil {
		t.Fatal(err)
	}
	backend := &openapi.Backend{
		Registry: s.Registry, Broker: s.Broker, RRPC: p.RRPC, Broadcast: p.Broadcast, ServiceTopic: p.ServiceTopic, Key: p.SessionKey, MayReceive: p.MayReceive,
		Services: p.Services(), Gateways: p.Gateways(), Quantities: limits, Now: s.Clock.Now,
		IDs: p.IDs(), Downlink: p.Downlink, Meter: p.Meter(),
	}
	api := openapi.NewServer(openapi.Options{
		AccessKey: func(id string) (string, bool) { return accessSecret, id == accessKey },
		Actions:   backend.Actions(), Now: s.Clock.Now, Logger: s.Log.Logger(),
	})
	s.streams = api.Streams(s.Broker)
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.Handle("/stream", s.streams)
	s.handler = mux
	server := httptest.NewServer(mux)
	s.url = server.URL
	t.Cleanup(func() {
		s.streams.Close()
		server.Close()
		p.Close()
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		if err := s.Broker.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return s
}

// escape is percent-encoding as RFC 3986 has it.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// signed1 adds what signature version 1 needs. Parameters that are there already stay, so that a test can
// make them wrong.
func (s *site) signed1(method string, p url.Values) url.Values {
	s.nonce++
	for name, value := range map[string]string{
		"AccessKeyId": accessKey, "Version": "2018-01-20", "Format": "JSON", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": fmt.Sprint(s.nonce), "Timestamp": s.Clock.Now().UTC().Format("2006-01-02T15:04:05Z"),
	} {
		if !p.Has(name) {
			p.Set(name, value)
		}
	}
	var names []string
	for name := range p {
		names = append(names, name)
	}
	sort.Strings(names)
	var parts []string
	for _, name := range names {
		parts = append(parts, escape(name)+"="+escape(p.Get(name)))
	}
	mac := hmac.New(sha1.New, []byte(accessSecret+"&"))
	io.WriteString(mac, method+"&%2F&"+escape(strings.Join(parts, "&")))
	if !p.Has("Signature") {
		p.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return p
}

// do sends a request and returns the status and the body.
func (s *site) do(r *http.Request, err error) (int, string) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a.StatusCode, string(body)
}

func (s *site) get(p url.Values) (int, string) {
	s.t.Helper()
	return s.do(http.NewRequest("GET", s.url+"/?"+s.signed1("GET", p).Encode(), nil))
}

// answer is what every answer has.
type answer struct {
	RequestID             string `json:"RequestId"`
	Success               bool
	Code                  string
	ErrorMessage, Message string
}

// code calls an action and returns the code of the answer; empty for success.
func (s *site) code(action string, pairs ...string) string {
	s.t.Helper()
	p := url.Values{"Action": {action}}
	for i := 0; i < len(pairs); i += 2 {
		p.Set(pairs[i], pairs[i+1])
	}
	_, body := s.get(p)
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.RequestID == "" || a.Success != (a.Code == "") {
		s.t.Fatalf("%s: %s (%v)", action, body, err)
	}
	if strings.ContainsAny(body, "\n\t") {
		s.t.Errorf("%s: white space in %q", action, body)
	}
	return a.Code
}

func (s *site) device(t testing.TB, name string) {
	t.Helper()
	if _, err := s.Registry.Product("pk1"); err != nil {
		if _, err := s.Registry.CreateProduct(device.ProductSpec{Key: "pk1", Name: "one"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Registry.CreateDevice("pk1", device.DeviceSpec{Name: name, Secret: "secret-of-device"}); err != nil {
		t.Fatal(err)
	}
}

// Each request that is wrong as such has the status and the code of the platform's gateway.
func TestRefusedRequests(t *testing.T) {
	s := start(t)
	used := url.Values{"Action": {"QueryProductList"}, "SignatureNonce": {"used"}}
	if status, body := s.get(used); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	at := func(d time.Duration) string { return s.Clock.Now().Add(d).UTC().Format("2006-01-02T15:04:05Z") }
	for _, test := range []struct {
		name   string
		params url.Values
		status int
		code   string
	}{
		{"unknown action", url.Values{"Action": {"MakeCoffee"}}, 404, "InvalidAction.NotFound"},
		{"no action", url.Values{}, 404, "InvalidAction.NotFound"},
		{"unknown key", url.Values{"AccessKeyId": {"nobody"}}, 404, "InvalidAccessKeyId.NotFound"},
		{"wrong signature", url.Values{"Signature": {"AAAA"}}, 400, "SignatureDoesNotMatch"},
		{"no signature", url.Values{"Signature": {""}}, 400, "MissingSignature"},
		{"other version", url.Values{"Version": {"1999-01-01"}}, 400, "InvalidVersion"},
		{"other method", url.Values{"SignatureMethod": {"ROT13"}}, 400, "InvalidSignatureMethod"},
		{"no nonce", url.Values{"SignatureNonce": {""}}, 400, "MissingSignatureNonce"},
		{"nonce again", url.Values{"SignatureNonce": {"used"}}, 400, "SignatureNonceUsed"},
		{"stale", url.Values{"Timestamp": {at(-16 * time.Minute)}}, 400, "InvalidTimeStamp.Expired"},
		{"from the future", url.Values{"Timestamp": {at(16 * time.Minute)}}, 400, "InvalidTimeStamp.Expired"},
		{"not a time", url.Values{"Timestamp": {"yesterday"}}, 400, "InvalidTimeStamp.Format"},
	} {
		status, body := s.get(test.params)
		var a answer
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != test.status || a.Code != test.code || a.Message == "" || a.RequestID == "" {
			t.Errorf("%s: %d %s, want %d %s", test.name, status, body, test.status, test.code)
		}
	}
	if log := s.Log.String(); strings.Contains(log, accessSecret) {
		t.Error("the access key's secret is in the log")
	}
}

func TestHostileRequests(t *testing.T) {
	s := start(t)
	for _, test := range []struct{ name, method, path, contentType, body string }{
		{"PUT", "PUT", "/", "", ""},
		{"bad query", "GET", "/?a=%zz", "", ""},
		{"bad form", "POST", "/", "application/x-www-form-urlencoded", "a=%zz"},
		{"large body", "POST", "/", "application/x-www-form-urlencoded", "a=" + strings.Repeat("x", 2<<20)},
	} {
		r, err := http.NewRequest(test.method, s.url+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", test.contentType)
		if status, body := s.do(r, nil); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
	}
	for _, header := range []string{"x", "ACS3-HMAC-SHA256", "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host,Signature=00", "ACS3-HMAC-SHA256 " + strings.Repeat(",", 1000)} {
		r, err := http.NewRequest("POST", s.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		if status, body := s.do(r, nil); status != 400 {
			t.Errorf("%q: %d %s", header, status, body)
		}
	}
}

// Parameters may be split between query and form, as the Go SDK does; the answer is XML for who asks for it.
func TestSplitParametersAndXML(t *testing.T) {
	s := start(t)
	p := url.Values{"Action": {"QueryProductList"}, "Format": {"XML"}, "Timestamp": {s.Clock.Now().UTC().Format(time.RFC3339)}}
	signed := s.signed1("GET", p)
	query, form := url.Values{}, url.Values{}
	post := url.Values{"Action": {"CreateProduct"}, "ProductName": {"split *~ +"}, "NodeType": {"0"}}
	for name, v := range s.signed1("POST", post) {
		if name == "ProductName" {
			form[name] = v
		} else {
			query[name] = v
		}
	}
	r, err := http.NewRequest("POST", s.url+"/?"+query.Encode(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if status, body := s.do(r, nil); status != 200 || !strings.Contains(body, `"Success":true`) {
		t.Errorf("split: %d %s", status, body)
	}
	status, body := s.do(http.NewRequest("GET", s.url+"/?"+signed.Encode(), nil))
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	var answer struct {
		XMLName   xml.Name `xml:"QueryProductListResponse"`
		RequestID string   `xml:"RequestId"`
		Success   bool
		Names     []string `xml:"Data>List>ProductInfo>ProductName"`
	}
	if err := xml.Unmarshal([]byte(body), &answer); err != nil || !answer.Success || len(answer.Names) != 1 || answer.Names[0] != "split *~ +" {
		t.Errorf("%v in %s", err, body)
	}
}

// signed3 is a request with signature version 3.
func (s *site) signed3(action, query, body, secret string) *http.Request {
	r, err := http.NewRequest("POST", s.url+"/?"+query, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	s.nonce++
	names := []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"}
	values := []string{r.URL.Host, action, hex.EncodeToString(sum[:]), s.Clock.Now().UTC().Format("2006-01-02T15:04:05Z"), fmt.Sprint("v3-", s.nonce), "2018-01-20"}
	canonical := "POST\n/\n" + query + "\n"
	for i, name := range names {
		canonical += name + ":" + values[i] + "\n"
		r.Header.Set(name, values[i])
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + values[2]
	hashed := sha256.Sum256([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, "ACS3-HMAC-SHA256\n"+hex.EncodeToString(hashed[:]))
	r.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+accessKey+",SignedHeaders="+strings.Join(names, ";")+",Signature="+hex.EncodeToString(mac.Sum(nil)))
	return r
}

func TestSignatureVersion3(t *testing.T) {
	s := start(t)
	s.device(t, "dev-1")
	if status, body := s.do(s.signed3("GetDeviceStatus", "DeviceName=dev-1&ProductKey=pk1", "", accessSecret), nil); status != 200 || !strings.Contains(body, `"UNACTIVE"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.do(s.signed3("GetDeviceStatus", "DeviceName=dev-1&ProductKey=pk1", "", "wrong"), nil); status != 400 || !strings.Contains(body, "SignatureDoesNotMatch") {
		t.Errorf("wrong secret: %d %s", status, body)
	}
	r := s.signed3("DeleteDevice", "DeviceName=dev-1&ProductKey=pk1", "", accessSecret)
	r.Header.Set("x-acs-action", "GetDeviceStatus")
	if status, body := s.do(r, nil); status != 400 {
		t.Errorf("another action: %d %s", status, body)
	}
	r = s.signed3("GetDeviceStatus", "DeviceName=dev-1&ProductKey=pk1", "", accessSecret)
	again := r.Clone(t.Context())
	s.do(r, nil)
	if status, body := s.do(again, nil); status != 400 || !strings.Contains(body, "SignatureNonceUsed") {
		t.Errorf("sent again: %d %s", status, body)
	}
}

// The errors of section 5, one by one.
func TestErrorsOfActions(t *testing.T) {
	s := start(t)
	s.device(t, "dev-1")
	b64 := base64.StdEncoding.EncodeToString([]byte("x"))
	large := base64.StdEncoding.EncodeToString(make([]byte, 64<<10+1))
	device := []string{"ProductKey", "pk1", "DeviceName", "dev-1"}
	with := func(pairs ...string) []string { return append(append([]string(nil), device...), pairs...) }
	for _, test := range []struct {
		action string
		params []string
		code   string
	}{
		{"Pub", []string{"ProductKey", "none", "TopicFullName", "/none/d/get", "MessageContent", b64}, "iot.prod.NotExistedProduct"},
		{"Pub", []string{"TopicFullName", "/pk1/dev-1/get", "MessageContent", b64}, "iot.prod.NullProductKey"},
		{"Pub", []string{"ProductKey", "pk1", "MessageContent", b64}, "iot.messagebroker.NullTopicName"},
		{"Pub", []string{"ProductKey", "pk1", "TopicFullName", "/pk2/dev-1/get", "MessageContent", b64}, "iot.messagebroker.InvalidFormattedTopicName"},
		{"Pub", []string{"ProductKey", "pk1", "TopicFullName", "/pk1/dev-1/get"}, "iot.messagebroker.NullMessageContent"},
		{"Pub", []string{"ProductKey", "pk1", "TopicFullName", "/pk1/dev-1/get", "MessageContent", "?"}, "iot.messagebroker.MessageContentIsNotBase64Encode"},
		{"Pub", []string{"ProductKey", "pk1", "TopicFullName", "/pk1/none/get", "MessageContent", b64}, "iot.device.NotExistedDevice"},
		{"Pub", []string{"ProductKey", "pk1", "TopicFullName", "/pk1/dev-1/update", "MessageContent", b64}, "iot.messagebroker.TopicTemplateIsNotFound"},
		{"Pub", []string{"ProductKey", "pk1", "TopicFullName", "/pk1/dev-1/get", "MessageContent", b64, "Qos", "2"}, "iot.messagebroker.InvalidQos"},
		{"Pub", []string{"ProductKey", "pk1", "TopicFullName", "/pk1/dev-1/get", "MessageContent", b64}, ""},
		{"BatchPub", []string{"ProductKey", "pk1", "DeviceName.1", "dev-1", "MessageContent", b64}, "iot.messagebroker.NullTopicName"},
		{"BatchPub", []string{"ProductKey", "pk1", "TopicShortName", "get", "MessageContent", b64}, "iot.common.InvalidFormattedParameter"},
		{"BatchPub", []string{"ProductKey", "pk1", "DeviceName.1", "dev-1", "TopicShortName", "get", "MessageContent", b64}, ""},
		{"RRpc", with("Timeout", "1000"), "MissingRequestBase64Byte"},
		{"RRpc", with("RequestBase64Byte", b64), "MissingTimeout"},
		{"RRpc", with("RequestBase64Byte", b64, "Timeout", "8001"), "iot.messagebroker.InvalidTimeoutValue"},
		{"RRpc", with("RequestBase64Byte", b64, "Timeout", "soon"), "iot.messagebroker.InvalidTimeoutValue"},
		{"RRpc", with("RequestBase64Byte", b64, "Timeout", "-1000"), "iot.messagebroker.InvalidTimeoutValue"},
		// In nanoseconds they are more than 64 bits hold, and what is left of the first is 1.4 s.
		{"RRpc", with("RequestBase64Byte", b64, "Timeout", "18446744075115"), "iot.messagebroker.InvalidTimeoutValue"},
		{"RRpc", with("RequestBase64Byte", b64, "Timeout", "9223372036854775807"), "iot.messagebroker.InvalidTimeoutValue"},
		{"RRpc", with("RequestBase64Byte", "?", "Timeout", "1000"), "iot.messagebroker.MessageContentIsNotBase64Encode"},
		{"RRpc", with("RequestBase64Byte", b64, "Timeout", "1000", "Topic", "user/get"), "iot.messagebroker.InvalidFormattedTopicName"},
		{"RRpc", with("RequestBase64Byte", b64, "Timeout", "1000"), ""},
		{"PubBroadcast", []string{"ProductKey", "pk1", "TopicFullName", "/broadcast/pk1/+", "MessageContent", b64}, "iot.messagebroker.InvalidFormattedTopicName"},
		{"PubBroadcast", []string{"ProductKey", "pk1", "TopicFullName", "/broadcast/pk1/a", "MessageContent", large}, "iot.messagebroker.MessageContentTooLong"},
		{"PubBroadcast", []string{"ProductKey", "pk1", "TopicFullName", "/broadcast/pk1/a", "MessageContent", b64}, ""},
		{"PubBroadcast", []string{"ProductKey", "pk1", "TopicFullName", "/broadcast/pk1/a", "MessageContent", b64}, "iot.messagebroker.RateLimit"},
		{"PubBroadcast", []string{"ProductKey", "pk1", "MessageContent", b64}, ""},
		{"PubBroadcast", []string{"ProductKey", "pk1", "MessageContent", b64}, "iot.messagebroker.RateLimit"},
		{"CreateProduct", []string{"ProductName", "two", "NodeType", "7"}, "iot.common.InvalidFormattedParameter"},
		{"CreateProduct", []string{"NodeType", "0"}, "MissingProductName"},
		{"RegisterDevice", device, "iot.device.AlreadyExistedDeviceName"},
		{"RegisterDevice", []string{"ProductKey", "pk1", "DeviceName", "a b"}, "iot.device.InvalidFormattedDeviceName"},
		{"BatchRegisterDevice", []string{"ProductKey", "pk1", "Count", "1001"}, "iot.common.InvalidFormattedParameter"},
		{"QueryPageByApplyId", []string{"ApplyId", "99", "CurrentPage", "1", "PageSize", "10"}, "iot.device.NotExistedApplyId"},
		{"QueryPageByApplyId", []string{"ApplyId", "99", "CurrentPage", "9223372036854775807", "PageSize", "2"}, "iot.common.InvalidFormattedParameter"},
		{"QueryDeviceDetail", []string{"IotId", "none"}, "iot.device.NotExistedDevice"},
		{"QueryDeviceDetail", []string{"ProductKey", "pk1"}, "iot.device.NullDeviceName"},
		{"SetDeviceProperty", with("Items", "[1]"), "iot.tsl.InvalidJsonFormat"},
		{"SetDeviceProperty", with("Items", "{}"), "iot.device.OfflineDevice"},
		{"InvokeThingService", with("Identifier", "a/b", "Args", "{}"), "iot.tsl.InvalidServiceIdentifier"},
		{"InvokeThingService", with("Identifier", "a", "Args", "{}", "CallType", "sync"), "iot.messagebroker.OFFLINE"},
		{"UpdateDeviceShadow", with("ShadowMessage", "{"), "iot.shadow.Error400"},
		{"DeleteProductTopic", []string{"TopicId", "12345"}, "iot.messagebroker.TopicTemplateIsNotFound"},
		{"DeleteProductTopic", []string{"TopicId", "x"}, "iot.common.InvalidFormattedParameter"},
		{"RemoveThingTopo", device, "iot.gateway.NotExistedTopo"},
	} {
		if code := s.code(test.action, test.params...); code != test.code {
			t.Errorf("%s %v: %q, want %q", test.action, test.params[:min(len(test.params), 4)], code, test.code)
		}
	}
	// The rates pass.
	s.Clock.Advance(time.Minute)
	if code := s.code("PubBroadcast", "ProductKey", "pk1", "MessageContent", b64); code != "" {
		t.Errorf("a minute later: %s", code)
	}
	for i := range 60 {
		code := s.code("CreateProductTopic", "ProductKey", "pk1", "TopicShortName", fmt.Sprintf("user/t%d", i), "Operation", "SUB")
		if code == "iot.messagebroker.TopicTemplateCountExceedMax" {
			return
		}
		if code != "" {
			t.Fatal(code)
		}
	}
	t.Error("a product may have more than 50 topic categories")
}

func TestRRPCCodesAreThoseOfTheAPI(t *testing.T) {
	for code, word := range map[rrpc.Code]string{rrpc.Success: "SUCCESS", rrpc.Timeout: "TIMEOUT", rrpc.Offline: "OFFLINE", rrpc.HalfConn: "HALFCONN", rrpc.Unknown: "UNKNOWN"} {
		if string(code) != word {
			t.Errorf("%q, want %q", code, word)
		}
	}
}

func TestStream(t *testing.T) {
	s := start(t)
	open := func(p url.Values) *bufio.Scanner {
		t.Helper()
		p.Set("Action", openapi.StreamAction)
		ctx, cancel := context.WithTimeout(t.Context(), brokertest.Patience)
		t.Cleanup(cancel)
		r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/stream?"+s.signed1("GET", p).Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Body.Close() })
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%d %v", a.StatusCode, a.Header)
		}
		lines := bufio.NewScanner(a.Body)
		if !lines.Scan() || lines.Text() != ": subscribed" {
			t.Fatalf("began with %q", lines.Text())
		}
		return lines
	}
	next := func(lines *bufio.Scanner) (m openapi.Streamed) {
		t.Helper()
		for lines.Scan() {
			if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
				if err := json.Unmarshal([]byte(data), &m); err != nil {
					t.Fatal(err)
				}
				return m
			}
		}
		t.Fatalf("the stream has ended: %v", lines.Err())
		return m
	}
	status, all := open(url.Values{}), open(url.Values{"Topic": {"/pk1/+/update"}})
	for topic, payload := range map[string]string{"/as/mqtt/status/pk1/d": `{"status":"online"}`, "/pk1/d/update": "not JSON \n\x00"} {
		if _, err := s.Broker.Publish(t.Context(), topic, []byte(payload), 0); err != nil {
			t.Fatal(err)
		}
	}
	if m := next(status); m.Topic != "/as/mqtt/status/pk1/d" || string(m.Content) != `{"status":"online"}` || len(m.MessageID) != 19 {
		t.Errorf("%+v", m)
	}
	if m := next(all); m.Topic != "/pk1/d/update" || m.Payload != base64.StdEncoding.EncodeToString([]byte("not JSON \n\x00")) {
		t.Errorf("%+v", m)
	}
	// What the platform tells of devices has the topics of the platform's pages, and comes once.
	told, everything := open(url.Values{"Topic": {"/pk1/d/thing/#"}}), open(url.Values{"Topic": {"#"}})
	for i, topic := range []string{"/as/pk1/d/thing/event/property/post", "/as/pk1/d/thing/lifecycle"} {
		if _, err := s.Broker.Publish(t.Context(), topic, fmt.Appendf(nil, "%d", i), 0); err != nil {
			t.Fatal(err)
		}
		for name, lines := range map[string]*bufio.Scanner{"/pk1/d/thing/#": told, "#": everything} {
			if m := next(lines); m.Topic != strings.TrimPrefix(topic, "/as") || string(m.Content) != fmt.Sprint(i) {
				t.Errorf("%s: %+v", name, m)
			}
		}
	}
	// Refused like any other request.
	for _, p := range []url.Values{
		{"Action": {"Stream"}, "Signature": {"AAAA"}}, {"Action": {"Stream"}, "Topic": {"a/#/b"}}, {"Action": {"Pub"}},
	} {
		if code, body := s.do(http.NewRequest("GET", s.url+"/stream?"+s.signed1("GET", p).Encode(), nil)); code < 400 || code >= 500 {
			t.Errorf("%d %s", code, body)
		}
	}
	s.streams.Close()
	for status.Scan() {
	}
	if status.Err() != nil {
		t.Errorf("the stream did not end well: %v", status.Err())
	}
}
