package tlsconf

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

// deltaCRL is a list with a critical delta indicator.
func deltaCRL(a *authority) []byte {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(2), ThisUpdate: testNow, NextUpdate: testNow.AddDate(0, 0, 7),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}},
	}, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

// mutual is a site whose server asks for client certificates.
func mutual(t *testing.T, change ...func(*Options)) (*site, *Server) {
	s := newSite(t)
	s.write("crl.pem", crlPEM(s.ca.crl(1, testNow.Add(-time.Hour))))
	o := s.options(Modern)
	o.ClientCAFile, o.CRLFiles = s.path("ca.pem"), []string{s.path("crl.pem")}
	for _, c := range change {
		c(&o)
	}
	return s, s.server(o)
}

func withCertificate(cert ...tls.Certificate) func(*tls.Config) {
	return func(c *tls.Config) { c.Certificates = cert }
}

func maxVersion(v uint16) func(*tls.Config) { return func(c *tls.Config) { c.MaxVersion = v } }

func TestClientIdentity(t *testing.T) {
	site, server := mutual(t)
	cert := site.clientCertificate("device 1")
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		_, state, clientErr, serverErr := shake(site.client(withCertificate(cert), maxVersion(v)), server.Config())
		if clientErr != nil || serverErr != nil {
			t.Fatal(clientErr, serverErr)
		}
		id, ok := ClientIdentity(state)
		if !ok || id.CommonName != "device 1" || id.Subject != "CN=device 1,O=Sampan tests" || id.Issuer != "CN=Test Root" ||
			id.Serial != cert.Leaf.SerialNumber.Text(16) || len(id.Fingerprint) != 64 || !id.NotAfter.Equal(cert.Leaf.NotAfter) {
			t.Errorf("%+v, %v", id, ok)
		}
		_, state, clientErr, serverErr = shake(site.client(maxVersion(v)), server.Config())
		if id, ok := ClientIdentity(state); ok || clientErr != nil || serverErr != nil {
			t.Errorf("without a certificate: %+v, %v, %v", id, clientErr, serverErr)
		}
	}
}

func TestClientCertificatesThatAreRefused(t *testing.T) {
	site, server := mutual(t, func(o *Options) { o.RequireClientCert = true })
	stranger := newAuthority(t, "Test Root", nil)
	key := newECDSA()
	with := func(leaf *x509.Certificate) []tls.Certificate {
		return []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}
	}
	for name, certs := range map[string][]tls.Certificate{
		"none":             nil,
		"another CA's":     with(stranger.issue("x", key.Public())),
		"expired":          with(site.ca.issue("x", key.Public(), func(c *x509.Certificate) { c.NotAfter = testNow.Add(-time.Second) })),
		"not yet valid":    with(site.ca.issue("x", key.Public(), func(c *x509.Certificate) { c.NotBefore = testNow.Add(time.Hour) })),
		"for servers only": with(site.ca.issue("x", key.Public(), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })),
	} {
		for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			client := site.client(maxVersion(v), func(c *tls.Config) {
				// Whatever the server says it trusts.
				c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if len(certs) == 0 {
						return &tls.Certificate{}, nil
					}
					return &certs[0], nil
				}
			})
			if _, _, _, serverErr := shake(client, server.Config()); serverErr == nil {
				t.Errorf("%s, %s: let in", name, tls.VersionName(v))
			}
		}
	}
	if _, _, clientErr, serverErr := shake(site.client(withCertificate(site.clientCertificate("good"))), server.Config()); clientErr != nil || serverErr != nil {
		t.Errorf("a good one is refused: %v, %v", clientErr, serverErr)
	}
}

