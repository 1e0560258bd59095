package listen_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/cmd/internal/listen"
	"sampan/packet"
)

// The client must ask for MQTT [MQTT-6.0.0-3], and gets it by its newest name [MQTT-6.0.0-4].
func TestWebSocketNeedsTheSubprotocol(t *testing.T) {
	u := serve(t, "ws://127.0.0.1:0/mqtt", listen.Options{}, nil)
	ctx := context.Background()
	for _, subprotocols := range [][]string{nil, {"chat"}} {
		_, response, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{Subprotocols: subprotocols})
		if err == nil || response.StatusCode != http.StatusBadRequest {
			t.Errorf("subprotocols %v: %v, %v", subprotocols, response, err)
		}
	}
	for _, c := range []struct{ asked, got string }{{"mqtt", "mqtt"}, {"chat, mqttv3.1", "mqttv3.1"}, {"mqttv3.1, mqtt", "mqtt"}} {
		ws, _, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{Subprotocols: strings.Split(c.asked, ", ")})
		if err != nil || ws.Subprotocol() != c.got {
			t.Fatalf("subprotocols %s: %v, %v", c.asked, ws, err)
		}
		ws.CloseNow()
	}
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

// upgraded is a WebSocket at the edge.
func upgraded(t *testing.T, e *edge, ctx context.Context) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(ctx, e.urls["ws://127.0.0.1:0"].String(), &websocket.DialOptions{Subprotocols: []string{"mqtt"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return ws
}

// Packets may be cut anywhere, and several may come in one message [MQTT-6.0.0-2]. What the broker sends is binary
// [MQTT-6.0.0-1].
func TestWebSocketMessagesAndPacketsNeedNotLineUp(t *testing.T) {
	e := newEdge(t, broker.Options{}, listen.Options{}, "ws://127.0.0.1:0")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ws := upgraded(t, e, ctx)
	connect := brokertest.ConnectPacket("cut").AppendTo(nil)
	subscribe := packet.Subscribe{ID: 1}
	subscribe.Add([]byte("a"), 1)
	rest := packet.AppendPingreq(subscribe.AppendTo(nil))
	var messages [][]byte
	for i := range connect[:len(connect)-1] {
		messages = append(messages, connect[i:i+1])
	}
	messages = append(messages, nil, append(connect[len(connect)-1:], rest...)) // the end of one and two more
	for _, m := range messages {
		if err := ws.Write(ctx, websocket.MessageBinary, m); err != nil {
			t.Fatal(err)
		}
	}
	connack, suback := packet.Connack{}, packet.Suback{ID: 1, Codes: []byte{1}}
	want := packet.AppendPingresp(suback.AppendTo(connack.AppendTo(nil)))
	for got := []byte(nil); !bytes.Equal(got, want); {
		kind, m, err := ws.Read(ctx)
		if got = append(got, m...); err != nil || kind != websocket.MessageBinary || !bytes.HasPrefix(want, got) {
			t.Fatalf("got % x, a %v, %v; want % x", got, kind, err, want)
		}
	}
}

// A message that is not binary ends the connection [MQTT-6.0.0-1], before CONNECT and behind it, and is told as what it
// is.
func TestWebSocketMessageThatIsNotBinary(t *testing.T) {
	e := newEdge(t, broker.Options{}, listen.Options{}, "ws://127.0.0.1:0")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	first, later := upgraded(t, e, ctx), upgraded(t, e, ctx)
	if err := later.Write(ctx, websocket.MessageBinary, brokertest.ConnectPacket("late").AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := later.Read(ctx); err != nil {
		t.Fatal(err)
	}
	for client, ws := range map[string]*websocket.Conn{"": first, "late": later} {
		if err := ws.Write(ctx, websocket.MessageText, brokertest.ConnectPacket("text").AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if _, m, err := ws.Read(ctx); websocket.CloseStatus(err) != websocket.StatusUnsupportedData {
			t.Errorf("client %q: % x, %v", client, m, err)
		}
		kind := broker.Disconnected
		if client == "" {
			kind = broker.Refused
		}
		if ev := e.Events.WaitFor(t, kind, client); ev.Reason != broker.ProtocolViolation || ev.Rule != "MQTT-6.0.0-1" {
			t.Errorf("client %q: %+v", client, ev)
		}
	}
}

// A client that stops in the middle of a WebSocket frame cannot keep the broker from ending its connection, whatever
// ends it.
func TestWebSocketFramesThatAreLeftUnfinished(t *testing.T) {
	e := newEdge(t, broker.Options{}, listen.Options{UnauthenticatedBytes: 64 << 10}, "ws://127.0.0.1:0")
	bad := append([]byte{0x82, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, packet.AppendPingreq(nil)...)
	for _, c := range []struct {
		name, rule string
		sent       []byte
	}{
		{"a message that is not binary", "MQTT-6.0.0-1", []byte{0x81, 0x80 | 126, 0x7f, 0xff, 0, 0, 0, 0}},
		{"a first packet that is no CONNECT", "MQTT-3.1.0-1", append(bad, make([]byte, 4<<10)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := e.dial(t, "ws://127.0.0.1:0")
			io.WriteString(conn, upgradeRequest)
			readHead(t, conn)
			conn.Write(c.sent)
			conn.SetReadDeadline(time.Now().Add(brokertest.Patience))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection is still open: %v", err)
			}
			e.Events.Wait(t, c.rule, func(ev broker.Event) bool { return ev.Kind == broker.Refused && ev.Rule == c.rule })
			eventually(t, "it has gone", func() bool { return e.Stats().Connections == 0 && e.Stats().Pending == 0 })
		})
	}
}

// A client that says goodbye before its CONNECT, with the usual codes or with none as browsers do, is lost and nothing
// worse. What it makes fail is told as a handshake that failed.
func TestWebSocketGoodbyeBeforeConnect(t *testing.T) {
	e := newEdge(t, broker.Options{}, listen.Options{}, "ws://127.0.0.1:0")
	for i, c := range []struct {
		sent   []byte // masked with zeros
		reason broker.Reason
		told   string
	}{
		{[]byte{0x88, 0x80, 0, 0, 0, 0}, broker.ConnectionLost, ""},
		{[]byte{0x88, 0x82, 0, 0, 0, 0, 3, 232}, broker.ConnectionLost, ""},
		{[]byte{0x88, 0x82, 0, 0, 0, 0, 3, 233}, broker.ConnectionLost, ""},
		{[]byte{0x82, 2, 0xc0, 0}, broker.HandshakeFailed, "unmasked"},
	} {
		conn := e.dial(t, "ws://127.0.0.1:0")
		io.WriteString(conn, upgradeRequest)
		readHead(t, conn)
		conn.Write(c.sent)
		io.Copy(io.Discard, conn)
		eventually(t, "it has gone", func() bool { return len(e.Events.Of(broker.Refused)) == i+1 })
		if ev := e.Events.Of(broker.Refused)[i]; ev.Reason != c.reason || !strings.Contains(ev.Detail, c.told) || c.told == "" && ev.Detail != "" {
			t.Errorf("% x: %+v", c.sent, ev)
		}
	}
}
