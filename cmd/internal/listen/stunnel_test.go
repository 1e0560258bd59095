package listen_test

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/cmd/internal/listen"
	"sampan/packet"
)

// stunnel starts one stunnel for one connection, and returns the end of it that is not stunnel's.
func stunnel(t *testing.T, config string) net.Conn {
	t.Helper()
	program := tool(t, "stunnel")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "stunnel.conf")
	// Without a service in brackets it serves the socket that it is started with.
	must(os.WriteFile(file, []byte("foreground = yes\nsyslog = no\npid =\ndebug = warning\n"+config), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	must(err)
	t.Cleanup(func() { near.Close() })
	far, err := l.Accept()
	must(err)
	defer far.Close()
	socket, err := far.(*net.TCPConn).File()
	must(err)
	defer socket.Close()
	command := exec.Command(program, file)
	var said bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = socket, socket, &said
	must(command.Start())
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
		if t.Failed() {
			t.Logf("stunnel said:\n%s", &said)
		}
	})
	return near
}

// A device that speaks nothing but plain MQTT comes through stunnel on its side, with the server's certificate checked
// or with a pre-shared key.
func TestClientsBehindStunnel(t *testing.T) {
	e := newEdge(t, broker.Options{}, listen.Options{}, "mqtts://127.0.0.1:0", "psk://127.0.0.1:0", "auto://127.0.0.1:0")
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte("me:"+hex.EncodeToString([]byte(sharedKey))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate := "CAfile = " + e.certificate + "\nverifyChain = yes\ncheckHost = localhost\n"
	keyed := "PSKsecrets = " + secrets + "\nPSKidentity = me\nciphers = PSK\nsslVersionMax = TLSv1.2\n"
	for _, c := range []struct{ name, url, config string }{
		{"certificate", "mqtts://127.0.0.1:0", certificate},
		{"certificate, any protocol", "auto://127.0.0.1:0", certificate + "sslVersionMax = TLSv1.2\n"},
		{"pre-shared key", "psk://127.0.0.1:0", keyed},
		{"pre-shared key, any protocol", "auto://127.0.0.1:0", keyed},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := e.urls[c.url]
			client := brokertest.NewClient(t, stunnel(t, "client = yes\nconnect = "+u.HostPort()+"\n"+c.config))
			client.Connect(c.name)
			client.Subscribe("through/stunnel", 0)
			m := brokertest.Publish("through/stunnel", string(make([]byte, 100_000)), 0, 0)
			client.Send(m)
			client.Expect(m)
			client.Disconnect()
		})
	}
}

// stunnel in front of the broker, which tells by a PROXY header where its clients are.
func TestBehindStunnel(t *testing.T) {
	e := newEdge(t, broker.Options{}, listen.Options{ProxyFrom: []netip.Prefix{netip.MustParsePrefix(local)}}, "auto://127.0.0.1:0")
	u := e.urls["auto://127.0.0.1:0"]
	below := stunnel(t, "cert = "+e.certificate+"\nkey = "+e.key+"\nprotocol = proxy\nconnect = "+u.HostPort()+"\n")
	conn := tls.Client(below, e.tls)
	if _, err := conn.Write(brokertest.ConnectPacket("behind stunnel").AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != byte(packet.TypeConnack)<<4 || answer[3] != 0 {
		t.Fatalf("% x, %v", answer, err)
	}
	if ev := e.Events.WaitFor(t, broker.Connected, "behind stunnel"); ev.Addr != below.LocalAddr().String() {
		t.Errorf("the client is at %s, and the broker says %s", below.LocalAddr(), ev.Addr)
	}
}
