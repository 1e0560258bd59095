package tlsconf

import (
	"crypto/tls"
	"fmt"
	"testing"
)

// BenchmarkHandshake is a whole handshake over loopback, both sides in this
// process, by policy and by what the client can do.
func BenchmarkHandshake(b *testing.B) {
	site := newSite(b)
	ecdsa := Certificate{CertFile: site.path("ecdsa.pem"), KeyFile: site.path("ecdsa.key")}
	rsa := Certificate{CertFile: site.path("rsa.pem"), KeyFile: site.path("rsa.key")}
	for _, c := range []struct {
		name    string
		policy  Policy
		cert    Certificate
		version uint16
		suite   uint16 // 0: any
		resume  bool
	}{
		{"1.3 ECDSA", Modern, ecdsa, tls.VersionTLS13, 0, false},
		{"1.3 RSA", Modern, rsa, tls.VersionTLS13, 0, false},
		{"1.3 resumed", Modern, rsa, tls.VersionTLS13, 0, true},
		{"1.2 ECDHE-ECDSA", Modern, ecdsa, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, false},
		{"1.2 ECDHE-RSA", Modern, rsa, tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, false},
		{"1.2 resumed", Modern, rsa, tls.VersionTLS12, 0, true},
		{"1.2 static RSA (the platform's C SDK)", Platform, rsa, tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA, false},
		{"1.0 static RSA", Platform, rsa, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, false},
		{"1.2 static RSA with 3DES", Legacy, rsa, tls.VersionTLS12, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, false},
	} {
		b.Run(fmt.Sprintf("%v/%s", c.policy, c.name), func(b *testing.B) {
			o := site.options(c.policy)
			o.Certificates = []Certificate{c.cert}
			server, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			config := server.Config()
			client := site.client(maxVersion(c.version), func(t *tls.Config) {
				if c.suite != 0 {
					t.CipherSuites = []uint16{c.suite}
				}
				if c.resume {
					t.ClientSessionCache = tls.NewLRUClientSessionCache(1)
				}
			})
			b.ReportAllocs()
			for b.Loop() {
				if _, _, clientErr, serverErr := shake(client, config); clientErr != nil || serverErr != nil {
					b.Fatal(clientErr, serverErr)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
		})
	}
}
