package tlsconf

import (
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/scan.txt anew")

// TestScan tries every version and suite that crypto/tls has against a server
// of each policy, with an RSA and an ECDSA certificate, and compares what gets
// in with testdata/scan.txt. The file is for people too: it is what a scanner
// finds.
func TestScan(t *testing.T) {
	site := newSite(t)
	servers := map[Policy]*tls.Config{}
	for _, p := range Policies() {
		o := site.options(p)
		o.Certificates = append(o.Certificates, Certificate{CertFile: site.path("ecdsa.pem"), KeyFile: site.path("ecdsa.key")})
		servers[p] = site.server(o).Config()
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-49s", "accepted under policy")
	for _, p := range Policies() {
		fmt.Fprintf(&table, " %-9v", p)
	}
	table.WriteByte('\n')
	for version := uint16(tls.VersionTLS13); version >= tls.VersionTLS10; version-- {
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if !slices.Contains(suite.SupportedVersions, version) {
				continue
			}
			fmt.Fprintf(&table, "%-7s %-41s", tls.VersionName(version), strings.TrimPrefix(suite.Name, "TLS_"))
			for _, p := range Policies() {
				state, _, clientErr, serverErr := shake(site.client(func(c *tls.Config) {
					c.MinVersion, c.MaxVersion, c.CipherSuites = version, version, []uint16{suite.ID}
				}), servers[p])
				answer := "-"
				if clientErr == nil && serverErr == nil && state.Version == version {
					answer = "yes"
				}
				fmt.Fprintf(&table, " %-9s", answer)
			}
			table.WriteByte('\n')
		}
	}
	got := strings.ReplaceAll(table.String(), " \n", "\n")
	for strings.Contains(got, " \n") {
		got = strings.ReplaceAll(got, " \n", "\n")
	}
	const file = "testdata/scan.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the scan differs from %s (-update writes it anew):\n%s", file, got)
	}
}
