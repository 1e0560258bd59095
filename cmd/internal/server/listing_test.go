package server

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"sampan/cmd/internal/logging"
	"sampan/cmd/internal/testtls"
)

var (
	gaps = regexp.MustCompile(`  +`)
	port = regexp.MustCompile(`^([a-z]+://[0-9.]+):[0-9]+`)
)

// The table says of each listener what protects it and who may come in.
func TestListing(t *testing.T) {
	files := testtls.NewServer(t)
	socket := t.TempDir() + "/s"
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--profile=open", "--listen=mqtt://127.0.0.1:0", "--listen=unix://" + socket}, []string{
			"mqtt://127.0.0.1:PORT | plain TCP | low | none | this machine | anybody",
			"unix://" + socket + " | Unix socket | low | none | this machine | anybody",
		}},
		{[]string{"--listen=auto://127.0.0.1:0", "--listen=psk://127.0.0.1:0"}, []string{
			"auto://127.0.0.1:PORT | told apart by the first bytes | low,medium | TLS 1.2 | this machine | signed devices",
			"psk://127.0.0.1:PORT | TLS with pre-shared keys | medium | TLS 1.2 | this machine | signed devices",
		}},
		{[]string{"--cert=" + files.CertFile, "--key=" + files.KeyFile, "--tls-policy=platform", "--proxy-from=192.0.2.0/24",
			"--listen=mqtts://0.0.0.0:0", "--listen=auto://127.0.0.1:0?accept=tls,medium"}, []string{
			"mqtts://0.0.0.0:PORT | TLS | tls | platform | anywhere, and by proxies in 192.0.2.0/24 | signed devices",
			"auto://127.0.0.1:PORT | told apart by the first bytes | tls,medium | platform | this machine | signed devices",
		}},
		{[]string{"--profile=open", "--cert=" + files.CertFile, "--key=" + files.KeyFile, "--client-ca=" + files.CertFile,
			"--listen=wss://127.0.0.1:0?accept=high"}, []string{
			"wss://127.0.0.1:PORT | WebSocket over TLS | high | modern | this machine | anybody with a certificate",
		}},
	} {
		s := parse(t, append(c.args, "--durability=memory", "--data="+t.TempDir(), "--api=off", "--metrics=off")...)
		srv, err := Start(s, logging.New(new(log), s.Logging))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(srv.Listing(), "\n"), "\n")
		want := append([]string{"LISTENER | CHANNEL | LEVELS | TLS POLICY | FROM | WHO MAY COME IN"}, c.want...)
		if len(lines) != len(want) {
			t.Fatalf("%q", lines)
		}
		for i, line := range lines {
			if got := port.ReplaceAllString(gaps.ReplaceAllString(line, " | "), "$1:PORT"); got != want[i] {
				t.Errorf("line %d\n got %s\nwant %s", i, got, want[i])
			}
		}
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
