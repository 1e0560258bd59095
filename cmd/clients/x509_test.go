package clients

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sampan/cmd/internal/testtls"
	"sampan/packet"
)

// x509Key is a product whose devices prove themselves by certificates.
const x509Key = "x509Product"

// mutual is a broker that asks for client certificates.
type mutual struct {
	*server
	tls       *testtls.Server
	authority *testtls.Authority
	port      string
}

func startMutual(t *testing.T) *mutual {
	t.Helper()
	m := &mutual{tls: testtls.NewServer(t), authority: testtls.NewAuthority(t, "Devices' Authority")}
	m.server = start(t, "--listen", "mqtts://127.0.0.1:0", "--cert", m.tls.CertFile, "--key", m.tls.KeyFile,
		"--client-ca", m.authority.File, "--crl", m.authority.Revoke())
	u, err := url.Parse(m.url(t, "mqtts"))
	if err != nil {
		t.Fatal(err)
	}
	m.port = u.Port()
	sampan(t, "product", "create", "--data", m.data, "--key", x509Key, "--auth", "x509")
	return m
}

// certified makes a device and a certificate that names it.
func (m *mutual) certified(t *testing.T, name string, notAfter time.Time) testtls.Client {
	t.Helper()
	sampan(t, "device", "create", x509Key, name, "--data", m.data)
	return m.authority.Issue(pkix.Name{OrganizationalUnit: []string{x509Key}, CommonName: name}, nil, notAfter)
}

// mosquittoSub is a command that subscribes to a topic of the device with a certificate.
func (m *mutual) mosquittoSub(c testtls.Client, name string, more ...string) *exec.Cmd {
	return exec.Command("mosquitto_sub", append([]string{"-h", "localhost", "-p", m.port, "--cafile", m.tls.CertFile,
		"--cert", c.CertFile, "--key", c.KeyFile, "-i", ".|securemode=2|", "-V", "mqttv311", "-t", "/" + x509Key + "/" + name + "/user/get",
		"-F", "message %t %p"}, more...)...)
}

func TestDevicesWithCertificates(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes; the binary in them has no race detector")
	}
	need(t, missingCommand("mosquitto_sub")())
	m := startMutual(t)

	// A device that knows nothing but its certificate is told its names.
	lamp := m.certified(t, "lamp1", time.Time{})
	told := run(t, m.mosquittoSub(lamp, "lamp1", "-C", "1"))
	told.out.wait(t, `message /ext/auth/identity/response {"productKey":"x509Product","deviceName":"lamp1"}`)
	told.end(t)

	refused := func(why string, c testtls.Client, name string, more ...string) {
		t.Helper()
		client := run(t, m.mosquittoSub(c, name, append([]string{"-C", "1", "-W", "20"}, more...)...))
		m.log.wait(t, why)
		client.command.Process.Kill()
		client.command.Wait()
	}
	// Its certificate does not let it in as another, and no password does.
	other := m.device(t, "lamp2")
	refused("rule=channel-identity", lamp, "lamp1", "-u", other.Username, "-P", other.Password)
	// A certificate that is out of date does not get through the handshake, and neither does a stranger's.
	refused("certificate has expired", m.certified(t, "late", time.Now().Add(-time.Hour)), "late")
	stranger := testtls.NewAuthority(t, "Devices' Authority").Issue(pkix.Name{OrganizationalUnit: []string{x509Key}, CommonName: "lamp1"}, nil, time.Time{})
	refused("failed to verify certificate", stranger, "lamp1")

	// A certificate from a chip's maker, which knows nothing of products, is bound to the device.
	sampan(t, "device", "create", x509Key, "lamp3", "--data", m.data)
	made := m.authority.Issue(pkix.Name{CommonName: "sn 0123EE"}, nil, time.Time{})
	refused("rule=bad-username", made, "lamp3")
	sampan(t, "device", "certificate", x509Key, "lamp3", made.CertFile, "--data", m.data)
	told = run(t, m.mosquittoSub(made, "lamp3", "-C", "1"))
	told.out.wait(t, `{"productKey":"x509Product","deviceName":"lamp3"}`)
	told.end(t)

	// A product that names another authority does not take this one's word, until it does again.
	elsewhere := testtls.NewAuthority(t, "Another Authority")
	sampan(t, "product", "authority", x509Key, elsewhere.File, "--data", m.data)
	refused("none of the authorities of that product", lamp, "lamp1")
	told = run(t, m.mosquittoSub(made, "lamp3", "-C", "1"))
	told.out.wait(t, `{"productKey":"x509Product","deviceName":"lamp3"}`) // bound, whoever has issued it
	told.end(t)
	sampan(t, "product", "authority", x509Key, elsewhere.File, m.authority.File, "--data", m.data)

	// Revoking cuts the connection that exists, and there is no other.
	stays := run(t, m.mosquittoSub(lamp, "lamp1"))
	stays.out.wait(t, "lamp1")
	m.authority.Revoke(lamp.Certificate)
	m.log.wait(t, "cut: the client's certificate is good no more")
	refused("certificate is revoked", lamp, "lamp1")
}

