package server

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sampan/cmd/internal/logging"
	"sampan/tlsconf/psk"
)

var update = flag.Bool("update", false, "write the scan in docs/security.md anew")

// TestScanOfEveryPolicy does what a TLS scanner does, against listeners as `sampan serve` opens them: it offers
// every suite number there is, at each version, until nothing more is taken, and asks for what a server should
// not do. The table in docs/security.md is what it finds.
func TestScanOfEveryPolicy(t *testing.T) {
	if testing.Short() {
		t.Skip("some hundred handshakes")
	}
	dir := t.TempDir()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, filepath.Join(dir, "rsa"), rsaKey)
	writeCertificate(t, filepath.Join(dir, "ecdsa"), ecdsaKey)
	columns := []*findings{{name: "modern"}, {name: "platform"}, {name: "legacy"}, {name: "psk://"}}
	for _, column := range columns[:3] {
		for _, key := range []string{"rsa", "ecdsa"} {
			column.scan(t, listener(t, "mqtts://127.0.0.1:0", "--tls-policy", column.name,
				"--cert", filepath.Join(dir, key+".pem"), "--key", filepath.Join(dir, key+".key")))
		}
	}
	columns[3].scan(t, listener(t, "psk://127.0.0.1:0"))
	compare(t, render(columns))
}

// listener starts a broker with one listener and returns its address.
func listener(t *testing.T, url string, args ...string) string {
	t.Helper()
	s := parse(t, append(args, "--listen", url, "--data", t.TempDir(), "--api", "off", "--durability", "memory")...)
	srv, err := Start(s, logging.New(io.Discard, s.Logging))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
	})
	return srv.Listeners()[0].HostPort()
}

func writeCertificate(t *testing.T, path string, key crypto.Signer) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path+file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// findings are what a scan has found of one policy.
type findings struct {
	name   string
	suites map[uint16][]uint16 // the versions at which a suite is taken
	facts  map[string]string
}

const (
	ssl3         = 0x0300
	fallbackSCSV = 0x5600
	alertRecord  = 21
	helloRecord  = 22
)

// everySuite is every number that has ever been given to a suite, and many that have not.
func everySuite() (all []uint16) {
	for _, r := range [][2]uint16{{0x0000, 0x00fe}, {0x1300, 0x1310}, {0xc000, 0xc0ff}, {0xc100, 0xc110}, {0xcc00, 0xccff}, {0xd000, 0xd010}, {0xfef0, 0xfeff}} {
		for s := r[0]; s <= r[1]; s++ {
			all = append(all, s)
		}
	}
	return all
}

func (f *findings) scan(t *testing.T, addr string) {
	t.Helper()
	if f.suites == nil {
		f.suites, f.facts = map[uint16][]uint16{}, map[string]string{}
	}
	highest := uint16(0)
	for version := uint16(ssl3); version <= tls.VersionTLS13; version++ {
		for left := everySuite(); ; {
			a := ask(t, addr, question{version: version, suites: left})
			if !a.hello || a.version != version {
				break
			}
			highest = max(highest, version)
			if !slices.Contains(f.suites[a.suite], version) {
				f.suites[a.suite] = append(f.suites[a.suite], version)
			}
			before := len(left)
			if left = slices.DeleteFunc(left, func(s uint16) bool { return s == a.suite }); len(left) == before {
				t.Fatalf("%s: suite %#x was chosen, which was not offered", f.name, a.suite)
			}
		}
	}
	all := everySuite()
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	usual := ask(t, addr, question{version: tls.VersionTLS12, suites: all})
	f.facts["SSL 2.0 hello answered"] = yes(asks(t, addr, []byte("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80\x04\x00\x80\x05\x00\x80\x06\x00\x40\x07\x00\xc00123456789abcdef")).hello)
	f.facts["SSL 3.0"] = yes(ask(t, addr, question{version: ssl3, suites: all}).hello)
	f.facts["compression taken when offered"] = yes(ask(t, addr, question{version: tls.VersionTLS12, suites: all, compression: []byte{1, 0}}).compression != 0)
	f.facts["client that insists on compression served"] = yes(ask(t, addr, question{version: tls.VersionTLS12, suites: all, compression: []byte{1}}).hello)
	f.facts["extended master secret (RFC 7627)"] = yes(usual.extensions[23])
	f.facts["renegotiation indication (RFC 5746)"] = yes(usual.extensions[0xff01])
	f.facts["heartbeat"] = yes(usual.extensions[15])
	f.facts["session tickets in TLS 1.2"] = yes(usual.extensions[35])
	f.facts["encrypt-then-MAC for CBC (RFC 7366)"] = yes(ask(t, addr, question{version: tls.VersionTLS12, suites: []uint16{0x002f, 0x008c}}).extensions[22])
	// A client that has been made to come back with a lower version says so.
	lower := ask(t, addr, question{version: highest - 1, suites: append(all, fallbackSCSV)})
	f.facts["forced downgrade refused (RFC 7507)"] = yes(!lower.hello)
}

// question is a ClientHello.
type question struct {
	version     uint16
	suites      []uint16
	compression []byte // nil: none
}

