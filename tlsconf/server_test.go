package tlsconf

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func serverLeaf(t *testing.T, site *site, server *Server) *x509.Certificate {
	t.Helper()
	state, _, clientErr, serverErr := shake(site.client(), server.Config())
	if clientErr != nil || serverErr != nil {
		t.Fatalf("client %v, server %v", clientErr, serverErr)
	}
	return state.PeerCertificates[0]
}

func TestReloadPutsAllToUseTogether(t *testing.T) {
	site := newSite(t)
	server := site.server(site.options(Modern))
	first := serverLeaf(t, site, server)
	before := server.Snapshot()

	renewed := site.ca.issue("renewed", ecdsaKey().Public())
	site.write("rsa.pem", certPEM(renewed))
	if err := server.Reload(); err == nil {
		t.Fatal("a certificate without its key was accepted")
	} else {
		var e *FileError
		if !errors.As(err, &e) || e.File != site.path("rsa.key") || e.Role != "key" {
			t.Errorf("the error does not say which file: %v", err)
		}
	}
	if server.Snapshot() != before || !serverLeaf(t, site, server).Equal(first) {
		t.Error("the old files are no longer in use")
	}
	if st := server.Status(); st.Failures != 1 || st.Reloads != 0 || st.LastError == nil {
		t.Errorf("%+v", st)
	}
	site.write("rsa.key", keyPEM(t, ecdsaKey()))
	if err := server.Reload(); err != nil {
		t.Fatal(err)
	}
	if !serverLeaf(t, site, server).Equal(renewed) {
		t.Error("the new certificate is not in use")
	}
	if st := server.Status(); st.Failures != 1 || st.Reloads != 1 || st.LastError != nil {
		t.Errorf("%+v", st)
	}
	info := server.Snapshot().Certificates[0]
	if info.CommonName != "renewed" || !server.Snapshot().NotAfter().Equal(renewed.NotAfter) || info.File != site.path("rsa.pem") {
		t.Errorf("%+v", info)
	}
}