// The device's key is in a PKCS#11 token and never leaves it; GnuTLS asks the token for the signature of the
// handshake.
func TestADeviceWithItsKeyInAToken(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes; the binary in them has no race detector")
	}
	need(t, missingCommand("gnutls-cli", "softhsm2-util", "pkcs11-tool")())
	const module = "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(module); err != nil {
		need(t, module)
	}
	m := startMutual(t)
	token := newSoftToken(t, module)
	sampan(t, "device", "create", x509Key, "chip1", "--data", m.data)
	cert := m.authority.Issue(pkix.Name{OrganizationalUnit: []string{x509Key}, CommonName: "chip1"}, token.public, time.Time{})

	connect := packet.Connect{Level: packet.Level311, CleanSession: true, KeepAlive: 60, ClientID: []byte("chip|securemode=2|")}
	client := token.command("gnutls-cli", "--logfile", filepath.Join(t.TempDir(), "log"), "--provider", module, "--x509cafile", m.tls.CertFile,
		"--x509certfile", cert.CertFile, "--x509keyfile", "pkcs11:token=device;object=key;type=private?pin-value="+tokenPIN, "-p", m.port, "localhost")
	identity := packet.Publish{Topic: []byte("/ext/auth/identity/response"), Payload: []byte(`{"productKey":"x509Product","deviceName":"chip1"}`)}
	want := identity.AppendTo((&packet.Connack{}).AppendTo(nil))
	if got, stderr := converse(t, client, connect.AppendTo(nil), len(want)); !bytes.Equal(got, want) {
		t.Errorf("got %q\nwant %q\n%s", got, want, stderr)
	}
}

// converse gives a client something to send, and returns the first n bytes that it prints.
func converse(t *testing.T, client *exec.Cmd, send []byte, n int) (got []byte, stderr string) {
	t.Helper()
	var errs bytes.Buffer
	client.Stderr = &errs
	stdin, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { client.Process.Kill() })
	defer timer.Stop()
	stdin.Write(send) // if that fails, so does reading
	got = make([]byte, n)
	read, _ := io.ReadFull(stdout, got)
	client.Process.Kill()
	client.Wait()
	return got[:read], errs.String()
}

// softToken is a PKCS#11 token in software with one key.
type softToken struct {
	config string
	public any
}

const tokenPIN = "1234"

func newSoftToken(t *testing.T, module string) *softToken {
	t.Helper()
	dir := t.TempDir()
	s := &softToken{config: filepath.Join(dir, "softhsm2.conf")}
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.config, []byte("directories.tokendir = "+filepath.Join(dir, "tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "public")
	for _, args := range [][]string{
		{"softhsm2-util", "--init-token", "--free", "--label", "device", "--pin", tokenPIN, "--so-pin", tokenPIN},
		{"pkcs11-tool", "--module", module, "--login", "--pin", tokenPIN, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "key"},
		{"pkcs11-tool", "--module", module, "--read-object", "--type", "pubkey", "--id", "01", "--output-file", key},
	} {
		if out, err := s.command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	der, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if s.public, err = x509.ParsePKIXPublicKey(der); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *softToken) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "SOFTHSM2_CONF="+s.config)
	return c
}