// answer is what came back.
type answer struct {
	hello       bool // a ServerHello; otherwise an alert, or the end
	version     uint16
	suite       uint16
	compression byte
	extensions  map[uint16]bool
}

func ask(t *testing.T, addr string, q question) answer {
	t.Helper()
	if q.compression == nil {
		q.compression = []byte{0}
	}
	u16 := binary.BigEndian.AppendUint16
	list := func(size int, b []byte) []byte {
		if size == 1 {
			return append([]byte{byte(len(b))}, b...)
		}
		return append(u16(nil, uint16(len(b))), b...)
	}
	numbers := func(n ...uint16) (b []byte) {
		for _, x := range n {
			b = u16(b, x)
		}
		return b
	}
	var extensions []byte
	extension := func(id uint16, content []byte) {
		extensions = append(u16(extensions, id), list(2, content)...)
	}
	legacy := min(q.version, tls.VersionTLS12)
	if q.version > ssl3 {
		extension(10, list(2, numbers(29, 23, 24, 25)))                                                                                 // groups
		extension(11, list(1, []byte{0}))                                                                                               // points
		extension(13, list(2, numbers(0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201, 0x0807))) // signatures
		extension(15, []byte{1})                                                                                                        // heartbeat
		extension(22, nil)                                                                                                              // encrypt-then-MAC
		extension(23, nil)                                                                                                              // extended master secret
		extension(35, nil)                                                                                                              // ticket
		extension(0xff01, []byte{0})                                                                                                    // renegotiation
	}
	if q.version == tls.VersionTLS13 {
		extension(43, list(1, numbers(tls.VersionTLS13)))
		extension(51, list(2, nil)) // no key yet: the server asks for one, and has chosen by then
	}
	body := append(u16(nil, legacy), make([]byte, 32)...)
	body = append(body, 0) // no session
	body = append(body, list(2, numbers(q.suites...))...)
	body = append(body, list(1, q.compression)...)
	if len(extensions) > 0 {
		body = append(body, list(2, extensions)...)
	}
	message := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	return asks(t, addr, append([]byte{helloRecord, 3, byte(min(legacy, tls.VersionTLS10))}, list(2, message)...))
}

func asks(t *testing.T, addr string, bytes []byte) (a answer) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(bytes); err != nil {
		t.Fatal(err)
	}
	var head [5]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return a // closed without a word
	}
	b := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatal(err)
	}
	if head[0] == alertRecord {
		return a
	}
	const fixed = 4 + 2 + 32 + 1
	if head[0] != helloRecord || len(b) < fixed || b[0] != 2 {
		t.Fatalf("neither alert nor ServerHello: % x % x", head, b)
	}
	a.hello, a.version = true, binary.BigEndian.Uint16(b[4:])
	rest := b[fixed+int(b[fixed-1]):]
	a.suite, a.compression, rest = binary.BigEndian.Uint16(rest), rest[2], rest[3:]
	a.extensions = map[uint16]bool{}
	for rest = rest[min(2, len(rest)):]; len(rest) >= 4; {
		id, n := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if a.extensions[id] = true; id == 43 {
			a.version = binary.BigEndian.Uint16(rest[4:])
		}
		if rest = rest[min(4+n, len(rest)):]; 4+len(b)-len(rest) >= 4+int(b[2])<<8+int(b[3])+4 {
			break // the next message, in the same record
		}
	}
	return a
}

// render makes the table.
func render(columns []*findings) string {
	var b strings.Builder
	row := func(name string, cell func(f *findings) string) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", cell(c))
		}
		b.WriteByte('\n')
	}
	row("", func(f *findings) string { return f.name })
	b.WriteString("|---" + strings.Repeat("|---", len(columns)) + "|\n")
	var all []uint16
	for _, c := range columns {
		for s := range c.suites {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b uint16) int { return strings.Compare(suiteName(a), suiteName(b)) })
	for _, s := range all {
		row("`"+suiteName(s)+"`", func(f *findings) string {
			var words []string
			for _, v := range f.suites[s] {
				if word := strings.TrimPrefix(tls.VersionName(v), "TLS "); !slices.Contains(words, word) {
					words = append(words, word)
				}
			}
			slices.Sort(words)
			return strings.Join(words, ", ")
		})
	}
	row("any other suite", func(*findings) string { return "no" })
	var facts []string
	for fact := range columns[0].facts {
		facts = append(facts, fact)
	}
	slices.Sort(facts)
	for _, fact := range facts {
		row(fact, func(f *findings) string { return f.facts[fact] })
	}
	return b.String()
}

func suiteName(id uint16) string {
	if name := psk.CipherSuiteName(id); strings.HasPrefix(name, "TLS_") {
		return name
	}
	return tls.CipherSuiteName(id)
}

// compare holds the table against the one between two marks in docs/security.md.
func compare(t *testing.T, got string) {
	t.Helper()
	const file = "../../../docs/security.md"
	const begin, end = "<!-- scan: go test ./internal/server -run Scan -update, in cmd -->\n\n", "\n<!-- end of scan -->"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(content), begin)
	want, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the scan", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+got+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the scan differs from %s (-update writes it anew): (-want +got)\n%s", file, diff)
	}
}
