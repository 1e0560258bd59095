package listen_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sampan/broker"
	"sampan/cmd/internal/address"
	"sampan/cmd/internal/client"
	"sampan/cmd/internal/dial"
	"sampan/cmd/internal/listen"
	"sampan/cmd/internal/testtls"
	"sampan/packet"
)

var quiet = slog.New(slog.DiscardHandler)

// serve opens a listener of an open broker.
func serve(t *testing.T, url string, o listen.Options, seen chan<- broker.Channel) address.URL {
	t.Helper()
	u, err := address.ParseListener(url)
	if err != nil {
		t.Fatal(err)
	}
	o.Log = quiet
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
	serverTLS := &tls.Config{Certificates: []tls.Certificate{server.Certificate}}
	cases := []struct {
		url       string
		level     byte
		security  broker.Security
		webSocket bool
	}{
		{"mqtt://127.0.0.1:0", packet.Level311, broker.Plain, false},
		{"mqtts://127.0.0.1:0", packet.Level311, broker.TLS, false},
		{"ws://127.0.0.1:0", packet.Level311, broker.Plain, true},
		{"ws://127.0.0.1:0/mqtt", packet.Level31, broker.Plain, true},
		{"wss://127.0.0.1:0/mqtt", packet.Level311, broker.TLS, true},
		{"unix://" + filepath.Join(t.TempDir(), "s"), packet.Level311, broker.Plain, false},
	}
	for _, c := range cases {
		name, _, _ := strings.Cut(c.url, "://")
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			seen := make(chan broker.Channel, 1)
			u := serve(t, c.url, listen.Options{TLS: serverTLS}, seen)
			conn, err := dial.Dial(ctx, u, dial.Options{TLS: &tls.Config{RootCAs: server.Roots}, Level: c.level})
			if err != nil {
				t.Fatal(err)
			}
			received := make(chan client.Message, 1)
			cl, err := client.Connect(ctx, client.Options{
				Conn: conn, ClientID: "c", Clean: true, Level: c.level, OnMessage: func(m client.Message) { received <- m },
			})
			if err != nil {
				t.Fatal(err)
			}
			channel := <-seen
			if channel.Security != c.security || channel.WebSocket != c.webSocket || channel.Listener != u.String() || (channel.TLS != nil) != (c.security == broker.TLS) {
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

func TestWebSocketNeedsTheSubprotocol(t *testing.T) {
	u := serve(t, "ws://127.0.0.1:0/mqtt", listen.Options{}, nil)
	ctx := context.Background()
	for _, subprotocols := range [][]string{nil, {"chat"}} {
		_, response, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{Subprotocols: subprotocols})
		if err == nil || response.StatusCode != http.StatusBadRequest {
			t.Errorf("subprotocols %v: %v, %v", subprotocols, response, err)
		}
	}
	ws, _, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{Subprotocols: []string{"chat", "mqttv3.1"}})
	if err != nil || ws.Subprotocol() != "mqttv3.1" {
		t.Fatalf("the second subprotocol: %v, %v", ws, err)
	}
	ws.CloseNow()
	elsewhere := u
	elsewhere.Path = "/elsewhere"
	if _, response, err := websocket.Dial(ctx, elsewhere.String(), &websocket.DialOptions{Subprotocols: []string{"mqtt"}}); err == nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("another path: %v, %v", response, err)
	}
	plain, err := http.Get("http://" + u.HostPort() + "/mqtt")
	if err != nil || plain.StatusCode != http.StatusBadRequest {
		t.Errorf("no WebSocket at all: %v, %v", plain, err)
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
		{"mqtt://:0?colour=blue", `unknown parameter "colour"`},
		{"unix://" + file, "exists and is no socket"},
		{"unix://" + busy, "another process listens"},
		{taken.String(), "address already in use"},
	}
	for _, c := range cases {
		u, err := address.ParseListener(c.url)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := listen.Open(u, listen.Options{Log: quiet})
		if err == nil {
			ln.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.explains) || !strings.Contains(err.Error(), "cannot listen on "+c.url) {
			t.Errorf("%s: %v; want an error that says %q", c.url, err, c.explains)
		}
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
