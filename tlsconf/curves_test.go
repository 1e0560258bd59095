package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"slices"
	"testing"
)

// The group of the key exchange, by what the client has.
func TestGroupOfTheKeyExchange(t *testing.T) {
	site := newSite(t)
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	site.write("p384.pem", certPEM(site.ca.issue("P-384 server", key.Public())))
	site.write("p384.key", keyPEM(t, key))
	for _, c := range []struct {
		policy  Policy
		version uint16 // the client's highest
		has     []tls.CurveID
		want    tls.CurveID
	}{
		{Modern, tls.VersionTLS13, nil, tls.X25519MLKEM768},
		{Modern, tls.VersionTLS13, []tls.CurveID{tls.X25519, tls.CurveP256}, tls.X25519},
		{Modern, tls.VersionTLS13, []tls.CurveID{tls.CurveP256}, tls.CurveP256},
		{Modern, tls.VersionTLS12, nil, tls.CurveP256},
		{Modern, tls.VersionTLS12, []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}, tls.CurveP256},
		{Modern, tls.VersionTLS12, []tls.CurveID{tls.X25519}, tls.X25519},
		{Modern, tls.VersionTLS12, []tls.CurveID{tls.X25519, tls.CurveP384}, tls.X25519},
		{Platform, tls.VersionTLS13, nil, tls.CurveP256},
		{Platform, tls.VersionTLS12, []tls.CurveID{tls.X25519}, tls.X25519},
		{Legacy, tls.VersionTLS11, nil, tls.CurveP256},
	} {
		t.Run(fmt.Sprintf("%v/%s/%v", c.policy, tls.VersionName(c.version), c.has), func(t *testing.T) {
			client := site.client(func(o *tls.Config) { o.MaxVersion, o.CurvePreferences = c.version, c.has })
			client.CipherSuites = slices.Concat(modern, forwardSecretCBC)
			_, state, clientErr, serverErr := shake(client, site.server(site.options(c.policy)).Config())
			if clientErr != nil || serverErr != nil {
				t.Fatal(clientErr, serverErr)
			}
			if state.CurveID != c.want {
				t.Errorf("the group is %v, want %v", state.CurveID, c.want)
			}
		})
	}
	// A certificate on another curve is shown as before.
	o := site.options(Modern)
	o.Certificates = []Certificate{{CertFile: site.path("p384.pem"), KeyFile: site.path("p384.key")}}
	for _, has := range [][]tls.CurveID{nil, {tls.X25519, tls.CurveP256, tls.CurveP384}} {
		client := site.client(maxVersion(tls.VersionTLS12), func(o *tls.Config) { o.CurvePreferences = has })
		_, state, clientErr, serverErr := shake(client, site.server(o).Config())
		if clientErr != nil || serverErr != nil || state.CurveID != tls.CurveP256 {
			t.Errorf("P-384 certificate, %v: %v, %v, %v", has, state.CurveID, clientErr, serverErr)
		}
	}
}
