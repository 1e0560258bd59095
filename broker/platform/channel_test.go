package platform_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
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

const (
	certified = "x509Product"
	chipped   = "chipProduct"
)

// startProofs is a site with a product for each way of proving who one is, and dev1 and dev2 in each.
func startProofs(t *testing.T) *site {
	s := start(t)
	s.product(device.ProductSpec{Key: certified, AuthType: device.ByCertificate})
	s.product(device.ProductSpec{Key: chipped, AuthType: device.ByChip})
	s.device(productKey, "dev2", deviceSecret)
	for _, product := range []string{certified, chipped} {
		s.device(product, "dev1", deviceSecret)
		s.device(product, "dev2", deviceSecret)
	}
	return s
}

// certificateOf is one that was verified, with a subject of its own.
func certificateOf(product, name string, notAfter time.Time) *x509.Certificate {
	subject := pkix.Name{CommonName: name}
	if product != "" {
		subject.OrganizationalUnit = []string{product}
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(0xabc), NotAfter: notAfter}
	rdn := subject.ToRDNSequence()
	c.Subject.FillFromRDNSequence(&rdn)
	c.Raw = []byte(c.Subject.String())
	return c
}

// withCertificate returns a client on TLS that has shown a certificate.
func (s *site) withCertificate(c *x509.Certificate) *brokertest.Client {
	s.t.Helper()
	state := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{c}}}
	return s.through(broker.Channel{Security: broker.TLS, TLS: state})
}

// through returns a client on a channel.
func (s *site) through(channel broker.Channel) *brokertest.Client {
	s.t.Helper()
	near, far := net.Pipe()
	channel.Local, channel.Remote = far.LocalAddr(), far.RemoteAddr()
	if err := s.Broker.ServeConn(onChannel{far, channel}); err != nil {
		s.t.Fatal(err)
	}
	return brokertest.NewClient(s.t, near)
}

type onChannel struct {
	net.Conn
	channel broker.Channel
}

func (c onChannel) Channel() broker.Channel { return c.channel }

