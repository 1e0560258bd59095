package dial_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sampan/cmd/internal/address"
	"sampan/cmd/internal/dial"
	"sampan/packet"
)

// patience is how long a client may take with a server that does nothing.
const patience = 20 * time.Second

// server accepts one WebSocket, sends bytes on it, and then only listens until the client is gone.
func server(t *testing.T, says string) address.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n"+
			"Sec-WebSocket-Accept: "+base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n"+says)
		io.Copy(io.Discard, conn)
	}()
	u, err := address.ParseTarget("ws://" + l.Addr().String() + "/mqtt")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A client comes away from a server that stops in the middle of a frame: while it reads, by its deadline, and when it
// closes.
func TestServerThatStopsInTheMiddleOfAFrame(t *testing.T) {
	const frame = "\x82\x7e\x10\x00" // binary, 4,096 bytes
	for _, says := range []string{"", frame, frame + "abc", "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"} {
		for _, reads := range []bool{false, true} {
			t.Run(fmt.Sprintf("%x/%v", says, reads), func(t *testing.T) {
				t.Parallel() // each waits a moment for a goodbye
				conn, err := dial.Dial(t.Context(), server(t, says), dial.Options{Level: packet.Level311})
				if err != nil {
					t.Fatal(err)
				}
				end := make(chan error, 1)
				go func() {
					var err error
					if reads {
						conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
						_, err = io.ReadFull(conn, make([]byte, 8))
					}
					conn.Close()
					end <- err
				}()
				select {
				case err := <-end:
					if reads && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("reading ended with %v", err)
					}
				case <-time.After(patience):
					t.Fatal("the client does not come away")
				}
			})
		}
	}
}

// Messages and what is read need not line up; a text is no MQTT, and a goodbye is an end.
func TestWebSocketIsAStream(t *testing.T) {
	for _, test := range []struct{ says, want, end string }{
		{"\x82\x02ab\x82\x00\x02\x02cd\x80\x01e\x88\x02\x03\xe8", "abcde", ""},
		{"\x82\x01a\x88\x00", "a", ""},
		{"\x82\x01a\x81\x01b", "a", "text"},
	} {
		conn, err := dial.Dial(t.Context(), server(t, test.says), dial.Options{Level: packet.Level311})
		if err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(patience))
		got, err := io.ReadAll(conn)
		if string(got) != test.want || (err == nil) != (test.end == "") || err != nil && !strings.Contains(err.Error(), test.end) {
			t.Errorf("%q: read %q, %v", test.says, got, err)
		}
		conn.Close()
	}
}
