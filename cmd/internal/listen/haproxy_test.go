package listen_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/cmd/internal/listen"
)

// tool finds a foreign program, or skips the test. With SAMPAN_REQUIRE_TOOLS=1 it fails the test instead.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("SAMPAN_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip("no " + name + " here")
	}
	return path
}

// HAProxy, whose protocol it is, in front of the broker, with headers of both versions.
func TestBehindHAProxy(t *testing.T) {
	haproxy := tool(t, "haproxy")
	e := newEdge(t, broker.Options{}, listen.Options{ProxyFrom: []netip.Prefix{netip.MustParsePrefix(local)}}, "auto://127.0.0.1:0")
	behind := e.urls["auto://127.0.0.1:0"]
	config := "global\n  log stderr format raw local0\ndefaults\n  mode tcp\n  timeout connect 20s\n  timeout client 60s\n  timeout server 60s\n"
	var files []*os.File
	var addrs []string
	for i, word := range []string{"send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"} {
		l, err := net.Listen("tcp", "127.0.0.1:0") // HAProxy takes it over
		if err != nil {
			t.Fatal(err)
		}
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		addrs, files = append(addrs, l.Addr().String()), append(files, file)
		l.Close()
		defer file.Close()
		config += fmt.Sprintf("listen l%d\n  bind fd@%d\n  server broker %s %s\n", i, 3+i, behind.HostPort(), word)
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, haproxy, "-db", "-f", path)
	var said bytes.Buffer
	command.ExtraFiles, command.Stderr = files, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		command.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	for i, addr := range addrs {
		conn, err := net.Dial("tcp", addr) // waits in the kernel's queue until HAProxy is there
		if err != nil {
			t.Fatal(err)
		}
		client := brokertest.NewClient(t, conn)
		name := fmt.Sprint("client", i)
		client.Connect(name)
		client.Sync()
		if ev := e.Events.WaitFor(t, broker.Connected, name); ev.Addr != conn.LocalAddr().String() {
			t.Errorf("by %s the client at %s is seen at %s", addr, conn.LocalAddr(), ev.Addr)
		}
	}
}
