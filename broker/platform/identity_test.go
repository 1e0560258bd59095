package platform_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/platform"
	"sampan/packet"
)

func TestRefusalsHaveTheCodesOfThePlatformAndSayWhatWasWrong(t *testing.T) {
	s := start(t)
	s.device(productKey, "switched-off", "secret-off")
	if _, err := s.Registry.Disable(productKey, "switched-off"); err != nil {
		t.Fatal(err)
	}
	malformed := login(productKey, deviceName, deviceSecret, "")
	malformed.ClientID = []byte("no parameters")
	tests := []struct {
		name    string
		connect *packet.Connect
		code    packet.ReturnCode
		log     []string // words of the one line that says so
	}{
		{"unknown product", login("none", deviceName, deviceSecret, ""), packet.RefusedCredentials, []string{"unknown-product", "none"}},
		{"unknown device", login(productKey, "stranger", deviceSecret, ""), packet.RefusedCredentials, []string{"unknown-device", "stranger"}},
		{"disabled", login(productKey, "switched-off", "secret-off", ""), packet.RefusedCredentials, []string{"device-disabled", "switched-off"}},
		{"bad signature", login(productKey, deviceName, "another secret", ""), packet.RefusedCredentials,
			[]string{"bad-signature", "clientIdtestdeviceName" + deviceName + "productKey" + productKey}},
		{"malformed client identifier", malformed, packet.RefusedIdentifier, []string{"malformed-client-identifier", "no parameters"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if code := s.code(broker.Plain, test.connect); code != test.code {
				t.Errorf("code %v, want %v", code, test.code)
			}
			words := append([]string{"refused"}, test.log...)
			eventually(t, "a line with "+strings.Join(words, ", "), func() bool { return len(s.Log.Lines(words...)) > 0 })
			if lines := s.Log.Lines(test.log[0]); len(lines) != 1 {
				t.Errorf("%d lines: %q", len(lines), lines)
			}
		})
	}
	if log := s.Log.String(); strings.Contains(log, deviceSecret) || strings.Contains(log, "another secret") || strings.Contains(log, "secret-off") {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

func TestFiveConnectsAMinute(t *testing.T) {
	s := start(t)
	for range 5 {
		s.connect(productKey, deviceName, deviceSecret, "").Close()
	}
	if code := s.code(broker.Plain, login(productKey, deviceName, deviceSecret, "")); code != packet.RefusedUnavailable {
		t.Errorf("the sixth was answered with %v", code)
	}
	// Who does not know the secret cannot use the device's connects up.
	for range 10 {
		s.code(broker.Plain, login(productKey, deviceName, "wrong", ""))
	}
	s.Clock.Advance(time.Minute)
	s.connect(productKey, deviceName, deviceSecret, "")
}

func TestTheNewerConnectionKicksTheOlder(t *testing.T) {
	s := start(t)
	first := s.connect(productKey, deviceName, deviceSecret, "")
	second := s.connect(productKey, deviceName, deviceSecret, "")
	first.ExpectClosed()
	second.Sync()
	s.Events.Wait(t, "the older is taken over", func(e broker.Event) bool { return e.Kind == broker.Disconnected && e.Reason == broker.TakenOver })
}

func TestADisabledDeviceIsCutAndADeletedOneForgotten(t *testing.T) {
	s := start(t)
	c := s.connect(productKey, deviceName, deviceSecret, "")
	if _, err := s.Registry.Disable(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	c.ExpectClosed()
	if _, err := s.Registry.Enable(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	c = s.connect(productKey, deviceName, deviceSecret, "")
	if err := s.Registry.Delete(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	c.ExpectClosed()
	if code := s.code(broker.Plain, login(productKey, deviceName, deviceSecret, "")); code != packet.RefusedCredentials {
		t.Errorf("a deleted device was answered with %v", code)
	}
}

// registration is the CONNECT of a dynamic registration.
func registration(kind, name, secret string) *packet.Connect {
	content := credential.RegistrationContent{DeviceName: []byte(name), ProductKey: []byte(productKey), Random: []byte("1")}
	return brokertest.ConnectPacket("x|random=1,authType="+kind+",securemode=2,signmethod=hmacsha256|",
		brokertest.Credentials(name+"&"+productKey, string(credential.HMACSHA256.AppendHex(nil, []byte(secret), content.AppendTo(nil)))))
}

func TestRegistrationOverMQTT(t *testing.T) {
	s := start(t)
	c := s.over(broker.TLS, "")
	if ack := c.TryConnect(registration("register", deviceName, productSecret)); ack.Code != packet.Accepted {
		t.Fatalf("%v\n%s", ack.Code, s.Log)
	}
	expectPublish(t, c, "/ext/register", `{"productKey":"a1B2c3D4e5","deviceName":"dev1","deviceSecret":"ds-secret-1"}`)
	// It may do nothing, and is closed after 15 s.
	id := c.ID()
	c.Send(brokertest.SubscribePacket(id, 0, "/"+productKey+"/"+deviceName+"/get"))
	c.Expect(&packet.Suback{ID: id, Codes: []byte{packet.SubackFailure}})
	s.Clock.Advance(14 * time.Second)
	c.Sync()
	s.Clock.Advance(time.Second)
	c.ExpectClosed()

	if code := s.code(broker.TLS, registration("register", deviceName, "wrong")); code != packet.RefusedCredentials {
		t.Errorf("wrong product secret: %v", code)
	}
	if code := s.code(broker.TLS, registration("register", "none", productSecret)); code != packet.RefusedCredentials {
		t.Errorf("unknown device: %v", code)
	}
	// Once it has been active it does not get its secret again, until it is reset.
	s.connect(productKey, deviceName, deviceSecret, "").Close()
	if code := s.code(broker.TLS, registration("register", deviceName, productSecret)); code != packet.RefusedCredentials {
		t.Errorf("active device: %v", code)
	}
	if _, err := s.Registry.Reset(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	if code := s.code(broker.TLS, registration("register", deviceName, productSecret)); code != packet.Accepted {
		t.Errorf("after a reset: %v", code)
	}
}

func TestRegistrationOfADeviceThatIsNotThereYet(t *testing.T) {
	s := start(t)
	seen := map[string]bool{}
	for i := range 6 {
		c := s.over(broker.TLS, "")
		ack := c.TryConnect(registration("regnwl", "new-device", productSecret))
		if i == 5 {
			if ack.Code != packet.RefusedCredentials {
				t.Errorf("the sixth physical device was answered with %v", ack.Code)
			}
			break
		}
		if ack.Code != packet.Accepted {
			t.Fatalf("%v\n%s", ack.Code, s.Log)
		}
		p := c.NextPublish()
		var token struct{ ProductKey, DeviceName, ClientID, DeviceToken string }
		if err := json.Unmarshal(p.Payload, &token); err != nil || string(p.Topic) != "/ext/regnwl" {
			t.Fatalf("%s %s", p.Topic, p.Payload)
		}
		if strings.ContainsAny(string(p.Payload), " \n\t") {
			t.Errorf("white space in %s", p.Payload)
		}
		if seen[token.DeviceToken] {
			t.Error("two physical devices have the same token")
		}
		seen[token.DeviceToken] = true
		if i > 0 {
			continue
		}
		// The later login: the token as it is.
		connect := brokertest.ConnectPacket(token.ClientID+"|authType=connwl,securemode=-2,_ss=1,ext=3,_v=sdk-c-4.2.0|",
			brokertest.Credentials("new-device&"+productKey, token.DeviceToken))
		if code := s.code(broker.TLS, connect); code != packet.Accepted {
			t.Errorf("connwl was answered with %v\n%s", code, s.Log)
		}
		connect.Password = []byte("x" + token.DeviceToken)
		if code := s.code(broker.TLS, connect); code != packet.RefusedCredentials {
			t.Errorf("a wrong token was answered with %v", code)
		}
	}
	if log := s.Log.String(); strings.Contains(log, productSecret) {
		t.Error("the product's secret is in the log")
	}
}

// post sends a form to the authentication of devices over HTTP.
func post(h http.Handler, path string, form url.Values) (code int, data map[string]any) {
	r := httptest.NewRequest("POST", "http://127.0.0.1"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer struct {
		Code int
		Data map[string]any
	}
	json.Unmarshal(w.Body.Bytes(), &answer)
	return answer.Code, answer.Data
}

func TestRegistrationOverHTTP(t *testing.T) {
	s := start(t)
	s.product(device.ProductSpec{Key: "noDynamic1", Secret: "ps-2", Name: "static"})
	s.device("noDynamic1", "dev1", "x-secret")
	h := s.AuthHandler(platform.Endpoint{})
	form := func(product, name, secret, method string) url.Values {
		m, ok := credential.ParseMethod(method)
		if !ok {
			m = credential.HMACMD5
		}
		content := credential.RegistrationContent{DeviceName: []byte(name), ProductKey: []byte(product), Random: []byte("1")}
		return url.Values{"productKey": {product}, "deviceName": {name}, "random": {"1"}, "signMethod": {method},
			"sign": {string(m.AppendHex(nil, []byte(secret), content.AppendTo(nil)))}}
	}
	without := form(productKey, deviceName, productSecret, "hmacmd5")
	without.Del("random")
	for _, test := range []struct {
		name string
		form url.Values
		code int
	}{
		{"HmacMD5", form(productKey, deviceName, productSecret, "HmacMD5"), 200},
		{"hmacsha256", form(productKey, deviceName, productSecret, "hmacsha256"), 200},
		{"wrong sign", form(productKey, deviceName, "wrong", "hmacsha1"), 6600},
		{"unknown method", form(productKey, deviceName, productSecret, "rot13"), 6292},
		{"no product", form("none", deviceName, productSecret, "hmacsha1"), 6250},
		{"no device", form(productKey, "none", productSecret, "hmacsha1"), 6100},
		{"switch off", form("noDynamic1", "dev1", "ps-2", "hmacsha1"), 6288},
		{"no random", without, 460},
		{"too large", url.Values{"productKey": {strings.Repeat("x", 1<<20)}}, 460},
	} {
		code, data := post(h, "/auth/register/device", test.form)
		if code != test.code || code == 200 && data["deviceSecret"] != deviceSecret {
			t.Errorf("%s: code %d %v, want %d", test.name, code, data, test.code)
		}
	}
	s.connect(productKey, deviceName, deviceSecret, "").Close()
	if code, _ := post(h, "/auth/register/device", form(productKey, deviceName, productSecret, "hmacsha1")); code != 6289 {
		t.Errorf("active device: %d", code)
	}
	if log := s.Log.String(); strings.Contains(log, productSecret) || strings.Contains(log, deviceSecret) {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

func TestAuthenticationOf2018(t *testing.T) {
	s := start(t)
	h := s.AuthHandler(platform.Endpoint{Port: 1883})
	content := credential.Content{ClientID: []byte("c1"), DeviceName: []byte(deviceName), ProductKey: []byte(productKey), Timestamp: []byte("789")}
	form := url.Values{"productKey": {productKey}, "deviceName": {deviceName}, "clientId": {"c1"}, "timestamp": {"789"},
		"signmethod": {"hmacsha1"}, "version": {"default"}, "resources": {"mqtt"},
		"sign": {string(credential.HMACSHA1.AppendHex(nil, []byte(deviceSecret), content.AppendTo(nil)))}}
	code, data := post(h, "/auth/devicename", form)
	if code != 200 {
		t.Fatalf("code %d", code)
	}
	mqtt := data["resources"].(map[string]any)["mqtt"].(map[string]any)
	if mqtt["host"] != "127.0.0.1" || mqtt["port"] != 1883.0 {
		t.Errorf("the device is sent to %v", mqtt)
	}
	id, token := data["iotId"].(string), data["iotToken"].(string)
	connect := func(token string) packet.ReturnCode {
		return s.code(broker.TLS, brokertest.ConnectPacket("c1|securemode=-1,_v=sdk-c-2.3.0|", brokertest.Credentials(id, token)))
	}
	if got := connect(token); got != packet.Accepted {
		t.Errorf("with the token: %v\n%s", got, s.Log)
	}
	if got := connect("x"); got != packet.RefusedCredentials {
		t.Errorf("with another token: %v", got)
	}
	s.Clock.Advance(7*24*time.Hour + time.Second)
	if got := connect(token); got != packet.RefusedCredentials {
		t.Errorf("after seven days: %v", got)
	}
	form.Set("sign", "00")
	if code, _ := post(h, "/auth/devicename", form); code != 6600 {
		t.Errorf("wrong sign: %d", code)
	}
	if strings.Contains(s.Log.String(), token) {
		t.Error("the token is in the log")
	}
}
