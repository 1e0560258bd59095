package tlsconf

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sampan/tlsconf/internal/interop"
)

const interopTimeout = 30 * time.Second

// visit runs a foreign client against the configuration and returns what the
// server saw and what the client printed. The server says "welcome".
func visit(t *testing.T, config *tls.Config, command func(port string) []string) (state tls.ConnectionState, output string, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, acceptErr := l.Accept()
		if acceptErr != nil {
			err = acceptErr
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(interopTimeout))
		server := tls.Server(conn, config)
		if err = server.Handshake(); err == nil {
			state = server.ConnectionState()
			server.Write([]byte("welcome\n"))
			server.CloseWrite()
		}
		io.Copy(io.Discard, conn) // until the client has gone
	}()
	args := command(strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ctx, cancel := context.WithTimeout(t.Context(), interopTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	out, _ := cmd.CombinedOutput()
	l.Close() // in case the client never came
	<-done
	return state, string(out), err
}

// offer is one version and suite of a foreign client.
type offer struct {
	version uint16
	suite   uint16
	name    string // the client's name of the suite
}

// opensslOffers are all that Debian's openssl can do with an RSA certificate
// and crypto/tls has; RC4 and Triple DES are not built into it.
func opensslOffers() (offers []offer) {
	below13 := []offer{
		{suite: tls.TLS_RSA_WITH_AES_128_CBC_SHA, name: "AES128-SHA"},
		{suite: tls.TLS_RSA_WITH_AES_256_CBC_SHA, name: "AES256-SHA"},
		{suite: tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, name: "ECDHE-RSA-AES128-SHA"},
		{suite: tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, name: "ECDHE-RSA-AES256-SHA"},
	}
	only12 := []offer{
		{suite: tls.TLS_RSA_WITH_AES_128_CBC_SHA256, name: "AES128-SHA256"},
		{suite: 0x003d, name: "AES256-SHA256"},
		{suite: tls.TLS_RSA_WITH_AES_128_GCM_SHA256, name: "AES128-GCM-SHA256"},
		{suite: tls.TLS_RSA_WITH_AES_256_GCM_SHA384, name: "AES256-GCM-SHA384"},
		{suite: tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, name: "ECDHE-RSA-AES128-SHA256"},
		{suite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, name: "ECDHE-RSA-AES128-GCM-SHA256"},
		{suite: tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, name: "ECDHE-RSA-AES256-GCM-SHA384"},
		{suite: tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, name: "ECDHE-RSA-CHACHA20-POLY1305"},
	}
	for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS12; v++ {
		for _, o := range below13 {
			offers = append(offers, offer{v, o.suite, o.name})
		}
	}
	for _, o := range only12 {
		offers = append(offers, offer{tls.VersionTLS12, o.suite, o.name})
	}
	for _, o := range []offer{
		{suite: tls.TLS_AES_128_GCM_SHA256, name: "TLS_AES_128_GCM_SHA256"},
		{suite: tls.TLS_AES_256_GCM_SHA384, name: "TLS_AES_256_GCM_SHA384"},
		{suite: tls.TLS_CHACHA20_POLY1305_SHA256, name: "TLS_CHACHA20_POLY1305_SHA256"},
	} {
		offers = append(offers, offer{tls.VersionTLS13, o.suite, o.name})
	}
	return offers
}

func (o offer) opensslArgs() []string {
	if o.version == tls.VersionTLS13 {
		return []string{"-tls1_3", "-ciphersuites", o.name}
	}
	flag := map[uint16]string{tls.VersionTLS10: "-tls1", tls.VersionTLS11: "-tls1_1", tls.VersionTLS12: "-tls1_2"}[o.version]
	return []string{flag, "-cipher", o.name + ":@SECLEVEL=0"}
}

func (o offer) allowedBy(p Policy) bool {
	least, highest := p.Versions()
	return o.version >= least && o.version <= highest && (o.version == tls.VersionTLS13 || slices.Contains(p.CipherSuites(), o.suite))
}

func TestOpenSSLAtEachVersionAndSuite(t *testing.T) {
	openssl := interop.Tool(t, "openssl", "openssl")
	site := newSite(t)
	for _, p := range Policies() {
		config := site.server(site.options(p)).Config()
		for _, o := range opensslOffers() {
			t.Run(fmt.Sprintf("%v/%s/%s", p, tls.VersionName(o.version), o.name), func(t *testing.T) {
				state, out, err := visit(t, config, func(port string) []string {
					return append([]string{openssl, "s_client", "-connect", "127.0.0.1:" + port, "-quiet", "-ign_eof",
						"-CAfile", site.path("ca.pem")}, o.opensslArgs()...)
				})
				if !o.allowedBy(p) {
					if err == nil {
						t.Errorf("let in with %s", tls.CipherSuiteName(state.CipherSuite))
					}
					return
				}
				if err != nil || state.Version != o.version || state.CipherSuite != o.suite || !strings.Contains(out, "welcome") {
					t.Errorf("%v, %s, %s\n%s", err, tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), out)
				}
			})
		}
	}
}

