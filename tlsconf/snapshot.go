package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

// Snapshot is one set of files as they were read together. It does not change.
type Snapshot struct {
	// Certificates are the server's own, in the order of the options.
	Certificates []CertificateInfo
	// ClientCAs are those that client certificates must lead to.
	ClientCAs []CertificateInfo
	// CRLs are the revocation lists.
	CRLs []CRLInfo
	// LoadedAt is when the files were read.
	LoadedAt time.Time
	// Warnings say what is allowed but hardly meant, for the log.
	Warnings []string

	config      *tls.Config
	unsigned    *tls.Config                // for clients that take no signature of ours; nil: same as config
	nist        *tls.Config                // for clients of TLS 1.2 and below that have P-256
	trusted     map[[sha256.Size]byte]bool // the client CAs, by authorityOf
	revocations *revocations
}

// CertificateInfo is what an operator wants to know of a certificate.
type CertificateInfo struct {
	Identity
	NotBefore time.Time
	File      string
}

// CRLInfo is what an operator wants to know of a revocation list.
type CRLInfo struct {
	Issuer     string
	ThisUpdate time.Time
	NextUpdate time.Time // zero: the list does not say
	Revoked    int       // entries
	File       string
}

// NotAfter is when the first of the server's certificates expires.
func (s *Snapshot) NotAfter() time.Time {
	var first time.Time
	for _, c := range s.Certificates {
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	return first
}

// load reads everything the options name.
func load(o *Options, now time.Time) (*Snapshot, error) {
	s := &Snapshot{LoadedAt: now, config: o.Policy.Config()}
	c := s.config
	c.Time, c.Rand, c.NextProtos = o.Now, o.Rand, o.NextProtos
	c.SessionTicketsDisabled = o.NoSessionTickets

	staticRSA := false
	for i := range o.Certificates {
		pair, err := s.loadCertificate(&o.Certificates[i], now)
		if err != nil {
			return nil, err
		}
		c.Certificates = append(c.Certificates, pair)
		_, isRSA := pair.Leaf.PublicKey.(*rsa.PublicKey)
		_, decrypts := pair.PrivateKey.(crypto.Decrypter)
		staticRSA = staticRSA || isRSA && decrypts
	}
	if err := s.loadClientCAs(o); err != nil {
		return nil, err
	}
	s.nist = c.Clone()
	s.nist.CurvePreferences = nistCurves
	if o.Policy != Modern {
		if !staticRSA {
			s.warn("policy %s: no certificate with an RSA key that can decrypt, so the static RSA suites cannot be used", o.Policy)
		} else {
			s.unsigned = c.Clone()
			s.unsigned.CipherSuites = o.Policy.withoutSignatures()
		}
	}
	for issuer := range s.revocations.byIssuer {
		for _, l := range s.revocations.byIssuer[issuer] {
			s.CRLs = append(s.CRLs, CRLInfo{l.list.Issuer.String(), l.list.ThisUpdate, l.list.NextUpdate, len(l.serials), l.file})
			if !l.fresh(now) {
				s.warn("CRL file %s: the list of %s is not in force (%s to %s)", l.file, l.list.Issuer,
					l.list.ThisUpdate.UTC().Format(time.RFC3339), l.list.NextUpdate.UTC().Format(time.RFC3339))
			}
		}
	}
	return s, nil
}

// nistCurves leave X25519 out, so that P-256 is taken: crypto/tls has an order
// of its own, and where the processor has instructions for P-256, its X25519
// costs more than twice as much. P-384 and P-521 are there for certificates.
var nistCurves = []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521}

// configs are all that there are.
func (s *Snapshot) configs() []*tls.Config {
	all := []*tls.Config{s.config, s.nist}
	if s.unsigned != nil {
		all = append(all, s.unsigned)
	}
	return all
}

func (s *Snapshot) warn(format string, args ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...))
}

