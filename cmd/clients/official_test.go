package clients

import (
	"fmt"
	"strings"
	"testing"
)

// account is what a server's SDK needs of a running broker.
type account struct {
	API             string `json:"api"`
	AccessKeyID     string `json:"accessKeyId"`
	AccessKeySecret string `json:"accessKeySecret"`
	BrokerURL       string `json:"brokerUrl"`
	ProductKey      string `json:"productKey"`
	ProductSecret   string `json:"productSecret"`
	DeviceName      string `json:"deviceName,omitempty"`
	DeviceSecret    string `json:"deviceSecret,omitempty"`

	Subs []triple `json:"subs,omitempty"`
}

// triple is a device as its maker knows it.
type triple struct {
	ProductKey   string `json:"productKey"`
	DeviceName   string `json:"deviceName"`
	DeviceSecret string `json:"deviceSecret"`
}

// startAPI runs a broker with its server-side API, and a product whose devices may register themselves.
func startAPI(t *testing.T) (*server, account) {
	t.Helper()
	s := start(t, "--api", "127.0.0.1:0")
	a := account{BrokerURL: fmt.Sprintf("mqtt://%s:%d/", s.host, s.port), ProductKey: "a1Dynamic01"}
	for _, word := range s.ready {
		if url, found := strings.CutPrefix(word, "api="); found {
			a.API = url
		}
	}
	var key struct{ AccessKeyID, AccessKeySecret string }
	decode(t, sampan(t, "accesskey", "create", "--data", s.data, "--json"), &key)
	a.AccessKeyID, a.AccessKeySecret = key.AccessKeyID, key.AccessKeySecret
	var product struct{ ProductKey, ProductSecret string }
	decode(t, sampan(t, "product", "create", "--data", s.data, "--key", a.ProductKey, "--dynamic-registration", "--json"), &product)
	a.ProductSecret = product.ProductSecret
	return s, a
}

// triple makes a device.
func (a *account) triple(t *testing.T, s *server, name string) triple {
	t.Helper()
	var made []triple
	decode(t, sampan(t, "device", "create", a.ProductKey, name, "--data", s.data, "--json"), &made)
	return triple{a.ProductKey, name, made[0].DeviceSecret}
}

// official runs a script with official SDKs to its end.
func official(t *testing.T, script string, a account, packages ...string) {
	t.Helper()
	p := run(t, node(script, a))
	p.end(t)
	if lines := p.words("ok"); len(lines) == 0 || !strings.HasSuffix(strings.TrimSpace(p.out.String()), "done") {
		t.Errorf("the script ended early:\n%s", p.out)
	}
}

// needPackages skips the test without npm's packages, and where processes would be too slow.
func needPackages(t *testing.T, names ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes; the binary in them has no race detector")
	}
	for _, name := range names {
		need(t, missingNodePackage(name)())
	}
}

func TestTheOfficialNodeSDKAsADevice(t *testing.T) {
	needPackages(t, "alibabacloud-iot-device-sdk", "@alicloud/pop-core")
	s, a := startAPI(t)
	a.DeviceName = a.triple(t, s, "lamp-1").DeviceName
	official(t, "device-services.js", a)
}

func TestTheOfficialNodeSDKAsAGateway(t *testing.T) {
	needPackages(t, "alibabacloud-iot-device-sdk", "@alicloud/pop-core")
	s, a := startAPI(t)
	for _, name := range []string{"sub-1", "sub-2", "sub-3"} {
		a.Subs = append(a.Subs, a.triple(t, s, name))
	}
	sampan(t, "product", "create", "--data", s.data, "--key", "a1Gateway01", "--node", "gateway")
	b := account{ProductKey: "a1Gateway01"}
	g := b.triple(t, s, "gateway-1")
	a.ProductKey, a.DeviceName, a.DeviceSecret = g.ProductKey, g.DeviceName, g.DeviceSecret
	official(t, "gateway-services.js", a)
}

func TestTheOfficialServerSDKOfTheFirstLine(t *testing.T) {
	needPackages(t, "@alicloud/pop-core")
	_, a := startAPI(t)
	official(t, "api-pop.js", a)
}

func TestTheOfficialServerSDKOfTheNewerLine(t *testing.T) {
	needPackages(t, "@alicloud/iot20180120", "@alicloud/pop-core")
	_, a := startAPI(t)
	official(t, "api-tea.js", a)
}

// No secret of a device, a product or an access key is in what the broker writes, at the most talkative level.
func TestNothingLoggedHasASecret(t *testing.T) {
	needPackages(t, "alibabacloud-iot-device-sdk", "@alicloud/pop-core")
	s, a := startAPI(t)
	a.DeviceName = a.triple(t, s, "lamp-1").DeviceName
	d := a.triple(t, s, "lamp-2")
	official(t, "device-services.js", a)
	var shown struct{ DeviceSecret string }
	decode(t, sampan(t, "device", "show", a.ProductKey, a.DeviceName, "--data", s.data, "--json"), &shown)
	for what, secret := range map[string]string{
		"device secret": shown.DeviceSecret, "secret of a device that never connected": d.DeviceSecret,
		"product secret": a.ProductSecret, "access key secret": a.AccessKeySecret,
	} {
		if secret == "" {
			t.Fatalf("%s: empty", what)
		}
		if log := s.log.String(); strings.Contains(log, secret) {
			line, _, _ := strings.Cut(log[strings.Index(log, secret):], "\n")
			t.Errorf("the %s is in the log: ...%s", what, line)
		}
	}
}
