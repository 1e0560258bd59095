package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// testNow is the time on the tests' clock.
var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rsaKey and ecdsaKey are made once: RSA takes long.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	})
	ecdsaKey = sync.OnceValue(newECDSA)
)

func newECDSA() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// authority is a CA for a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
	last int64 // serial number
}

func newAuthority(t testing.TB, name string, parent *authority) *authority {
	t.Helper()
	a := &authority{t: t, key: newECDSA()}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             testNow.AddDate(-1, 0, 0),
		NotAfter:              testNow.AddDate(10, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	issuer, key := template, a.key
	if parent != nil {
		issuer, key = parent.cert, parent.key
	}
	a.cert = a.sign(template, issuer, a.key.Public(), key)
	return a
}

func (a *authority) sign(template, issuer *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, public, key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// issue makes a certificate for a server or client.
func (a *authority) issue(name string, public crypto.PublicKey, change ...func(*x509.Certificate)) *x509.Certificate {
	a.t.Helper()
	a.last++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1000 + a.last),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Sampan tests"}},
		NotBefore:    testNow.AddDate(0, -1, 0),
		NotAfter:     testNow.AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	for _, c := range change {
		c(template)
	}
	return a.sign(template, a.cert, public, a.key)
}

// crl makes a list that revokes the certificates.
func (a *authority) crl(number int64, thisUpdate time.Time, revoked ...*x509.Certificate) []byte {
	a.t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: thisUpdate, NextUpdate: thisUpdate.AddDate(0, 0, 7)}
	for _, c := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: thisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

func certPEM(certs ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.Bytes()
}

func crlPEM(lists ...[]byte) []byte {
	var b bytes.Buffer
	for _, l := range lists {
		pem.Encode(&b, &pem.Block{Type: "X509 CRL", Bytes: l})
	}
	return b.Bytes()
}

func keyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// site is a directory with a server's files.
type site struct {
	t   testing.TB
	dir string
	ca  *authority
	now time.Time
}

func newSite(t testing.TB) *site {
	s := &site{t: t, dir: t.TempDir(), ca: newAuthority(t, "Test Root", nil), now: testNow}
	s.write("rsa.pem", certPEM(s.ca.issue("rsa server", rsaKey().Public())))
	s.write("rsa.key", keyPEM(t, rsaKey()))
	s.write("ecdsa.pem", certPEM(s.ca.issue("ecdsa server", ecdsaKey().Public())))
	s.write("ecdsa.key", keyPEM(t, ecdsaKey()))
	s.write("ca.pem", certPEM(s.ca.cert))
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// clock is the site's time.
func (s *site) clock() time.Time { return s.now }

// write replaces a file as careful programs do, by renaming.
func (s *site) write(name string, b []byte) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name+".new"), b, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.path(name+".new"), s.path(name)); err != nil {
		s.t.Fatal(err)
	}
}

// options are for a server with the RSA certificate and the site's clock.
func (s *site) options(policy Policy) Options {
	return Options{
		Policy:       policy,
		Certificates: []Certificate{{CertFile: s.path("rsa.pem"), KeyFile: s.path("rsa.key")}},
		Now:          s.clock,
	}
}

func (s *site) server(o Options) *Server {
	s.t.Helper()
	server, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return server
}

// client is a configuration that trusts the site and takes anything.
func (s *site) client(change ...func(*tls.Config)) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	var all []uint16
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		all = append(all, suite.ID)
	}
	c := &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS10, CipherSuites: all,
		Time: s.clock}
	for _, f := range change {
		f(c)
	}
	return c
}

// clientCertificate makes a client certificate of the site's CA.
func (s *site) clientCertificate(name string) tls.Certificate {
	key := newECDSA()
	leaf := s.ca.issue(name, key.Public())
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// loopback connects two sockets, which, unlike net.Pipe, hold what neither
// side reads yet.
func loopback() (client, server net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		panic(err)
	}
	if server, err = l.Accept(); err != nil {
		panic(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	client.SetDeadline(deadline)
	server.SetDeadline(deadline)
	return client, server
}

// shake runs one handshake and a byte from the server, and returns what each
// side saw.
func shake(client, server *tls.Config) (c, s tls.ConnectionState, clientErr, serverErr error) {
	a, b := loopback()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.Close()
		conn := tls.Server(b, server)
		if serverErr = conn.Handshake(); serverErr == nil {
			_, serverErr = conn.Write([]byte{1}) // lets a TLS 1.3 client see its ticket and any alert
			conn.Read(make([]byte, 1))           // until the client has read it
		}
		s = conn.ConnectionState()
	}()
	conn := tls.Client(a, client)
	if clientErr = conn.Handshake(); clientErr == nil {
		_, clientErr = conn.Read(make([]byte, 1))
	}
	c = conn.ConnectionState()
	a.Close()
	<-done
	return c, s, clientErr, serverErr
}
