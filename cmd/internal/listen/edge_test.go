package listen_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/cmd/internal/address"
	"sampan/cmd/internal/listen"
	"sampan/cmd/internal/testtls"
	"sampan/packet"
	"sampan/tlsconf/proxyproto"
	"sampan/tlsconf/psk"
)

// edge is a broker with listeners whose time the test moves.
type edge struct {
	*brokertest.Broker
	urls map[string]address.URL // by the URL asked for
	tls  *tls.Config            // a client's
	psk  *psk.Config            // a client's

	certificate, key string // files of the server

	handshakes atomic.Int64 // begun by clients: hellos with TLS, identities with pre-shared keys
}

// sharedKey is the pre-shared key, as long as stunnel wants it.
const sharedKey = "shared by a test"

// newEdge serves each URL.
func newEdge(t *testing.T, o broker.Options, lo listen.Options, urls ...string) *edge {
	t.Helper()
	server := testtls.NewServer(t)
	o.Profile = broker.Open
	e := &edge{Broker: brokertest.Start(t, o), urls: map[string]address.URL{},
		tls: &tls.Config{RootCAs: server.Roots, ServerName: "localhost"}, psk: &psk.Config{Identity: []byte("me"), PSK: []byte(sharedKey)}, certificate: server.CertFile, key: server.KeyFile}
	lo.TLS = &tls.Config{Certificates: []tls.Certificate{server.Certificate},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { e.handshakes.Add(1); return nil, nil }}
	lo.PSK = &psk.Config{Key: func(_ context.Context, identity []byte) ([]byte, bool) {
		e.handshakes.Add(1)
		return []byte(sharedKey), string(identity) == "me"
	}}
	for _, text := range urls {
		u, err := address.ParseListener(text)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := listen.Open(u, lo)
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- e.Serve(ln) }() // ends with the broker
		t.Cleanup(func() {
			e.Shutdown(context.Background())
			if err := <-served; !errors.Is(err, broker.ErrClosed) {
				t.Error(err)
			}
		})
		e.urls[text] = ln.URL()
	}
	return e
}

