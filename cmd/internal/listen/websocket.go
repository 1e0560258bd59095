package listen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/coder/websocket"

	"sampan/broker"
	"sampan/cmd/internal/websock"
)

// subprotocols of MQTT 3.1.1 and 3.1 over WebSocket. The first that the client knows is chosen [MQTT-6.0.0-4].
var subprotocols = []string{"mqtt", "mqttv3.1"}

// requestBytes bounds the request that asks for a WebSocket.
const requestBytes = 16 << 10

// webSocketBuffer is how much is read of a WebSocket at one time, at least.
const webSocketBuffer = 4 << 10

// toWebSocket is the layer of WebSocket: it reads one HTTP request, which asks for the WebSocket at path
// ("/": at any path), and answers it. Every other request is answered with an error and ends the connection.
func toWebSocket(path string) layer {
	return func(_ context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error) {
		request, reader, err := readRequest(below)
		if err != nil {
			return nil, fmt.Errorf("no HTTP request: %w", err)
		}
		request.RemoteAddr, request.TLS = below.RemoteAddr().String(), channel.TLS
		answer := &response{conn: below, reader: reader, header: http.Header{}}
		switch {
		case path != "/" && request.URL.Path != path:
			return nil, answer.refuse(http.StatusNotFound, "there is no WebSocket at "+request.URL.Path)
		case !slices.ContainsFunc(asked(request), func(p string) bool { return slices.Contains(subprotocols, p) }):
			return nil, answer.refuse(http.StatusBadRequest, "ask for the WebSocket subprotocol mqtt or mqttv3.1")
		}
		ws, err := websocket.Accept(answer, request, &websocket.AcceptOptions{
			Subprotocols: subprotocols,
			// Devices and the pages that show them come from anywhere; who they are is decided by CONNECT,
			// which a browser does not send on its own as it sends cookies.
			InsecureSkipVerify: true,
		})
		if err != nil {
			return nil, err
		}
		channel.WebSocket = true
		return websock.New(below, ws, &broker.Violation{Rule: "MQTT-6.0.0-1", Detail: "a WebSocket message is text: MQTT is sent in binary ones"}), nil
	}
}

// readRequest reads an HTTP request without its body. What has come after it is left in the reader's buffer.
//
// Nothing is made of the header before it is there: a stranger who sends it slowly holds what was sent, and not the many
// small things that make a request.
func readRequest(r io.Reader) (*http.Request, *bufio.Reader, error) {
	b, line := make([]byte, 0, 1<<10), -1
	for {
		n, err := r.Read(b[len(b):cap(b)])
		looked := max(0, len(b)-len("\n\r"))
		b = b[:len(b)+n]
		if line < 0 {
			if line = bytes.IndexByte(b, '\n'); line >= 0 {
				if _, wrong := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(b[:line+1]), strings.NewReader("\r\n")))); wrong != nil {
					return nil, nil, wrong
				}
			}
		}
		if bytes.Contains(b[looked:], []byte("\n\r\n")) || bytes.Contains(b[looked:], []byte("\n\n")) {
			reader := bufio.NewReaderSize(bytes.NewReader(b), max(webSocketBuffer, len(b)))
			request, err := http.ReadRequest(reader)
			return request, reader, err
		}
		switch {
		case err == io.EOF && len(b) > 0:
			return nil, nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, nil, err
		case len(b) >= requestBytes:
			return nil, nil, fmt.Errorf("it is longer than %d bytes", requestBytes)
		case len(b) == cap(b):
			b = slices.Grow(b, min(len(b), requestBytes-len(b)))
		}
	}
}

// asked lists the subprotocols that a request asks for.
func asked(r *http.Request) []string {
	var all []string
	for _, header := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(header, ",") {
			all = append(all, strings.TrimSpace(name))
		}
	}
	return all
}

// response is the answer to the one request of a connection. It implements http.ResponseWriter and
// http.Hijacker.
type response struct {
	conn   net.Conn
	reader *bufio.Reader
	header http.Header
	status int
}

func (r *response) Header() http.Header { return r.header }

// WriteHeader sends the status line and the header. The connection ends with every answer but a switch of
// protocols, so that the body needs no length.
func (r *response) WriteHeader(status int) {
	if r.status != 0 {
		return
	}
	r.status = status
	if status != http.StatusSwitchingProtocols {
		r.header.Set("Connection", "close")
	}
	var head strings.Builder
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	r.header.Write(&head) // a Builder takes everything
	head.WriteString("\r\n")
	io.WriteString(r.conn, head.String()) // if it fails, so does everything after it
}

func (r *response) Write(body []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.conn.Write(body)
}

// Hijack hands the connection over after the answer.
func (r *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return r.conn, bufio.NewReadWriter(r.reader, bufio.NewWriter(r.conn)), nil
}

// refuse answers with an error and returns it.
func (r *response) refuse(status int, text string) error {
	http.Error(r, text, status)
	return errors.New("the WebSocket request was refused: " + text)
}