func TestRevokedClientIsRefusedAlsoWhenResuming(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		site, server := mutual(t)
		cert, other := site.clientCertificate("revoked"), site.clientCertificate("other")
		resuming := site.client(withCertificate(cert), maxVersion(v), func(c *tls.Config) {
			c.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		})
		config := server.Config()
		var held tls.ConnectionState
		for _, resumed := range []bool{false, true} {
			_, state, clientErr, serverErr := shake(resuming, config)
			if clientErr != nil || serverErr != nil || state.DidResume != resumed {
				t.Fatalf("%v, %v, resumed %v, want %v", clientErr, serverErr, state.DidResume, resumed)
			}
			held = state
		}
		if err := server.CheckClient(held); err != nil {
			t.Error(err)
		}
		site.write("crl.pem", crlPEM(site.ca.crl(2, testNow, cert.Leaf)))
		if err := server.Reload(); err != nil {
			t.Fatal(err)
		}
		if info := server.Snapshot().CRLs; len(info) != 1 || info[0].Revoked != 1 || info[0].Issuer != "CN=Test Root" || info[0].File != site.path("crl.pem") {
			t.Errorf("%+v", info)
		}
		_, state, _, serverErr := shake(resuming, config)
		if !errors.Is(serverErr, ErrRevoked) {
			t.Errorf("resumed %v: %v", state.DidResume, serverErr)
		}
		if serverErr != nil && !strings.Contains(serverErr.Error(), cert.Leaf.SerialNumber.Text(16)) {
			t.Errorf("the error does not say which: %v", serverErr)
		}
		if _, _, _, serverErr := shake(site.client(withCertificate(cert), maxVersion(v)), config); !errors.Is(serverErr, ErrRevoked) {
			t.Errorf("full handshake: %v", serverErr)
		}
		// A connection from before the reload can be looked at again.
		if err := server.CheckClient(held); !errors.Is(err, ErrRevoked) {
			t.Errorf("connection that exists: %v", err)
		}
		if _, _, clientErr, serverErr := shake(site.client(withCertificate(other), maxVersion(v)), config); clientErr != nil || serverErr != nil {
			t.Errorf("another client: %v, %v", clientErr, serverErr)
		}
	}
}

// A session made under a CA that is trusted no more is not resumed, and a
// connection that exists is found out when it is looked at again. A renewed
// certificate of the CA changes nothing for it.
func TestSessionOfAFormerCAIsNotResumed(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		site, server := mutual(t, func(o *Options) { o.RequireClientCert, o.CRLFiles = true, nil })
		client := site.client(withCertificate(site.clientCertificate("x")), maxVersion(v), func(c *tls.Config) {
			c.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		})
		config := server.Config()
		var held tls.ConnectionState
		for range 2 {
			_, state, clientErr, serverErr := shake(client, config)
			if clientErr != nil || serverErr != nil {
				t.Fatal(clientErr, serverErr)
			}
			held = state
		}
		template := *site.ca.cert
		template.NotAfter = template.NotAfter.AddDate(1, 0, 0)
		renewed := site.ca.sign(&template, site.ca.cert, site.ca.key.Public(), site.ca.key)
		site.write("ca.pem", certPEM(newAuthority(t, "Next Root", nil).cert, renewed))
		if err := errors.Join(server.Reload(), server.CheckClient(held)); err != nil {
			t.Errorf("renewed, and beside another CA: %v", err)
		}
		if err := server.CheckClient(tls.ConnectionState{}); err != nil {
			t.Errorf("a client without a certificate: %v", err)
		}
		site.write("ca.pem", certPEM(newAuthority(t, "Next Root", nil).cert))
		if err := server.Reload(); err != nil {
			t.Fatal(err)
		}
		if _, state, _, serverErr := shake(client, config); serverErr == nil {
			t.Errorf("%s: let in, resumed %v", tls.VersionName(v), state.DidResume)
		}
		if err := server.CheckClient(held); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "Test Root") {
			t.Errorf("connection that exists: %v", err)
		}
	}
}

