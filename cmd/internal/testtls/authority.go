package testtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority issues client certificates.
type Authority struct {
	File string // its certificate, PEM

	t      testing.TB
	dir    string
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	serial int64
	lists  int64
}

// NewAuthority makes one whose files the test removes.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: t.TempDir(), serial: 1}
	a.key = a.newKey()
	a.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, a.key.Public())
	a.File = a.write("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *Authority) must(err error) {
	if err != nil {
		a.t.Helper()
		a.t.Fatal(err)
	}
}

func (a *Authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	return key
}

func (a *Authority) write(name, kind string, der []byte) string {
	file := filepath.Join(a.dir, name)
	next := file + ".next"
	a.must(os.WriteFile(next, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	a.must(os.Rename(next, file))
	return file
}

// sign signs with the authority's key; it is its own issuer while it has no certificate yet.
func (a *Authority) sign(template *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	a.t.Helper()
	issuer := a.cert
	if issuer == nil {
		issuer = template
	}
	template.SerialNumber = big.NewInt(a.serial)
	a.serial++
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(24 * time.Hour)
	}
	template.NotBefore = time.Now().Add(-48 * time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key, a.key)
	a.must(err)
	c, err := x509.ParseCertificate(der)
	a.must(err)
	return c
}

// Client is a client's certificate in a file, and its key if the authority has made it.
type Client struct {
	Certificate *x509.Certificate
	CertFile    string
	KeyFile     string // empty: the key is somebody else's
}

// Issue makes a certificate for a subject. A nil key is made too. notAfter may be zero: tomorrow.
func (a *Authority) Issue(subject pkix.Name, key crypto.PublicKey, notAfter time.Time) Client {
	a.t.Helper()
	var c Client
	name := big.NewInt(a.serial).String()
	if key == nil {
		made := a.newKey()
		der, err := x509.MarshalPKCS8PrivateKey(made)
		a.must(err)
		c.KeyFile = a.write(name+".key", "PRIVATE KEY", der)
		key = made.Public()
	}
	c.Certificate = a.sign(&x509.Certificate{
		Subject: subject, NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
	c.CertFile = a.write(name+".pem", "CERTIFICATE", c.Certificate.Raw)
	return c
}

// Revoke writes the authority's list, which names these certificates and no other, and returns its file.
func (a *Authority) Revoke(certs ...*x509.Certificate) (file string) {
	a.t.Helper()
	a.lists++
	list := &x509.RevocationList{Number: big.NewInt(a.lists), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range certs {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	a.must(err)
	return a.write("crl.pem", "X509 CRL", der)
}
