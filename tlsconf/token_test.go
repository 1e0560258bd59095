package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"sampan/tlsconf/internal/interop"
)

// token is a PKCS#11 token in software, in a directory of the test.
type token struct {
	t              testing.TB
	module, config string
	tool           string
}

const tokenPIN = "1234"

func newToken(t testing.TB) *token {
	util := interop.Tool(t, "softhsm2-util", "softhsm2")
	k := &token{
		t:      t,
		tool:   interop.Tool(t, "pkcs11-tool", "opensc"),
		module: interop.File(t, "/usr/lib/softhsm/libsofthsm2.so", "softhsm2"),
	}
	dir := t.TempDir()
	k.config = dir + "/softhsm2.conf"
	os.Mkdir(dir+"/tokens", 0o700)
	if err := os.WriteFile(k.config, []byte("directories.tokendir = "+dir+"/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.run(nil, util, "--init-token", "--free", "--label", "test", "--pin", tokenPIN, "--so-pin", tokenPIN)
	return k
}

func (k *token) run(stdin []byte, program string, args ...string) []byte {
	out, err := k.try(stdin, program, args...)
	if err != nil {
		k.t.Helper()
		k.t.Fatal(err)
	}
	return out
}

func (k *token) try(stdin []byte, program string, args ...string) ([]byte, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+k.config)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w\n%s", program, args, err, stderr.Bytes())
	}
	return out, nil
}

// generate makes a key that never leaves the token.
func (k *token) generate(id string) *tokenKey {
	k.t.Helper()
	k.run(nil, k.tool, "--module", k.module, "--login", "--pin", tokenPIN, "--keypairgen", "--key-type", "EC:prime256v1", "--id", id, "--label", "key"+id)
	file := k.t.TempDir() + "/public"
	k.run(nil, k.tool, "--module", k.module, "--read-object", "--type", "pubkey", "--id", id, "--output-file", file)
	der, err := os.ReadFile(file)
	if err != nil {
		k.t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		k.t.Fatal(err)
	}
	return &tokenKey{k, id, public}
}

// tokenKey is a crypto.Signer by way of the token's own tool. A server in
// earnest would load the module; that needs cgo, which these rooms do without.
type tokenKey struct {
	token  *token
	id     string
	public crypto.PublicKey
}

func (k *tokenKey) Public() crypto.PublicKey { return k.public }

func (k *tokenKey) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return k.token.try(digest, k.token.tool, "--module", k.token.module, "--login", "--pin", tokenPIN,
		"--sign", "--mechanism", "ECDSA", "--signature-format", "openssl", "--id", k.id)
}

// Server and device both have their keys in a token; neither key is ever in a
// file or in this process.
func TestKeysInAPKCS11Token(t *testing.T) {
	token := newToken(t)
	site := newSite(t)
	serverKey, deviceKey := token.generate("01"), token.generate("02")
	site.write("token.pem", certPEM(site.ca.issue("server in a token", serverKey.Public())))
	device := site.ca.issue("device in a token", deviceKey.Public())
	o := site.options(Modern)
	o.Certificates = []Certificate{{CertFile: site.path("token.pem"), Signer: serverKey}}
	o.ClientCAFile, o.RequireClientCert = site.path("ca.pem"), true
	server := site.server(o)
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cert := tls.Certificate{Certificate: [][]byte{device.Raw}, PrivateKey: deviceKey}
		client, state, clientErr, serverErr := shake(site.client(withCertificate(cert), maxVersion(v)), server.Config())
		if clientErr != nil || serverErr != nil {
			t.Fatal(clientErr, serverErr)
		}
		if id, ok := ClientIdentity(state); !ok || id.CommonName != "device in a token" || client.PeerCertificates[0].Subject.CommonName != "server in a token" {
			t.Errorf("%+v", id)
		}
	}
	// The other key's certificate does not fit.
	o.Certificates[0].Signer = deviceKey
	if _, err := New(o); err == nil {
		t.Error("a certificate of another key was accepted")
	}
}