// loadCertificate reads one chain and finds or checks its key.
func (s *Snapshot) loadCertificate(c *Certificate, now time.Time) (pair tls.Certificate, err error) {
	chain, err := readCertificates("certificate", c.CertFile)
	if err != nil {
		return pair, err
	}
	leaf := chain[0]
	if c.Signer != nil {
		pair.PrivateKey = c.Signer
		public, ok := c.Signer.Public().(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(leaf.PublicKey) {
			return pair, &FileError{"certificate", c.CertFile, errors.New("the key given as Signer belongs to another certificate")}
		}
	} else {
		key, err := read("key", c.KeyFile, maxCertificateFile)
		if err != nil {
			return pair, err
		}
		defer clear(key)
		// X509KeyPair finds the form of the key and checks that it fits.
		one, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), key)
		if err != nil {
			return pair, &FileError{"key", c.KeyFile, err}
		}
		pair.PrivateKey = one.PrivateKey
		if info, err := os.Stat(c.KeyFile); err == nil && info.Mode().Perm()&0o007 != 0 {
			s.warn("key file %s can be used by every user of the machine (mode %#o)", c.KeyFile, info.Mode().Perm())
		}
	}
	pair.Leaf = leaf
	for i, cert := range chain {
		pair.Certificate = append(pair.Certificate, cert.Raw)
		if i > 0 && !bytes.Equal(chain[i-1].RawIssuer, cert.RawSubject) {
			s.warn("certificate file %s: certificate %d is not the issuer of the one before it", c.CertFile, i+1)
		}
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		s.warn("certificate file %s: valid from %s to %s only", c.CertFile,
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	s.Certificates = append(s.Certificates, CertificateInfo{identityOf(leaf), leaf.NotBefore, c.CertFile})
	return pair, nil
}

// loadClientCAs reads the trusted certificates and the revocation lists.
func (s *Snapshot) loadClientCAs(o *Options) (err error) {
	s.revocations = &revocations{}
	if o.ClientCAFile == "" {
		return nil
	}
	cas, err := readCertificates("client CA", o.ClientCAFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	s.trusted = make(map[[sha256.Size]byte]bool, len(cas))
	for _, ca := range cas {
		pool.AddCert(ca)
		s.trusted[authorityOf(ca)] = true
		s.ClientCAs = append(s.ClientCAs, CertificateInfo{identityOf(ca), ca.NotBefore, o.ClientCAFile})
		if !ca.IsCA {
			s.warn("client CA file %s: %s is no CA certificate", o.ClientCAFile, ca.Subject)
		}
	}
	s.config.ClientCAs = pool
	s.config.ClientAuth = tls.VerifyClientCertIfGiven
	if o.RequireClientCert {
		s.config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if s.revocations, err = loadCRLs(o.CRLFiles, cas); err != nil {
		return err
	}
	s.revocations.requireFresh = o.RequireFreshCRL
	return nil
}

// readCertificates reads a PEM file with at least one certificate. Blocks of
// other types are passed over: a key may stand in the same file.
func readCertificates(role, file string) (certs []*x509.Certificate, err error) {
	b, err := read(role, file, maxCertificateFile)
	if err != nil {
		return nil, err
	}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &FileError{role, file, fmt.Errorf("certificate %d: %w", len(certs)+1, err)}
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, &FileError{role, file, errors.New("holds no certificate in PEM form")}
	}
	return certs, nil
}

// worseThan refuses to replace a certificate that is good now by one that is
// not.
func (s *Snapshot) worseThan(old *Snapshot, now time.Time) error {
	good := func(c CertificateInfo) bool { return !now.Before(c.NotBefore) && !now.After(c.NotAfter) }
	for i, c := range s.Certificates {
		if !good(c) && i < len(old.Certificates) && good(old.Certificates[i]) {
			return &FileError{"certificate", c.File, fmt.Errorf("valid from %s to %s only, while the one in use is good",
				c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))}
		}
	}
	return nil
}