func TestEachBadFileIsNamed(t *testing.T) {
	other := newAuthority(t, "Other Root", nil)
	for _, c := range []struct {
		name  string
		spoil func(*site, *Options)
		role  string
		file  string
		says  string
	}{
		{"no certificate", func(s *site, _ *Options) { os.Remove(s.path("rsa.pem")) }, "certificate", "rsa.pem", "no such file"},
		{"empty certificate", func(s *site, _ *Options) { s.write("rsa.pem", nil) }, "certificate", "rsa.pem", "is empty"},
		{"certificate is a key", func(s *site, _ *Options) { s.write("rsa.pem", keyPEM(s.t, rsaKey())) }, "certificate", "rsa.pem", "holds no certificate"},
		{"certificate is noise", func(s *site, _ *Options) { s.write("rsa.pem", []byte("noise")) }, "certificate", "rsa.pem", "holds no certificate"},
		{"certificate is cut", func(s *site, _ *Options) {
			b, _ := os.ReadFile(s.path("rsa.pem"))
			s.write("rsa.pem", b[:len(b)/2])
		}, "certificate", "rsa.pem", "holds no certificate"},
		{"certificate's bytes are wrong", func(s *site, _ *Options) {
			s.write("rsa.pem", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
		}, "certificate", "rsa.pem", "certificate 1"},
		{"certificate is huge", func(s *site, _ *Options) { s.write("rsa.pem", make([]byte, maxCertificateFile+1)) }, "certificate", "rsa.pem", "too long"},
		{"certificate is a directory", func(s *site, o *Options) { o.Certificates[0].CertFile = s.dir }, "certificate", "", "directory"},
		{"no key", func(s *site, _ *Options) { os.Remove(s.path("rsa.key")) }, "key", "rsa.key", "no such file"},
		{"other key", func(s *site, _ *Options) { s.write("rsa.key", keyPEM(s.t, ecdsaKey())) }, "key", "rsa.key", "private key"},
		{"signer of another key", func(s *site, o *Options) {
			o.Certificates[0].KeyFile, o.Certificates[0].Signer = "", ecdsaKey()
		}, "certificate", "rsa.pem", "Signer"},
		{"no client CA", func(s *site, _ *Options) { os.Remove(s.path("ca.pem")) }, "client CA", "ca.pem", "no such file"},
		{"client CA is noise", func(s *site, _ *Options) { s.write("ca.pem", []byte("noise")) }, "client CA", "ca.pem", "holds no certificate"},
		{"no CRL", func(s *site, _ *Options) { os.Remove(s.path("crl.pem")) }, "CRL", "crl.pem", "no such file"},
		{"CRL is noise", func(s *site, _ *Options) { s.write("crl.pem", []byte("noise")) }, "CRL", "crl.pem", ""},
		{"CRL is a certificate", func(s *site, _ *Options) { s.write("crl.pem", certPEM(s.ca.cert)) }, "CRL", "crl.pem", "holds a CERTIFICATE"},
		{"CRL file without a list", func(s *site, _ *Options) { s.write("crl.pem", []byte("-----BEGIN nothing")) }, "CRL", "crl.pem", "holds no CRL"},
		{"CRL block is noise", func(s *site, _ *Options) { s.write("crl.pem", crlPEM([]byte{1, 2, 3})) }, "CRL", "crl.pem", ""},
		{"CRL is forged", func(s *site, _ *Options) {
			forger := newAuthority(t, "Test Root", nil) // the name of the site's CA, another key
			s.write("crl.pem", crlPEM(forger.crl(1, testNow)))
		}, "CRL", "crl.pem", "signature"},
		{"CRL is a delta", func(s *site, _ *Options) { s.write("crl.pem", crlPEM(deltaCRL(s.ca))) }, "CRL", "crl.pem", "critical extension"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.write("crl.pem", crlPEM(s.ca.crl(1, testNow), other.crl(1, testNow)))
			o := s.options(Modern)
			o.ClientCAFile, o.CRLFiles = s.path("ca.pem"), []string{s.path("crl.pem")}
			good := s.server(o)
			c.spoil(s, &o)
			check := func(err error) {
				t.Helper()
				var e *FileError
				if !errors.As(err, &e) {
					t.Fatalf("got %v", err)
				}
				if want := s.path(c.file); c.file != "" && e.File != want || e.Role != c.role || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v: want role %q, file %q, text %q", err, c.role, want, c.says)
				}
			}
			_, err := New(o)
			check(err)
			if o.Certificates[0] == good.options.Certificates[0] {
				check(good.Reload())
			}
			if _, _, clientErr, serverErr := shake(s.client(), good.Config()); clientErr != nil || serverErr != nil {
				t.Errorf("the server in use suffers: %v, %v", clientErr, serverErr)
			}
		})
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	site := newSite(t)
	for name, change := range map[string]func(*Options){
		"no certificate":            func(o *Options) { o.Certificates = nil },
		"no such policy":            func(o *Options) { o.Policy = 3 },
		"no CA, certs required":     func(o *Options) { o.RequireClientCert = true },
		"no CA, CRL given":          func(o *Options) { o.CRLFiles = []string{"x"} },
		"no CA, fresh CRL required": func(o *Options) { o.RequireFreshCRL = true },
		"negative rotation":         func(o *Options) { o.TicketRotation = -1 },
		"neither key nor signer":    func(o *Options) { o.Certificates[0].KeyFile = "" },
		"key and signer":            func(o *Options) { o.Certificates[0].Signer = rsaKey() },
		"no certificate file":       func(o *Options) { o.Certificates[0].CertFile = "" },
	} {
		o := site.options(Modern)
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWatchReloadsWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newSite(t)
		o := site.options(Modern)
		o.ClientCAFile = site.path("ca.pem")
		server := site.server(o)
		ctx, cancel := context.WithCancel(t.Context())
		tick := make(chan time.Time)
		reports := make(chan error, 10)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			server.Watch(ctx, tick, func(err error) { reports <- err })
		}()
		look := func() (reported bool, err error) {
			tick <- time.Now()
			synctest.Wait()
			select {
			case err = <-reports:
				return true, err
			default:
				return false, nil
			}
		}
		if reported, _ := look(); reported {
			t.Error("reloaded without a change")
		}
		site.write("rsa.pem", certPEM(site.ca.issue("second", rsaKey().Public())))
		if reported, err := look(); !reported || err != nil {
			t.Errorf("changed certificate: %v, %v", reported, err)
		}
		if got := server.Snapshot().Certificates[0].CommonName; got != "second" {
			t.Errorf("%q in use", got)
		}
		// A bad file is reported once, not at every tick.
		site.write("ca.pem", []byte("noise"))
		if reported, err := look(); !reported || err == nil {
			t.Errorf("bad file: %v, %v", reported, err)
		}
		if reported, _ := look(); reported {
			t.Error("reported again without a change")
		}
		// Gone is a change, and so is being back.
		os.Remove(site.path("ca.pem"))
		if reported, err := look(); !reported || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("file gone: %v, %v", reported, err)
		}
		site.write("ca.pem", certPEM(site.ca.cert))
		if reported, err := look(); !reported || err != nil {
			t.Errorf("file back: %v, %v", reported, err)
		}
		// A link turned to another directory, as orchestrators do it.
		os.Mkdir(site.path("v2"), 0o700)
		b, _ := os.ReadFile(site.path("rsa.pem"))
		os.WriteFile(site.path("v2/rsa.pem"), b, 0o600)
		os.Remove(site.path("rsa.pem"))
		os.Symlink(site.path("v2/rsa.pem"), site.path("rsa.pem"))
		if reported, err := look(); !reported || err != nil {
			t.Errorf("link turned: %v, %v", reported, err)
		}
		// Another file of the same length and date in its place.
		info, _ := os.Stat(site.path("rsa.key"))
		site.write("rsa.key", keyPEM(t, rsaKey()))
		os.Chtimes(site.path("rsa.key"), info.ModTime(), info.ModTime())
		if reported, err := look(); !reported || err != nil {
			t.Errorf("replaced by one of the same length and date: %v, %v", reported, err)
		}
		// Written in place: the same file, the same length, another date.
		os.WriteFile(site.path("rsa.key"), keyPEM(t, rsaKey()), 0o600)
		os.Chtimes(site.path("rsa.key"), info.ModTime(), info.ModTime().Add(time.Second))
		if reported, err := look(); !reported || err != nil {
			t.Errorf("written in place: %v, %v", reported, err)
		}
		cancel()
		<-stopped
	})
}

