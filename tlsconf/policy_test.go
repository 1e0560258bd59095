package tlsconf

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
)

func TestPolicyNames(t *testing.T) {
	for _, p := range Policies() {
		got, err := ParsePolicy(p.String())
		if err != nil || got != p {
			t.Errorf("%v: %v, %v", p, got, err)
		}
		if (p.Warning() == "") != (p == Modern) {
			t.Errorf("%v warns %q", p, p.Warning())
		}
		if p != Modern && !strings.Contains(p.Warning(), p.String()) {
			t.Errorf("%v: the warning does not name it: %q", p, p.Warning())
		}
	}
	for _, name := range []string{"", "Modern", "tls13", "modern "} {
		if _, err := ParsePolicy(name); err == nil {
			t.Errorf("%q is a policy", name)
		}
	}
	if got := Policy(9).String(); got != "policy(9)" {
		t.Error(got)
	}
}

// What the platform's C SDK offers and crypto/tls has.
func TestPlatformHasTheSDKsSuites(t *testing.T) {
	for _, p := range []Policy{Platform, Legacy} {
		for _, id := range []uint16{0x003c, 0x0035, 0x002f} {
			if !slices.Contains(p.CipherSuites(), id) {
				t.Errorf("%v lacks %#04x", p, id)
			}
		}
	}
}

// Every suite the standard library has is in exactly the policies it belongs
// to; one that a new version of Go brings must be sorted in.
func TestEverySuiteIsSorted(t *testing.T) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			continue
		}
		broken := strings.Contains(s.Name, "RC4") || strings.Contains(s.Name, "3DES")
		aead := strings.Contains(s.Name, "GCM") || strings.Contains(s.Name, "POLY1305")
		want := map[Policy]bool{
			Modern:   aead && strings.Contains(s.Name, "ECDHE"),
			Platform: !broken,
			Legacy:   true,
		}
		for p, in := range want {
			if slices.Contains(p.CipherSuites(), s.ID) != in {
				t.Errorf("%s in %v: want %v", s.Name, p, in)
			}
		}
	}
	// What is handed out is the caller's.
	Modern.CipherSuites()[0] = 0
	if Modern.CipherSuites()[0] == 0 {
		t.Error("the policy's own list was handed out")
	}
}

// Every version and suite against every policy, by crypto/tls on both sides
// and under each setting of GODEBUG that touches it: none makes a difference.
func TestPolicyNeedsNoDebugSettings(t *testing.T) {
	site := newSite(t)
	for _, debug := range []string{
		"", "tls10server=0,tlsrsakex=0,tls3des=0,tlssha1=0", "tls10server=1,tlsrsakex=1,tls3des=1,tlssha1=1",
	} {
		t.Setenv("GODEBUG", debug)
		// The control: without a policy, the setting decides.
		plain := &tls.Config{Certificates: site.server(site.options(Modern)).Snapshot().config.Certificates, Time: site.clock}
		_, _, clientErr, _ := shake(site.client(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		}), plain)
		if got, want := clientErr == nil, strings.Contains(debug, "tlsrsakex=1"); got != want {
			t.Errorf("GODEBUG=%q does not work here: %v", debug, clientErr)
		}
		for _, p := range Policies() {
			least, highest := p.Versions()
			server := site.server(site.options(p)).Config()
			for version := uint16(tls.VersionTLS10); version <= tls.VersionTLS13; version++ {
				for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
					if !slices.Contains(suite.SupportedVersions, version) || strings.Contains(suite.Name, "ECDSA") {
						continue
					}
					want := version >= least && version <= highest && (version == tls.VersionTLS13 || slices.Contains(p.CipherSuites(), suite.ID))
					state, _, clientErr, serverErr := shake(site.client(func(c *tls.Config) {
						c.MinVersion, c.MaxVersion, c.CipherSuites = version, version, []uint16{suite.ID}
					}), server)
					got := clientErr == nil && serverErr == nil
					if got != want {
						t.Errorf("GODEBUG=%q policy %v, %s with %s: connected %v, want %v (client %v, server %v)",
							debug, p, tls.VersionName(version), suite.Name, got, want, clientErr, serverErr)
					}
					if got && (state.Version != version || version != tls.VersionTLS13 && state.CipherSuite != suite.ID) {
						t.Errorf("%s %s became %s %s", tls.VersionName(version), suite.Name, tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
					}
				}
			}
		}
	}
}

// A client that can do better is not held back by a policy that allows worse.
func TestBestIsChosen(t *testing.T) {
	site := newSite(t)
	for _, p := range Policies() {
		state, _, clientErr, _ := shake(site.client(), site.server(site.options(p)).Config())
		if clientErr != nil {
			t.Fatal(clientErr)
		}
		_, highest := p.Versions()
		if state.Version != highest {
			t.Errorf("%v: %s", p, tls.VersionName(state.Version))
		}
		if name := tls.CipherSuiteName(state.CipherSuite); highest == tls.VersionTLS12 && !strings.Contains(name, "ECDHE_RSA_WITH_AES_128_GCM") {
			t.Errorf("%v: %s", p, name)
		}
	}
}