// Lists of intermediates count, whether the server has their certificates or
// only the client shows them.
func TestRevokedUnderAnIntermediate(t *testing.T) {
	site := newSite(t)
	middle := newAuthority(t, "Test Middle", site.ca)
	key := newECDSA()
	leaf := middle.issue("device", key.Public())
	client := site.client(withCertificate(tls.Certificate{Certificate: [][]byte{leaf.Raw, middle.cert.Raw}, PrivateKey: key}))
	forger := newAuthority(t, "Test Middle", nil)
	for _, c := range []struct {
		name string
		crls []byte
		want error
	}{
		{"nothing revoked", crlPEM(middle.crl(1, testNow), site.ca.crl(1, testNow)), nil},
		{"leaf revoked by the intermediate", crlPEM(middle.crl(1, testNow, leaf)), ErrRevoked},
		{"intermediate revoked by the root", crlPEM(site.ca.crl(1, testNow, middle.cert)), ErrRevoked},
		{"another one of the same name", crlPEM(forger.crl(1, testNow, leaf)), nil},
		{"newer list takes it back", crlPEM(middle.crl(2, testNow), middle.crl(1, testNow.Add(-time.Hour), leaf)), nil},
		{"newer list revokes", crlPEM(middle.crl(2, testNow, leaf), middle.crl(1, testNow.Add(-time.Hour))), ErrRevoked},
		{"list of the future", crlPEM(middle.crl(2, testNow.Add(time.Hour), leaf), middle.crl(1, testNow)), nil},
		{"no list but of the future", crlPEM(middle.crl(2, testNow.Add(2*time.Hour)), middle.crl(1, testNow.Add(time.Hour), leaf)), ErrRevoked},
		{"list out of date", crlPEM(middle.crl(2, testNow.AddDate(0, -1, 0), leaf)), ErrRevoked},
		{"DER", middle.crl(1, testNow, leaf), ErrRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			site.write("crl.pem", c.crls)
			o := site.options(Modern)
			o.ClientCAFile, o.CRLFiles = site.path("ca.pem"), []string{site.path("crl.pem")}
			_, _, _, err := shake(client, site.server(o).Config())
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestRequireFreshCRL(t *testing.T) {
	for name, c := range map[string]struct {
		crls func(s *site) []byte
		want error
	}{
		"fresh":         {func(s *site) []byte { return crlPEM(s.ca.crl(1, testNow)) }, nil},
		"stale":         {func(s *site) []byte { return crlPEM(s.ca.crl(1, testNow.AddDate(0, 0, -8))) }, ErrNoFreshCRL},
		"of the future": {func(s *site) []byte { return crlPEM(s.ca.crl(1, testNow.Add(time.Minute))) }, ErrNoFreshCRL},
		"of another":    {func(s *site) []byte { return crlPEM(newAuthority(t, "Other", nil).crl(1, testNow)) }, ErrNoFreshCRL},
	} {
		site := newSite(t)
		site.write("crl.pem", c.crls(site))
		o := site.options(Modern)
		o.ClientCAFile, o.CRLFiles, o.RequireFreshCRL = site.path("ca.pem"), []string{site.path("crl.pem")}, true
		_, _, _, err := shake(site.client(withCertificate(site.clientCertificate("x"))), site.server(o).Config())
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// A client with two ways to be trusted is let in if one of them is clean.
func TestOneCleanChainIsEnough(t *testing.T) {
	site := newSite(t)
	second := newAuthority(t, "Second Root", nil)
	middle := newAuthority(t, "Middle", site.ca)
	// The same intermediate, certified by the second root too.
	cross := second.sign(&x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: middle.cert.Subject, NotBefore: testNow.AddDate(-1, 0, 0), NotAfter: testNow.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, second.cert, middle.key.Public(), second.key)
	key := newECDSA()
	leaf := middle.issue("x", key.Public())
	site.write("ca.pem", certPEM(site.ca.cert, second.cert))
	client := site.client(withCertificate(tls.Certificate{Certificate: [][]byte{leaf.Raw, middle.cert.Raw, cross.Raw}, PrivateKey: key}))
	o := site.options(Modern)
	o.ClientCAFile, o.CRLFiles = site.path("ca.pem"), []string{site.path("crl.pem")}
	site.write("crl.pem", crlPEM(site.ca.crl(1, testNow, middle.cert)))
	if _, _, _, err := shake(client, site.server(o).Config()); err != nil {
		t.Errorf("one chain is clean: %v", err)
	}
	site.write("crl.pem", crlPEM(site.ca.crl(1, testNow, middle.cert), second.crl(1, testNow, cross)))
	if _, _, _, err := shake(client, site.server(o).Config()); !errors.Is(err, ErrRevoked) {
		t.Errorf("no chain is clean: %v", err)
	}
}