// What was wrong need not be in the files: a certificate may have come before
// its time, or descriptors may have been short. So a set that failed is tried
// again, and what was told of it once is not told again.
func TestWatchTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newSite(t)
		server := site.server(site.options(Modern))
		ctx, cancel := context.WithCancel(t.Context())
		tick := make(chan time.Time)
		var reports []error
		go server.Watch(ctx, tick, func(err error) { reports = append(reports, err) })
		early := func(c *x509.Certificate) { c.NotBefore = testNow.Add(30 * time.Minute) }
		site.write("rsa.pem", certPEM(site.ca.issue("early", rsaKey().Public(), early)))
		for minute := range 60 {
			site.now = testNow.Add(time.Duration(minute) * time.Minute)
			for range 3 {
				tick <- time.Now()
				synctest.Wait()
			}
			inUse, want := server.Snapshot().Certificates[0].CommonName == "early", 1
			if minute >= 30 {
				want = 2
			}
			if inUse != (minute >= 30) || len(reports) != want {
				t.Fatalf("after %d minutes: in use %v, reports %v", minute, inUse, reports)
			}
		}
		if status := server.Status(); reports[0] == nil || reports[1] != nil || status.Failures != 30 || status.Reloads != 1 {
			t.Errorf("reports %v, %+v", reports, status)
		}
		cancel()
	})
}

func TestWatchWithoutReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newSite(t)
		server := site.server(site.options(Modern))
		ctx, cancel := context.WithCancel(t.Context())
		tick := make(chan time.Time)
		go server.Watch(ctx, tick, nil)
		site.write("rsa.pem", nil)
		tick <- time.Now()
		synctest.Wait()
		if server.Status().Failures != 1 {
			t.Error("not looked at")
		}
		cancel()
	})
}

func TestExpiredCertificates(t *testing.T) {
	site := newSite(t)
	expired := func(c *x509.Certificate) { c.NotAfter = testNow.AddDate(0, 0, -1) }
	server := site.server(site.options(Modern))
	site.write("rsa.pem", certPEM(site.ca.issue("expired", rsaKey().Public(), expired)))
	if err := server.Reload(); err == nil {
		t.Error("a good certificate was replaced by an expired one")
	}
	// At the start there is nothing better: serve, and warn.
	late := site.server(site.options(Modern))
	if w := strings.Join(late.Warnings(), "\n"); !strings.Contains(w, "rsa.pem") || !strings.Contains(w, "valid from") {
		t.Errorf("warnings: %q", w)
	}
	// The one in use expires: then another expired one is no worse.
	site.now = testNow.AddDate(2, 0, 0)
	if err := server.Reload(); err != nil {
		t.Error(err)
	}
}

func TestWarnings(t *testing.T) {
	site := newSite(t)
	if w := site.server(site.options(Modern)).Warnings(); len(w) != 0 {
		t.Errorf("nothing is wrong, and still: %q", w)
	}
	other := newAuthority(t, "Other", nil)
	site.write("rsa.pem", certPEM(site.ca.issue("x", rsaKey().Public()), other.cert))
	os.Chmod(site.path("rsa.key"), 0o644)
	site.write("crl.pem", crlPEM(site.ca.crl(1, testNow.AddDate(0, -1, 0))))
	site.write("ca.pem", certPEM(site.ca.cert, site.ca.issue("leaf", ecdsaKey().Public())))
	o := site.options(Platform)
	o.ClientCAFile, o.CRLFiles = site.path("ca.pem"), []string{site.path("crl.pem")}
	got := strings.Join(site.server(o).Warnings(), "\n")
	for _, want := range []string{"TLS policy platform", "certificate 2 is not the issuer", "mode 0644", "is not in force", "is no CA certificate"} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning with %q in:\n%s", want, got)
		}
	}
	o = site.options(Legacy)
	o.Certificates = []Certificate{{CertFile: site.path("ecdsa.pem"), KeyFile: site.path("ecdsa.key")}}
	if got := strings.Join(site.server(o).Warnings(), "\n"); !strings.Contains(got, "RSA key") {
		t.Errorf("no warning that static RSA cannot work:\n%s", got)
	}
}

