package platform_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
	"sampan/packet"
)

// authority is one with a key of its own, which is nothing but its name.
func authority(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, RawSubjectPublicKeyInfo: []byte(name)}
}

func keyOf(a *x509.Certificate) device.KeyFingerprint {
	return sha256.Sum256(a.RawSubjectPublicKeyInfo)
}

// issued is a channel with a certificate of a device that leads to a trusted one in each of these ways.
func (s *site) issued(product, name string, ways ...[]*x509.Certificate) broker.Channel {
	c := certificateOf(product, name, s.Clock.Now().Add(time.Hour))
	state := new(tls.ConnectionState)
	for _, way := range ways {
		state.VerifiedChains = append(state.VerifiedChains, append([]*x509.Certificate{c}, way...))
	}
	return broker.Channel{Security: broker.TLS, TLS: state}
}

// A product may name the authorities that say which of its devices somebody is. The others that the listener trusts
// have nothing to say about it then, and go on speaking for the products that leave it to them.
func TestOnlyAProductsAuthoritiesSpeakForItsDevices(t *testing.T) {
	s := startProofs(t)
	ours, root, theirs := authority("ours"), authority("root"), authority("theirs")
	const strict = "strictProduct"
	s.product(device.ProductSpec{Key: strict, AuthType: device.ByCertificate, Authorities: []device.KeyFingerprint{keyOf(ours)}})
	for _, name := range []string{"dev1", "bound"} {
		s.device(strict, name, deviceSecret)
	}
	bound := s.issued("", "sn 1", []*x509.Certificate{theirs})
	if _, err := s.Registry.BindCertificate(strict, "bound", sha256.Sum256(bound.TLS.VerifiedChains[0][0].Raw)); err != nil {
		t.Fatal(err)
	}
	chain := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	unsigned := func(product, name string) *packet.Connect {
		return brokertest.ConnectPacket("x|securemode=2|", brokertest.Credentials(name+"&"+product, ""))
	}
	nameless := brokertest.ConnectPacket(".|securemode=2|")
	for _, test := range []struct {
		name    string
		channel broker.Channel
		connect *packet.Connect
		let     bool
	}{
		{"by its authority", s.issued(strict, "dev1", chain(ours)), nameless, true},
		{"by its authority below another", s.issued(strict, "dev1", chain(ours, root)), unsigned(strict, "dev1"), true},
		{"by one below its authority", s.issued(strict, "dev1", chain(theirs, ours)), nameless, true},
		{"one of two ways leads over its authority", s.issued(strict, "dev1", chain(theirs), chain(ours)), nameless, true},
		{"by another", s.issued(strict, "dev1", chain(theirs)), nameless, false},
		{"by another, with its names", s.issued(strict, "dev1", chain(theirs, root)), unsigned(strict, "dev1"), false},
		{"by the one above its authority", s.issued(strict, "dev1", chain(root)), nameless, false},
		{"by nobody: the certificate itself is trusted", s.issued(strict, "dev1", chain()), nameless, false},
		{"by another, and the right secret", s.issued(strict, "dev1", chain(theirs)), login(strict, "dev1", deviceSecret, ""), false},
		{"by another, for a device that there is not", s.issued(strict, "none", chain(theirs)), nameless, false},
		{"bound to the device, by another", bound, nameless, true},
		{"by another, for a product that leaves it to all", s.issued(certified, "dev1", chain(theirs)), nameless, true},
		{"by its authority, for a product that leaves it to all", s.issued(certified, "dev1", chain(ours)), nameless, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.Clock.Advance(time.Minute) // so that the limit on connects does not matter
			before := len(s.Log.Lines("refused", "rule=channel-identity "))
			c := s.through(test.channel)
			if ack := c.TryConnect(test.connect); (ack.Code == packet.Accepted) != test.let {
				t.Fatalf("%v\n%s", ack.Code, s.Log)
			}
			if test.let {
				c.Close()
				return
			}
			c.ExpectClosed()
			eventually(t, "a refusal in the log", func() bool { return len(s.Log.Lines("refused", "rule=channel-identity ")) > before })
			lines := s.Log.Lines("refused")
			if last := lines[len(lines)-1]; !strings.Contains(last, "which is none of the authorities of that product") {
				t.Errorf("the reason is not in the log: %s", last)
			}
		})
	}
}

// When a product's authorities change, its devices are disconnected. Those whom the new ones vouch for come back.
func TestNewAuthoritiesEndTheConnectionsOfAProduct(t *testing.T) {
	s := startProofs(t)
	ours, theirs := authority("ours"), authority("theirs")
	come := func(product, name string, by *x509.Certificate, want packet.ReturnCode) *brokertest.Client {
		t.Helper()
		c := s.through(s.issued(product, name, []*x509.Certificate{by}))
		if ack := c.TryConnect(brokertest.ConnectPacket("|securemode=2|")); ack.Code != want {
			t.Fatalf("%s: %v, want %v\n%s", name, ack.Code, want, s.Log)
		}
		if want == packet.Accepted {
			c.NextPublish() // its names
		}
		return c
	}
	const other = "otherProduct"
	s.product(device.ProductSpec{Key: other, AuthType: device.ByCertificate})
	s.device(other, "dev1", deviceSecret)
	one, two := come(certified, "dev1", ours, packet.Accepted), come(certified, "dev2", theirs, packet.Accepted)
	beside := come(other, "dev1", theirs, packet.Accepted)
	if _, err := s.Registry.SetAuthorities(certified, []device.KeyFingerprint{keyOf(ours)}); err != nil {
		t.Fatal(err)
	}
	one.ExpectClosed()
	two.ExpectClosed()
	come(certified, "dev1", ours, packet.Accepted)
	come(certified, "dev2", theirs, packet.RefusedCredentials)
	beside.Sync()
	if _, err := s.Registry.SetAuthorities(certified, nil); err != nil {
		t.Fatal(err)
	}
	// Changes are carried out one after the other: when the next one is, nobody is disconnected for this one any more.
	if _, err := s.Registry.Disable(other, "dev1"); err != nil {
		t.Fatal(err)
	}
	beside.ExpectClosed()
	come(certified, "dev2", theirs, packet.Accepted)
}