func (e *edge) dial(t *testing.T, url string) net.Conn {
	t.Helper()
	u := e.urls[url]
	conn, err := net.Dial(u.Network(), u.HostPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const local = "127.0.0.0/8"

func header(version int, source string) []byte {
	return proxyproto.Header{Version: version, Source: netip.MustParseAddrPort(source), Destination: netip.MustParseAddrPort("192.0.2.1:1883")}.AppendTo(nil)
}

// Behind a proxy a client is where the proxy says, on every channel: in events, logs and limits.
func TestProxiedClientsHaveTheirOwnAddress(t *testing.T) {
	seen := make(chan broker.Channel, 1)
	e := newEdge(t, broker.Options{MaxConnectionsPerAddress: 1, Exempt: []netip.Prefix{netip.MustParsePrefix(local)},
		Authenticator: broker.AuthenticatorFunc(func(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
			seen <- r.Channel
			return &broker.Principal{Key: r.ClientID}, nil
		})}, listen.Options{ProxyFrom: []netip.Prefix{netip.MustParsePrefix(local)}},
		"mqtt://127.0.0.1:0", "auto://127.0.0.1:0", "mqtts://127.0.0.1:0", "psk://127.0.0.1:0")
	for i, c := range []struct {
		url, source string
		version     int
		wrap        func(net.Conn) net.Conn
		security    broker.Security
	}{
		{"mqtt://127.0.0.1:0", "198.51.100.1:1", 1, nil, broker.Plain},
		{"mqtt://127.0.0.1:0", "[2001:db8::1]:2", 2, nil, broker.Plain},
		{"auto://127.0.0.1:0", "198.51.100.3:3", 2, nil, broker.Plain},
		{"auto://127.0.0.1:0", "198.51.100.4:4", 1, func(c net.Conn) net.Conn { return tls.Client(c, e.tls) }, broker.TLS},
		{"mqtts://127.0.0.1:0", "198.51.100.5:5", 2, func(c net.Conn) net.Conn { return tls.Client(c, e.tls) }, broker.TLS},
		{"psk://127.0.0.1:0", "198.51.100.6:6", 2, func(c net.Conn) net.Conn { return psk.Client(c, e.psk) }, broker.PSK},
	} {
		conn := e.dial(t, c.url)
		conn.Write(header(c.version, c.source))
		if c.wrap != nil {
			conn = c.wrap(conn)
		}
		client := brokertest.NewClient(t, conn)
		client.Connect(c.source)
		client.Sync()
		channel := <-seen
		if channel.Remote.String() != c.source || channel.Local.String() != "192.0.2.1:1883" || channel.Security != c.security {
			t.Errorf("%s by %s: channel %+v", c.source, c.url, channel)
		}
		if ev := e.Events.WaitFor(t, broker.Connected, c.source); ev.Addr != c.source {
			t.Errorf("%s by %s: event %+v", c.source, c.url, ev)
		}
		if n := e.Stats().Connections; n != int64(i)+1 {
			t.Errorf("%d connections", n)
		}
	}
	// The same address once more, with another port.
	conn := e.dial(t, "mqtt://127.0.0.1:0")
	conn.Write(header(2, "198.51.100.1:9"))
	brokertest.NewClient(t, conn).ExpectClosed()
	ev := e.Events.WaitFor(t, broker.Refused, "")
	if ev.Reason != broker.AddressLimit || ev.Rule != "max-connections-per-address" || ev.Addr != "198.51.100.1:9" {
		t.Errorf("event %+v", ev)
	}
	// A proxy that speaks for itself is where it is.
	conn = e.dial(t, "mqtt://127.0.0.1:0")
	conn.Write(proxyproto.Header{}.AppendTo(nil))
	brokertest.NewClient(t, conn).Connect("check")
	if channel := <-seen; channel.Remote.String() != conn.LocalAddr().String() {
		t.Errorf("a health check comes from %v", channel.Remote)
	}
}

// Who may send a header must, and nobody else may.
func TestWrongProxyHeaders(t *testing.T) {
	named := []netip.Prefix{netip.MustParsePrefix(local)}
	elsewhere := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::1/128")}
	connect := brokertest.ConnectPacket("c").AppendTo(nil)
	for _, c := range []struct {
		name     string
		networks []netip.Prefix
		sent     []byte
		reason   broker.Reason
		explains string
	}{
		{"no header", named, connect, broker.HandshakeFailed, "there is no header"},
		{"not a port", named, []byte("PROXY TCP4 192.0.2.1 192.0.2.2 x 1\r\n"), broker.HandshakeFailed, `"x" is no port`},
		{"too long", named, append([]byte("PROXY UNKNOWN "), bytes.Repeat([]byte{'x'}, 200)...), broker.HandshakeFailed, "longer than 107 bytes"},
		{"two headers", named, append(header(1, "192.0.2.9:1"), header(2, "192.0.2.8:1")...), broker.ProtocolViolation, ""},
		{"version 1 from elsewhere", elsewhere, header(1, "192.0.2.9:1"), broker.HandshakeFailed, "in none of the networks of proxy-from"},
		{"version 2 from elsewhere", elsewhere, header(2, "192.0.2.9:1"), broker.HandshakeFailed, "in none of the networks of proxy-from"},
		{"nobody is named", nil, header(2, "192.0.2.9:1"), broker.ProtocolViolation, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEdge(t, broker.Options{}, listen.Options{ProxyFrom: c.networks}, "mqtt://127.0.0.1:0")
			conn := e.dial(t, "mqtt://127.0.0.1:0")
			conn.Write(c.sent)
			brokertest.NewClient(t, conn).ExpectClosed()
			ev := e.Events.WaitFor(t, broker.Refused, "")
			if ev.Reason != c.reason || !strings.Contains(ev.Detail, c.explains) {
				t.Errorf("event %+v", ev)
			}
			eventually(t, "a log line", func() bool { return len(e.Log.Lines("refused", "reason="+c.reason.String())) == 1 })
			if c.explains == "in none of the networks of proxy-from" {
				conn := e.dial(t, "mqtt://127.0.0.1:0") // without a header all is well
				brokertest.NewClient(t, conn).Connect("direct")
			}
		})
	}
}

// A listener lets in the levels that it names. The others are closed, with the reason in the log.
func TestListenersAcceptLevels(t *testing.T) {
	e := newEdge(t, broker.Options{}, listen.Options{}, "auto://127.0.0.1:0?accept=tls", "auto://127.0.0.1:0?accept=medium,low", "mqtts://127.0.0.1:0?accept=high")
	plain := func(c net.Conn) net.Conn { return c }
	overTLS := func(c net.Conn) net.Conn { return tls.Client(c, e.tls) }
	overPSK := func(c net.Conn) net.Conn { return psk.Client(c, e.psk) }
	for _, c := range []struct {
		url     string
		wrap    func(net.Conn) net.Conn
		refused string
	}{
		{"auto://127.0.0.1:0?accept=tls", overTLS, ""},
		{"auto://127.0.0.1:0?accept=tls", plain, "the listener accepts tls, and the client's channel is low"},
		{"auto://127.0.0.1:0?accept=tls", overPSK, "the listener accepts tls, and the client's channel is medium"},
		{"auto://127.0.0.1:0?accept=medium,low", overTLS, "the listener accepts medium,low, and the client's channel is tls"},
		{"auto://127.0.0.1:0?accept=medium,low", overPSK, ""},
		{"auto://127.0.0.1:0?accept=medium,low", plain, ""},
		{"mqtts://127.0.0.1:0?accept=high", overTLS, "the listener accepts high, and the client's channel is tls"},
	} {
		before := len(e.Events.Of(broker.Refused))
		client := brokertest.NewClient(t, c.wrap(e.dial(t, c.url)))
		if c.refused == "" {
			client.Connect("c")
			client.Disconnect()
			continue
		}
		client.TrySend(brokertest.ConnectPacket("c"))
		client.ExpectClosed()
		e.Events.Wait(t, c.refused, func(ev broker.Event) bool { return ev.Kind == broker.Refused && ev.Detail == c.refused })
		if after := len(e.Events.Of(broker.Refused)); after != before+1 {
			t.Errorf("%d refusals", after-before)
		}
	}
}

// A socket that the process was started with must be where the listener's address says.
func TestInheritedListeners(t *testing.T) {
	path := t.TempDir() + "/s"
	for _, c := range []struct{ network, at, url, explains string }{
		{"tcp", "127.0.0.1:0", "mqtt://127.0.0.1:0?socket=a", ""},
		{"tcp", "127.0.0.1:0", "mqtt://localhost:0?socket=a", ""},
		{"tcp", "127.0.0.1:0", "mqtts://:0?socket=a", ""},
		{"unix", path, "unix://?socket=a", ""},
		{"unix", path, "chip://" + path + "?socket=a", ""},
		{"tcp", "127.0.0.1:0", "mqtt://127.0.0.2:0?socket=a", "the socket a is at 127.0.0.1:"},
		{"tcp", "127.0.0.1:0", "mqtt://127.0.0.1:1?socket=a", "the socket a is at 127.0.0.1:"},
		{"tcp", "127.0.0.1:0", "unix://?socket=a", "the socket a is at 127.0.0.1:"},
		{"unix", path, "mqtt://?socket=a", "the socket a is at " + path},
		{"unix", path, "unix:///elsewhere?socket=a", "the socket a is at " + path},
		{"tcp", "127.0.0.1:0", "mqtt://:0?socket=b", "no such socket"},
	} {
		given, err := net.Listen(c.network, c.at)
		if err != nil {
			t.Fatal(err)
		}
		u, err := address.ParseListener(c.url)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := listen.Open(u, listen.Options{TLS: &tls.Config{}, Inherited: func(name string) (net.Listener, error) {
			if name != "a" {
				return nil, errors.New("no such socket")
			}
			return given, nil
		}})
		switch {
		case c.explains != "" && (err == nil || !strings.Contains(err.Error(), c.explains)):
			t.Errorf("%s for a socket at %s: %v, want an error that says %q", c.url, given.Addr(), err, c.explains)
		case c.explains == "" && err != nil:
			t.Errorf("%s for a socket at %s: %v", c.url, given.Addr(), err)
		case c.explains == "" && (ln.Addr() != given.Addr() || ln.URL().HostPort() == "" || len(ln.URL().Query) > 0):
			t.Errorf("%s for a socket at %s is %s", c.url, given.Addr(), ln.URL())
		}
		given.Close()
	}
}

// What a client wraps around its CONNECT is bounded, and no longer once CONNECT was accepted.
func TestUnauthenticatedBytes(t *testing.T) {
	e := newEdge(t, broker.Options{}, listen.Options{UnauthenticatedBytes: 8 << 10}, "ws://127.0.0.1:0")
	upgrade := func() net.Conn {
		conn := e.dial(t, "ws://127.0.0.1:0")
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
		r := bufio.NewReader(conn)
		for line := "x"; line != "\r\n"; {
			var err error
			if line, err = r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		return conn
	}
	pong := append([]byte{0x8a, 0x80 | 100, 0, 0, 0, 0}, make([]byte, 100)...) // unasked, masked with zeros
	connect := brokertest.ConnectPacket("c").AppendTo(nil)
	frame := append([]byte{0x82, 0x80 | byte(len(connect)), 0, 0, 0, 0}, connect...)

	flood := upgrade()
	go func() { // ends when the broker closes
		for {
			if _, err := flood.Write(pong); err != nil {
				return
			}
		}
	}()
	ev := e.Events.WaitFor(t, broker.Refused, "")
	if ev.Reason != broker.HandshakeFailed || !strings.Contains(ev.Detail, "more than 8192 bytes before CONNECT was accepted") {
		t.Errorf("event %+v", ev)
	}
	good := upgrade()
	good.Write(frame)
	good.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer := make([]byte, 2+4)
	if _, err := io.ReadFull(good, answer); err != nil || !bytes.Equal(answer[2:], (&packet.Connack{}).AppendTo(nil)) {
		t.Fatalf("% x, %v", answer, err)
	}
	for range 1000 {
		good.Write(pong)
	}
	ping := packet.AppendPingreq(nil)
	good.Write(append([]byte{0x82, 0x80 | byte(len(ping)), 0, 0, 0, 0}, ping...))
	if _, err := io.ReadFull(good, answer[:4]); err != nil {
		t.Errorf("after 100 KB: %v", err)
	}
}

// A refusal reaches a client that has already sent much more, whatever is wrapped around it: the connection is not reset
// over it.
func TestARefusalIsNotReset(t *testing.T) {
	e := newEdge(t, broker.Options{Authenticator: broker.AuthenticatorFunc(func(context.Context, *broker.ConnectRequest) (*broker.Principal, error) {
		return nil, &broker.Refusal{Code: packet.RefusedNotAuthorized, Rule: "no"}
	})}, listen.Options{}, "mqtt://127.0.0.1:0", "auto://127.0.0.1:0", "mqtts://127.0.0.1:0", "psk://127.0.0.1:0")
	overTLS := func(c net.Conn) net.Conn { return tls.Client(c, e.tls) }
	overPSK := func(c net.Conn) net.Conn { return psk.Client(c, e.psk) }
	for _, c := range []struct {
		url  string
		wrap func(net.Conn) net.Conn
	}{
		{"mqtt://127.0.0.1:0", nil},
		{"auto://127.0.0.1:0", nil},
		{"mqtts://127.0.0.1:0", overTLS},
		{"auto://127.0.0.1:0", overTLS},
		{"psk://127.0.0.1:0", overPSK},
		{"auto://127.0.0.1:0", overPSK},
	} {
		for range 20 {
			below := e.dial(t, c.url)
			conn := below
			if c.wrap != nil {
				conn = c.wrap(below)
			}
			below.SetDeadline(time.Now().Add(brokertest.Patience))
			much := append(brokertest.ConnectPacket("c").AppendTo(nil), bytes.Repeat([]byte{0x30, 3, 0, 1, 'a'}, 4<<10)...)
			if _, err := conn.Write(much); err != nil {
				t.Fatalf("%s: %v", c.url, err)
			}
			connack := packet.Connack{Code: packet.RefusedNotAuthorized}
			if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, connack.AppendTo(nil)) {
				t.Fatalf("%s: got % x, %v", c.url, got, err)
			}
			below.(*net.TCPConn).CloseWrite() // the broker need not wait for more
			if _, err := io.Copy(io.Discard, below); err != nil {
				t.Fatalf("%s: %v", c.url, err)
			}
			conn.Close()
		}
	}
}

// What a stranger sends is told in the log in a few words, however long it is.
func TestALongRequestIsNotALongLine(t *testing.T) {
	const longest = 2 << 10
	e := newEdge(t, broker.Options{}, listen.Options{UnauthenticatedBytes: 64 << 10}, "ws://127.0.0.1:0/mqtt")
	for i, c := range []struct{ sent, explains string }{
		{"GET /" + strings.Repeat("%00", 4000) + " HTTP/1.1\r\nHost: x\r\n\r\n", "there is no WebSocket at /"},
		{"GET /" + strings.Repeat("é", 6000) + " HTTP/1.1\r\nHost: x\r\n\r\n", "there is no WebSocket at /é"},
		{strings.Repeat("\x01", 12000) + "\r\nHost: x\r\n\r\n", "malformed HTTP request"},
		{"GET /mqtt HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: mqtt\r\nConnection: " + strings.Repeat("\x80", 12000) + "\r\n\r\n", "Connection header"},
	} {
		conn := e.dial(t, "ws://127.0.0.1:0/mqtt")
		io.WriteString(conn, c.sent)
		io.Copy(io.Discard, conn)
		eventually(t, "a log line", func() bool { return len(e.Log.Lines("refused")) == i+1 })
		ev := e.Events.Of(broker.Refused)[i]
		if line := e.Log.Lines("refused")[i]; len(line) > longest || ev.Reason != broker.HandshakeFailed || !strings.Contains(ev.Detail, c.explains) {
			t.Errorf("a line of %d bytes: %.300s", len(line), line)
		}
	}
}

// A client that would take a certificate or a pre-shared key gets the key where there is no certificate.
func TestAutoWithoutACertificateTakesTheKey(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not there")
	}
	seen := make(chan broker.Channel, 1)
	u := serve(t, "auto://127.0.0.1:0", listen.Options{PSK: &psk.Config{Key: func(_ context.Context, identity []byte) ([]byte, bool) {
		return []byte(sharedKey), string(identity) == "me"
	}}}, seen)
	ctx, cancel := context.WithTimeout(t.Context(), brokertest.Patience)
	defer cancel()
	client := exec.CommandContext(ctx, openssl, "s_client", "-connect", u.HostPort(), "-quiet", "-no_ign_eof", "-tls1_2", "-cipher", "ALL:@SECLEVEL=0",
		"-psk_identity", "me", "-psk", hex.EncodeToString([]byte(sharedKey)))
	client.Stdin = io.MultiReader(bytes.NewReader(brokertest.ConnectPacket("c").AppendTo(nil)), bytes.NewReader(packet.AppendDisconnect(nil)))
	out, err := client.CombinedOutput()
	select {
	case channel := <-seen:
		if channel.Security != broker.PSK || channel.Identity != "me" {
			t.Errorf("channel %+v", channel)
		}
	case <-time.After(brokertest.Patience):
		t.Errorf("it did not come in: %v, %s", err, out)
	}
}