// signer hides a key behind crypto.Signer alone, as a chip does.
type signer struct {
	key  crypto.Signer
	used *int
}

func (s signer) Public() crypto.PublicKey { return s.key.Public() }

func (s signer) Sign(rand io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	*s.used++
	return s.key.Sign(rand, digest, o)
}

// decrypter can also decrypt.
type decrypter struct{ signer }

func (d decrypter) Decrypt(rand io.Reader, msg []byte, o crypto.DecrypterOpts) ([]byte, error) {
	*d.used++
	return d.key.(*rsa.PrivateKey).Decrypt(rand, msg, o)
}

func TestKeyBehindASigner(t *testing.T) {
	site := newSite(t)
	used := 0
	o := site.options(Modern)
	o.Certificates = []Certificate{{CertFile: site.path("rsa.pem"), Signer: signer{rsaKey(), &used}}}
	serverLeaf(t, site, site.server(o))
	if used != 1 {
		t.Errorf("used %d times", used)
	}
	staticRSA := site.client(func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	})
	o.Policy = Platform
	server := site.server(o)
	if w := strings.Join(server.Warnings(), "\n"); !strings.Contains(w, "can decrypt") {
		t.Errorf("no warning for a signer that cannot decrypt: %q", w)
	}
	if _, _, clientErr, _ := shake(staticRSA, server.Config()); clientErr == nil {
		t.Error("static RSA without a decrypter")
	}
	o.Certificates[0].Signer = decrypter{signer{rsaKey(), &used}}
	if _, _, clientErr, serverErr := shake(staticRSA, site.server(o).Config()); clientErr != nil || serverErr != nil {
		t.Errorf("static RSA: %v, %v", clientErr, serverErr)
	}
}

func TestSeveralCertificates(t *testing.T) {
	site := newSite(t)
	o := site.options(Platform)
	o.Certificates = append([]Certificate{{CertFile: site.path("ecdsa.pem"), KeyFile: site.path("ecdsa.key")}}, o.Certificates...)
	server := site.server(o)
	for suite, want := range map[uint16]string{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ecdsa server",
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:   "rsa server",
		tls.TLS_RSA_WITH_AES_128_CBC_SHA:            "rsa server",
	} {
		state, _, clientErr, _ := shake(site.client(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite}
		}), server.Config())
		if clientErr != nil {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), clientErr)
		} else if got := state.PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("%s: %s", tls.CipherSuiteName(suite), got)
		}
	}
}

func TestNextProtos(t *testing.T) {
	site := newSite(t)
	o := site.options(Modern)
	o.NextProtos = []string{"mqtt"}
	state, _, clientErr, _ := shake(site.client(func(c *tls.Config) { c.NextProtos = []string{"other", "mqtt"} }), site.server(o).Config())
	if clientErr != nil || state.NegotiatedProtocol != "mqtt" {
		t.Errorf("%q, %v", state.NegotiatedProtocol, clientErr)
	}
	if site.server(o).Policy() != Modern {
		t.Error("Policy")
	}
}

func TestTakesNoSignature(t *testing.T) {
	v12 := []uint16{tls.VersionTLS12, tls.VersionTLS11}
	for name, c := range map[string]struct {
		hello tls.ClientHelloInfo
		want  bool
	}{
		"1.2 without list":   {tls.ClientHelloInfo{SupportedVersions: v12}, true},
		"1.2 SHA-1 only":     {tls.ClientHelloInfo{SupportedVersions: v12, SignatureSchemes: []tls.SignatureScheme{tls.PKCS1WithSHA1, tls.ECDSAWithSHA1}}, true},
		"1.2 SHA-1 and 224":  {tls.ClientHelloInfo{SupportedVersions: v12, SignatureSchemes: []tls.SignatureScheme{tls.PKCS1WithSHA1, 0x0301}}, true},
		"1.2 with SHA-256":   {tls.ClientHelloInfo{SupportedVersions: v12, SignatureSchemes: []tls.SignatureScheme{tls.PKCS1WithSHA1, tls.PKCS1WithSHA256}}, false},
		"1.1 without list":   {tls.ClientHelloInfo{SupportedVersions: []uint16{tls.VersionTLS11}}, false},
		"1.3 and no list":    {tls.ClientHelloInfo{SupportedVersions: []uint16{tls.VersionTLS13, tls.VersionTLS12}}, false},
		"no version at all?": {tls.ClientHelloInfo{}, false},
	} {
		if got := takesNoSignature(&c.hello); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
