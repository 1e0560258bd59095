package listen

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"sampan/broker"
	"sampan/internal/ceiling"
)

// sent is a connection to a client that has sent some bytes and then closed.
type sent struct {
	io.Reader
	answer bytes.Buffer
}

func (s *sent) Write(p []byte) (int, error)      { return s.answer.Write(p) }
func (s *sent) Close() error                     { return nil }
func (s *sent) SetDeadline(time.Time) error      { return nil }
func (s *sent) SetReadDeadline(time.Time) error  { return nil }
func (s *sent) SetWriteDeadline(time.Time) error { return nil }
func (s *sent) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *sent) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// FuzzWebSocket: whatever a client sends on a port for WebSocket, it is answered with HTTP or not at all, and
// what comes out of the frames behind an accepted request is no more than went in.
func FuzzWebSocket(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		defer ceiling.Bytes(ceiling.Lots + 64*len(data)).Hold(t)()
		client, channel := &sent{Reader: bytes.NewReader(data)}, new(broker.Channel)
		ws, err := toWebSocket("/mqtt")(context.Background(), client, channel)
		if (err == nil) != (ws != nil) || channel.WebSocket != (err == nil) {
			t.Fatalf("a connection %v, an error %v, a WebSocket: %v", ws, err, channel.WebSocket)
		}
		said := client.answer.Bytes()
		if err != nil {
			if len(said) > 0 && !bytes.HasPrefix(said, []byte("HTTP/1.1 ")) {
				t.Fatalf("%v is answered with %q", err, said)
			}
			return
		}
		defer ws.Close()
		if !bytes.HasPrefix(said, []byte("HTTP/1.1 101 ")) || !bytes.Contains(bytes.ToLower(data), []byte("websocket")) {
			t.Fatalf("accepted with %q", said)
		}
		if got, _ := io.ReadAll(io.LimitReader(ws, 1<<20)); len(got) > len(data) {
			t.Fatalf("%d bytes came out of %d", len(got), len(data))
		}
	})
}
