package listen_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sampan/broker"
	"sampan/cmd/internal/address"
	"sampan/cmd/internal/client"
	"sampan/cmd/internal/dial"
	"sampan/cmd/internal/listen"
	"sampan/cmd/internal/testtls"
	"sampan/packet"
	"sampan/tlsconf/psk"
)

var quiet = slog.New(slog.DiscardHandler)

// serve opens a listener of an open broker.
func serve(t *testing.T, url string, o listen.Options, seen chan<- broker.Channel) address.URL {
	t.Helper()
	u, err := address.ParseListener(url)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listen.Open(u, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Options{
		Profile: broker.Open, Logger: quiet,
		Authenticator: broker.AuthenticatorFunc(func(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
			if seen != nil {
				seen <- r.Channel
			}
			return &broker.Principal{Key: r.ClientID}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- b.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, broker.ErrClosed) {
			t.Error(err)
		}
	})
	return ln.URL()
}

func TestEveryChannelCarriesMQTT(t *testing.T) {
	server := testtls.NewServer(t)
	options := listen.Options{
		TLS: &tls.Config{Certificates: []tls.Certificate{server.Certificate}},
		PSK: &psk.Config{Key: func(_ context.Context, identity []byte) ([]byte, bool) {
			return []byte("key"), string(identity) == "me"
		}},
	}
	cases := []struct {
		url       string
		as        address.Scheme // what the client speaks, if the listener finds out
		level     byte
		security  broker.Security
		webSocket bool
	}{
		{"mqtt://127.0.0.1:0", "", packet.Level311, broker.Plain, false},
		{"mqtts://127.0.0.1:0", "", packet.Level311, broker.TLS, false},
		{"ws://127.0.0.1:0", "", packet.Level311, broker.Plain, true},
		{"ws://127.0.0.1:0/mqtt", "", packet.Level31, broker.Plain, true},
		{"wss://127.0.0.1:0/mqtt", "", packet.Level311, broker.TLS, true},
		{"psk://127.0.0.1:0", "", packet.Level311, broker.PSK, false},
		{"unix://" + filepath.Join(t.TempDir(), "s"), "", packet.Level311, broker.Plain, false},
		{"auto://127.0.0.1:0", address.MQTT, packet.Level31, broker.Plain, false},
		{"auto://127.0.0.1:0", address.MQTTS, packet.Level311, broker.TLS, false},
		{"auto://127.0.0.1:0", address.WS, packet.Level311, broker.Plain, true},
		{"auto://127.0.0.1:0", address.WSS, packet.Level31, broker.TLS, true},
		{"auto://127.0.0.1:0", address.PSK, packet.Level311, broker.PSK, false},
	}
	for _, c := range cases {
		name, _, _ := strings.Cut(c.url, "://")
		t.Run(name+string(c.as), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			seen := make(chan broker.Channel, 1)
			u := serve(t, c.url, options, seen)
			target := u
			if c.as != "" {
				target.Scheme, target.Path = c.as, "/anything"
			}
			conn, err := dial.Dial(ctx, target, dial.Options{
				TLS: &tls.Config{RootCAs: server.Roots}, PSK: &psk.Config{Identity: []byte("me"), PSK: []byte("key")}, Level: c.level,
			})
			if err != nil {
				t.Fatal(err)
			}
			received := make(chan client.Message, 1)
			cl, err := client.Connect(ctx, client.Options{
				Conn: conn, ClientID: "c", Clean: true, Level: c.level, OnMessage: func(m client.Message) bool { received <- m; return true },
			})
			if err != nil {
				t.Fatal(err)
			}
			channel := <-seen // the broker's view of it
			if channel.Security != c.security || channel.WebSocket != c.webSocket || channel.Listener != u.String() || (channel.TLS != nil) != (c.security == broker.TLS) || (channel.Identity == "me") != (c.security == broker.PSK) {
				t.Errorf("the broker sees the channel %+v", channel)
			}
			if tcp, ok := channel.Remote.(*net.TCPAddr); u.Scheme != address.Unix && (!ok || !tcp.IP.IsLoopback()) {
				t.Errorf("the broker sees the client at %v", channel.Remote)
			}
			if codes, err := cl.Subscribe(ctx, client.Subscription{Filter: "a/#", QoS: 1}); err != nil || codes[0] != 1 {
				t.Fatalf("Subscribe: %v, %v", codes, err)
			}
			payload := strings.Repeat("x", 100_000) // more than one WebSocket frame or TLS record
			if err := cl.Publish(ctx, "a/b", []byte(payload), 1); err != nil {
				t.Fatal(err)
			}
			if m := <-received; m.Topic != "a/b" || string(m.Payload) != payload {
				t.Errorf("received %d bytes on %s", len(m.Payload), m.Topic)
			}
			if err := cl.Disconnect(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatCannotBeOpenedSaysWhy(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy := filepath.Join(dir, "busy")
	serve(t, "unix://"+busy, listen.Options{}, nil)
	taken := serve(t, "mqtt://127.0.0.1:0", listen.Options{}, nil)
	cases := []struct{ url, explains string }{
		{"mqtts://:0", "set --cert and --key"},
		{"wss://:0", "set --cert and --key"},
		{"psk://:0", "the open profile has no devices"},
		{"mqtt://:0?socket=mqtt", "was not started by systemd with sockets"},
		{"unix://" + file, "exists and is no socket"},
		{"unix://" + busy, "another process listens"},
		{taken.String(), "address already in use"},
	}
	for _, c := range cases {
		u, err := address.ParseListener(c.url)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := listen.Open(u, listen.Options{})
		if err == nil {
			ln.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.explains) || !strings.Contains(err.Error(), "cannot listen on "+c.url) {
			t.Errorf("%s: %v; want an error that says %q", c.url, err, c.explains)
		}
	}
}

// What a listener cannot make sense of is closed in its handshake, by the broker's own rules.
func TestWhatIsNoMQTTEndsInTheHandshake(t *testing.T) {
	for _, c := range []struct{ url, sends, answer string }{
		{"ws://127.0.0.1:0", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
		{"ws://127.0.0.1:0/mqtt", "GET /other HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"},
		{"ws://127.0.0.1:0", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00\r\n", ""},
		{"ws://127.0.0.1:0", "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 20_000), ""},
		{"auto://127.0.0.1:0", "SSH-2.0-OpenSSH_9\r\n", ""},
		{"auto://127.0.0.1:0", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
	} {
		u := serve(t, c.url, listen.Options{}, nil)
		conn, err := net.Dial("tcp", u.HostPort())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		conn.Write([]byte(c.sends))
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s, after %.20q: %v", c.url, c.sends, err)
		}
		if !strings.HasPrefix(string(answer), c.answer) || c.answer == "" && len(answer) > 0 {
			t.Errorf("%s answers %.20q with %q, want %q", c.url, c.sends, answer, c.answer)
		}
	}
}

func TestAutoWithoutACertificateRefusesTLS(t *testing.T) {
	u := serve(t, "auto://127.0.0.1:0", listen.Options{}, nil)
	if conn, err := tls.Dial("tcp", u.HostPort(), &tls.Config{InsecureSkipVerify: true}); err == nil {
		conn.Close()
		t.Error("a TLS handshake without a certificate")
	}
	for scheme, o := range map[address.Scheme]dial.Options{address.MQTTS: {}, address.PSK: {PSK: &psk.Config{Identity: []byte("me"), PSK: []byte("key")}}} {
		target := u
		target.Scheme = scheme
		if conn, err := dial.Dial(t.Context(), target, o); err == nil {
			conn.Close()
			t.Errorf("%s was accepted", scheme)
		}
	}
}

func TestClosingAListenerClosesThoseThatHaveSaidNothing(t *testing.T) {
	u, err := address.ParseListener("auto://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listen.Open(u, listen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	conn.Write([]byte{0x10}) // the first byte comes too late
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is still there: %v", err)
	}
}

func TestAStaleSocketIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	abandoned, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	abandoned.SetUnlinkOnClose(false) // as after kill -9
	abandoned.Close()
	serve(t, "unix://"+path, listen.Options{}, nil)
}
