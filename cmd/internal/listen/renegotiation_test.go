package listen_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"maps"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/cmd/internal/listen"
)

// tap passes bytes between a client and a server and keeps what the server sends.
type tap struct {
	addr string
	mu   sync.Mutex
	sent bytes.Buffer // guarded by mu
}

// Write is the way from the server to the client.
func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent.Write(b)
}

func (p *tap) bytes() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.sent.Bytes())
}

// newTap takes one connection, to server.
func newTap(t *testing.T, server string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{addr: l.Addr().String()}
	done := make(chan struct{})
	go func() { // ends with the connection, or with the listener
		defer close(done)
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		far, err := net.Dial("tcp", server)
		if err != nil {
			t.Error(err)
			return
		}
		defer far.Close()
		go func() { // ends with far
			io.Copy(far, client)
			far.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(io.MultiWriter(p, client), far)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return p
}

// The types of TLS records, RFC 5246 section 6.2.1.
const alert, data = 21, 23

// records counts the TLS records that have come whole, by their type.
func records(b []byte) map[byte]int {
	found := map[byte]int{}
	for len(b) >= 5 {
		n := 5 + int(b[3])<<8 + int(b[4])
		if n > len(b) {
			break
		}
		found[b[0]]++
		b = b[n:]
	}
	return found
}

// A client of TLS 1.2 that wants to negotiate anew is disconnected with a reason, on every listener. It costs the
// server one alert: no hello is looked at, no key computed, nobody else notices.
func TestRenegotiationIsRefused(t *testing.T) {
	openssl := tool(t, "openssl")
	e := newEdge(t, broker.Options{}, listen.Options{UnauthenticatedBytes: 64 << 10}, hostileURLs...)
	witness := newWitness(t, e)
	keyed := []string{"-psk_identity", "me", "-psk", hex.EncodeToString([]byte(sharedKey)), "-cipher", "PSK-AES128-CBC-SHA:@SECLEVEL=0"}
	for _, c := range []struct {
		name, url string
		args      []string
		says      string
	}{
		{"certificate", "mqtts://127.0.0.1:0", nil, "unexpected handshake message"},
		{"certificate, any protocol", "auto://127.0.0.1:0", nil, "unexpected handshake message"},
		{"certificate, WebSocket", "wss://127.0.0.1:0", nil, "unexpected handshake message"},
		{"pre-shared key", "psk://127.0.0.1:0", keyed, "renegotiate"},
		{"pre-shared key, any protocol", "auto://127.0.0.1:0", keyed, "renegotiate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := e.urls[c.url]
			wire := newTap(t, u.HostPort())
			ctx, cancel := context.WithTimeout(t.Context(), brokertest.Patience)
			defer cancel()
			client := exec.CommandContext(ctx, openssl, append([]string{"s_client", "-connect", wire.addr, "-tls1_2"}, c.args...)...)
			client.WaitDelay = time.Second
			stdin, err := client.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := client.Start(); err != nil {
				t.Fatal(err)
			}
			handshakes, lines := e.handshakes.Load(), len(e.Log.Lines(c.says))
			connect := brokertest.ConnectPacket(c.name).AppendTo(nil)
			if strings.HasPrefix(c.url, "wss") {
				connect = append([]byte(upgradeRequest), frame(connect)...)
			}
			stdin.Write(connect)
			e.Events.WaitFor(t, broker.Connected, c.name)
			answers := 1 // CONNACK
			if strings.HasPrefix(c.url, "wss") {
				answers++
			}
			eventually(t, "CONNACK is on its way", func() bool { return records(wire.bytes())[data] == answers })
			before := wire.bytes()

			io.WriteString(stdin, "R\n") // the letter is a command
			ev := e.Events.WaitFor(t, broker.Disconnected, c.name)
			eventually(t, "a line in the log", func() bool { return len(e.Log.Lines(c.says)) > lines })
			stdin.Close()
			client.Wait()
			t.Logf("%s: %s %s", c.name, ev.Reason, ev.Detail)
			if !strings.Contains(ev.Detail, c.says) {
				t.Errorf("the reason does not say %q: %+v", c.says, ev)
			}
			after := wire.bytes()
			told := records(after)
			if n := len(after) - len(before); n == 0 || n > 128 || told[alert] == 0 {
				t.Errorf("%d bytes in answer: % x", n, after[len(before):])
			}
			delete(told, alert)
			if was := records(before); !maps.Equal(told, was) {
				t.Errorf("records by type were %v and are %v", was, told)
			}
			if n := e.handshakes.Load() - handshakes; n != 1 {
				t.Errorf("%d handshakes", n)
			}
			if s := e.Stats(); s.Handshakes != 0 || s.HandshakesQueued != 0 {
				t.Errorf("%d handshakes are under way", s.Handshakes)
			}
			stillHere(witness)
		})
	}
}