// The identity that the channel proved must be the one that CONNECT names, and the product decides which
// proof counts.
func TestWhatTheChannelProvedMustBeWhatConnectNames(t *testing.T) {
	s := startProofs(t)
	for _, product := range []string{productKey, certified} {
		s.device(product, "bound", deviceSecret)
		bound := certificateOf("", "sn-of-"+product, s.Clock.Now().Add(time.Hour))
		if _, err := s.Registry.BindCertificate(product, "bound", sha256.Sum256(bound.Raw)); err != nil {
			t.Fatal(err)
		}
	}
	plain := broker.Channel{}
	encrypted := broker.Channel{Security: broker.TLS, TLS: new(tls.ConnectionState)}
	cert := func(product, name string) broker.Channel {
		c := certificateOf(product, name, s.Clock.Now().Add(time.Hour))
		return broker.Channel{Security: broker.TLS, TLS: &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{c}}}}
	}
	key := func(product, name string) broker.Channel {
		return broker.Channel{Security: broker.PSK, Identity: "devicename|hmacsha256|" + product + "&" + name + "|2524608000000"}
	}
	chip := func(product, name string) broker.Channel {
		return broker.Channel{Security: broker.Chip, Identity: name + "&" + product}
	}
	unsigned := func(product, name string) *packet.Connect {
		return brokertest.ConnectPacket("x|securemode=2|", brokertest.Credentials(name+"&"+product, ""))
	}
	byChip := func(product, name string) *packet.Connect {
		return brokertest.ConnectPacket("x|securemode=8,signmethod=hmacsha1,timestamp=2524608000000,authtype=id2|",
			brokertest.Credentials(name+"&"+product, "not checked"))
	}
	signed := func(product, name string) *packet.Connect { return login(product, name, deviceSecret, "") }
	nameless := brokertest.ConnectPacket(".|securemode=2|") // as the platform's Java sample does it
	const accepted = "accepted"
	for _, test := range []struct {
		name    string
		channel broker.Channel
		connect *packet.Connect
		want    string // accepted, or the rule in the log
	}{
		{"certificate, its own names, no password", cert(certified, "dev1"), unsigned(certified, "dev1"), accepted},
		{"certificate, no names at all", cert(certified, "dev1"), nameless, accepted},
		{"certificate, empty names", cert(certified, "dev1"), brokertest.ConnectPacket("x|securemode=2|", brokertest.Credentials("&", "")), accepted},
		{"certificate, another device", cert(certified, "dev1"), unsigned(certified, "dev2"), "channel-identity"},
		{"certificate, another device with the right secret", cert(certified, "dev1"), signed(certified, "dev2"), "channel-identity"},
		{"certificate, the same name in another product", cert(certified, "dev1"), unsigned(productKey, deviceName), "channel-identity"},
		{"certificate, another product with the right secret", cert(certified, "dev1"), signed(productKey, deviceName), "channel-identity"},
		{"certificate of a device that does not exist", cert(certified, "none"), unsigned(certified, "none"), "unknown-device"},
		{"certificate of a product that does not exist", cert("none", "dev1"), nameless, "unknown-product"},
		{"bound certificate", cert("", "sn-of-"+certified), nameless, accepted},
		{"bound certificate, its own names", cert("", "sn-of-"+certified), unsigned(certified, "bound"), accepted},
		{"bound certificate, another device", cert("", "sn-of-"+certified), unsigned(certified, "dev1"), "channel-identity"},
		{"a certificate that names a device with another one bound", cert(certified, "bound"), unsigned(certified, "bound"), "channel-identity"},
		{"a certificate of nobody", cert("", "a stranger"), unsigned(certified, "dev1"), "bad-signature"},
		{"a certificate of nobody, no names", cert("", "a stranger"), nameless, "bad-username"},
		{"no certificate, no password", encrypted, unsigned(certified, "dev1"), "bad-signature"},
		{"no certificate, the secret of a device that needs one", encrypted, signed(certified, "dev1"), "wrong-proof"},
		{"a device that needs a certificate over plain TCP", plain, signed(certified, "dev1"), "wrong-proof"},
		{"a device that needs a certificate with a pre-shared key", key(certified, "dev1"), unsigned(certified, "dev1"), "bad-signature"},
		{"a device that needs a certificate with a pre-shared key and its secret", key(certified, "dev1"), signed(certified, "dev1"), "wrong-proof"},

		{"a certificate does not replace the secret", cert(productKey, deviceName), unsigned(productKey, deviceName), "bad-signature"},
		{"a certificate and the secret", cert(productKey, deviceName), signed(productKey, deviceName), accepted},
		{"a bound certificate and the secret", cert("", "sn-of-"+productKey), signed(productKey, "bound"), accepted},
		{"a certificate and the secret of another", cert(productKey, deviceName), signed(productKey, "dev2"), "channel-identity"},
		{"a certificate of nobody and the secret", cert("", "a stranger"), signed(productKey, deviceName), accepted},

		{"pre-shared key", key(productKey, deviceName), unsigned(productKey, deviceName), accepted},
		{"pre-shared key, another device", key(productKey, deviceName), signed(productKey, "dev2"), "channel-identity"},
		{"pre-shared key, no names", key(productKey, deviceName), nameless, "bad-username"},
		{"pre-shared key of no device", broker.Channel{Security: broker.PSK, Identity: "somebody"}, signed(productKey, deviceName), "channel-identity"},
		{"pre-shared key, a chip's login", key(productKey, deviceName), byChip(productKey, deviceName), "wrong-channel"},

		{"chip", chip(chipped, "dev1"), byChip(chipped, "dev1"), accepted},
		{"chip, securemode of TLS", chip(chipped, "dev1"), unsigned(chipped, "dev1"), accepted},
		{"chip, another device", chip(chipped, "dev1"), byChip(chipped, "dev2"), "channel-identity"},
		{"chip, another product with the right secret", chip(chipped, "dev1"), signed(productKey, deviceName), "channel-identity"},
		{"chip, no names", chip(chipped, "dev1"), nameless, "bad-username"},
		{"chip of no device", broker.Channel{Security: broker.Chip, Identity: "dev1"}, byChip(chipped, "dev1"), "channel-identity"},
		{"chip of a device that does not exist", chip(chipped, "none"), byChip(chipped, "none"), "unknown-device"},
		{"a chip for a device that has none", chip(productKey, deviceName), byChip(productKey, deviceName), "wrong-channel"},
		{"a device with a chip by its secret", encrypted, signed(chipped, "dev1"), "wrong-proof"},
		{"a device with a chip by a certificate", cert(chipped, "dev1"), byChip(chipped, "dev1"), "wrong-channel"},
		{"a chip's login over TLS", encrypted, byChip(chipped, "dev1"), "wrong-channel"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.Clock.Advance(time.Minute) // so that the limit on connects does not matter
			before := len(s.Log.Lines("refused"))
			c := s.through(test.channel)
			ack := c.TryConnect(test.connect)
			if test.want == accepted {
				if ack.Code != packet.Accepted {
					t.Fatalf("%v\n%s", ack.Code, s.Log)
				}
				c.Close()
				return
			}
			if ack.Code == packet.Accepted {
				t.Fatal("let in")
			}
			c.ExpectClosed()
			eventually(t, "a refusal in the log", func() bool { return len(s.Log.Lines("refused")) > before })
			lines := s.Log.Lines("refused")
			if !strings.Contains(lines[len(lines)-1], "rule="+test.want+" ") {
				t.Errorf("the last refusal is not %s:\n%s", test.want, s.Log)
			}
		})
	}
}