// RC4 and Triple DES, which only GnuTLS still has.
func TestGnuTLSWithBrokenCiphers(t *testing.T) {
	gnutls := interop.Tool(t, "gnutls-cli", "gnutls-bin")
	site := newSite(t)
	for _, p := range Policies() {
		config := site.server(site.options(p)).Config()
		for _, c := range []struct {
			suite    uint16
			priority string
		}{
			{tls.TLS_RSA_WITH_RC4_128_SHA, "+RSA:+ARCFOUR-128"},
			{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, "+RSA:+3DES-CBC"},
			{tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA, "+ECDHE-RSA:+ARCFOUR-128"},
			{tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, "+ECDHE-RSA:+3DES-CBC"},
		} {
			for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS12; v++ {
				t.Run(fmt.Sprintf("%v/%s/%s", p, tls.VersionName(v), tls.CipherSuiteName(c.suite)), func(t *testing.T) {
					version := map[uint16]string{tls.VersionTLS10: "1.0", tls.VersionTLS11: "1.1", tls.VersionTLS12: "1.2"}[v]
					state, out, err := visit(t, config, func(port string) []string {
						return []string{gnutls, "--port", port, "--insecure", "--priority",
							"NORMAL:-VERS-ALL:+VERS-TLS" + version + ":-KX-ALL:-CIPHER-ALL:" + c.priority, "127.0.0.1"}
					})
					if o := (offer{version: v, suite: c.suite}); !o.allowedBy(p) {
						if err == nil {
							t.Errorf("let in with %s", tls.CipherSuiteName(state.CipherSuite))
						}
					} else if err != nil || state.CipherSuite != c.suite || state.Version != v {
						t.Errorf("%v, %s\n%s", err, tls.CipherSuiteName(state.CipherSuite), out)
					}
				})
			}
		}
	}
}

// A client of TLS 1.2 that takes only SHA-1 signatures and prefers ECDHE is
// served by static RSA under the policies that have it.
func TestOpenSSLWithSHA1SignaturesOnly(t *testing.T) {
	openssl := interop.Tool(t, "openssl", "openssl")
	site := newSite(t)
	for _, p := range Policies() {
		// With an ECDSA certificate first, the RSA one must still be found.
		o := site.options(p)
		o.Certificates = append([]Certificate{{CertFile: site.path("ecdsa.pem"), KeyFile: site.path("ecdsa.key")}}, o.Certificates...)
		for name, config := range map[string]*tls.Config{"RSA": site.server(site.options(p)).Config(), "ECDSA and RSA": site.server(o).Config()} {
			state, out, err := visit(t, config, func(port string) []string {
				return []string{openssl, "s_client", "-connect", "127.0.0.1:" + port, "-quiet", "-ign_eof", "-tls1_2",
					"-sigalgs", "RSA+SHA1:ECDSA+SHA1", "-cipher", "ECDHE-RSA-AES128-SHA:AES128-SHA:@SECLEVEL=0"}
			})
			if p == Modern {
				if err == nil {
					t.Errorf("%v, %s: let in", p, name)
				}
				continue
			}
			if err != nil || state.CipherSuite != tls.TLS_RSA_WITH_AES_128_CBC_SHA || !strings.Contains(out, "welcome") {
				t.Errorf("%v, %s: %v, %s\n%s", p, name, err, tls.CipherSuiteName(state.CipherSuite), out)
			}
		}
	}
}

// What the platform's C SDK sends, by the list in the platform facts: TLS 1.2
// with these suites, signatures with SHA-512 to SHA-224.
func TestOpenSSLInThePlatformSDKsPlace(t *testing.T) {
	openssl := interop.Tool(t, "openssl", "openssl")
	site := newSite(t)
	for _, p := range Policies() {
		state, out, err := visit(t, site.server(site.options(p)).Config(), func(port string) []string {
			return []string{openssl, "s_client", "-connect", "127.0.0.1:" + port, "-quiet", "-ign_eof", "-tls1_2", "-noservername",
				"-sigalgs", "RSA+SHA512:RSA+SHA384:RSA+SHA256:RSA+SHA224",
				"-cipher", "AES256-SHA256:AES256-SHA:AES128-SHA256:AES128-SHA:@SECLEVEL=0"}
		})
		if p == Modern {
			if err == nil {
				t.Error("modern serves static RSA")
			}
			continue
		}
		if err != nil || !slices.Contains(staticRSA, state.CipherSuite) || !strings.Contains(out, "welcome") {
			t.Errorf("%v: %v, %s\n%s", p, err, tls.CipherSuiteName(state.CipherSuite), out)
		}
	}
}

func TestOpenSSLClientCertificates(t *testing.T) {
	openssl := interop.Tool(t, "openssl", "openssl")
	site, server := mutual(t, func(o *Options) { o.RequireClientCert, o.Policy = true, Platform })
	for _, name := range []string{"good", "revoked"} {
		cert := site.clientCertificate(name)
		site.write(name+".pem", certPEM(cert.Leaf))
		site.write(name+".key", keyPEM(t, cert.PrivateKey.(crypto.Signer)))
		if name == "revoked" {
			site.write("crl.pem", crlPEM(site.ca.crl(2, testNow, cert.Leaf)))
		}
	}
	if err := server.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"-tls1", "-tls1_1", "-tls1_2"} {
		with := func(name string) (tls.ConnectionState, string, error) {
			return visit(t, server.Config(), func(port string) []string {
				args := []string{openssl, "s_client", "-connect", "127.0.0.1:" + port, "-quiet", "-ign_eof", version, "-cipher", "ALL:@SECLEVEL=0"}
				if name != "" {
					args = append(args, "-cert", site.path(name+".pem"), "-key", site.path(name+".key"))
				}
				return args
			})
		}
		state, out, err := with("good")
		if id, ok := ClientIdentity(state); err != nil || !ok || id.CommonName != "good" || !strings.Contains(out, "welcome") {
			t.Errorf("%s: %v, %+v\n%s", version, err, id, out)
		}
		if _, _, err := with("revoked"); !errors.Is(err, ErrRevoked) {
			t.Errorf("%s: revoked: %v", version, err)
		}
		if _, _, err := with(""); err == nil {
			t.Errorf("%s: let in without a certificate", version)
		}
	}
}