// After CONNACK a device with a certificate is told which device it is, without having asked.
func TestADeviceWithACertificateIsToldItsNames(t *testing.T) {
	s := startProofs(t)
	c := s.withCertificate(certificateOf(certified, "dev1", s.Clock.Now().Add(time.Hour)))
	if ack := c.TryConnect(brokertest.ConnectPacket("|securemode=2|")); ack.Code != packet.Accepted {
		t.Fatalf("%v\n%s", ack.Code, s.Log)
	}
	expectPublish(t, c, "/ext/auth/identity/response", `{"productKey":"x509Product","deviceName":"dev1"}`)
	// It is that device in everything: its topics, its session, its place.
	id := c.ID()
	c.Send(brokertest.SubscribePacket(id, 1, "/"+certified+"/dev1/user/get", "/"+certified+"/dev2/user/get"))
	c.Expect(&packet.Suback{ID: id, Codes: []byte{1, packet.SubackFailure}})
	again := s.withCertificate(certificateOf(certified, "dev1", s.Clock.Now().Add(time.Hour)))
	if ack := again.TryConnect(brokertest.ConnectPacket("x|securemode=2|", brokertest.Credentials("dev1&"+certified, ""))); ack.Code != packet.Accepted {
		t.Fatalf("%v\n%s", ack.Code, s.Log)
	}
	c.ExpectClosed()
}

// A connection does not outlive the certificate on which it stands.
func TestAConnectionEndsWithItsCertificate(t *testing.T) {
	s := startProofs(t)
	c := s.withCertificate(certificateOf(certified, "dev1", s.Clock.Now().Add(time.Minute)))
	if ack := c.TryConnect(brokertest.ConnectPacket("|securemode=2|")); ack.Code != packet.Accepted {
		t.Fatalf("%v\n%s", ack.Code, s.Log)
	}
	c.NextPublish()
	s.Clock.Advance(59 * time.Second)
	c.Sync()
	s.Clock.Advance(time.Second)
	c.ExpectClosed()
}

// Binding another certificate ends the connection that the old one has made.
func TestANewBindingEndsTheOldConnection(t *testing.T) {
	s := startProofs(t)
	old := certificateOf(certified, "dev1", s.Clock.Now().Add(time.Hour))
	c := s.withCertificate(old)
	if ack := c.TryConnect(brokertest.ConnectPacket("|securemode=2|")); ack.Code != packet.Accepted {
		t.Fatalf("%v\n%s", ack.Code, s.Log)
	}
	if _, err := s.Registry.BindCertificate(certified, "dev1", sha256.Sum256([]byte("its next one"))); err != nil {
		t.Fatal(err)
	}
	c.NextPublish()
	c.ExpectClosed()
	if code := s.withCertificate(old).TryConnect(brokertest.ConnectPacket("|securemode=2|")).Code; code != packet.RefusedCredentials {
		t.Errorf("the old certificate was answered with %v", code)
	}
}

// A ticket of the HTTPS authentication stands for a device too.
func TestATicketOfAnotherDeviceThanTheChannels(t *testing.T) {
	s := startProofs(t)
	proved := broker.Channel{Security: broker.PSK, Identity: "devicename|hmacsha256|" + productKey + "&dev2|2524608000000"}
	content := credential.Content{ClientID: []byte("c1"), DeviceName: []byte(deviceName), ProductKey: []byte(productKey)}
	_, data := post(s.AuthHandler(platform.Endpoint{Port: 1883}), "/auth/devicename", url.Values{
		"productKey": {productKey}, "deviceName": {deviceName}, "clientId": {"c1"}, "signmethod": {"hmacsha1"}, "version": {"default"},
		"sign": {string(credential.HMACSHA1.AppendHex(nil, []byte(deviceSecret), content.AppendTo(nil)))}})
	iotID, _ := data["iotId"].(string)
	token, _ := data["iotToken"].(string)
	if iotID == "" || token == "" {
		t.Fatalf("no ticket: %v", data)
	}
	c := s.through(proved)
	if ack := c.TryConnect(brokertest.ConnectPacket("x|securemode=-1|", brokertest.Credentials(iotID, token))); ack.Code != packet.RefusedCredentials {
		t.Errorf("%v\n%s", ack.Code, s.Log)
	}
	eventually(t, "a refusal in the log", func() bool { return len(s.Log.Lines("channel-identity")) > 0 })
}
