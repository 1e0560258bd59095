package listen

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"sampan/broker"
	"sampan/cmd/internal/address"
)

// subprotocols of MQTT 3.1.1 and 3.1 over WebSocket; the client's first that is here is chosen.
var subprotocols = []string{"mqtt", "mqttv3.1"}

// Limits of the HTTP request that asks for a WebSocket.
const (
	upgradeTimeout = 10 * time.Second
	upgradeBytes   = 16 << 10
)

// webSocketListener accepts WebSocket connections. HTTP requests come in on goroutines of package http;
// each that has become a WebSocket is handed to Accept.
type webSocketListener struct {
	inner  net.Listener
	server *http.Server
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	err    error
}

func serveWebSocket(inner net.Listener, u address.URL, log *slog.Logger) net.Listener {
	l := &webSocketListener{inner: inner, conns: make(chan net.Conn), closed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc(u.Path, l.upgrade)
	l.server = &http.Server{
		Handler: mux, ReadTimeout: upgradeTimeout, WriteTimeout: upgradeTimeout, MaxHeaderBytes: upgradeBytes,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	go func() { // ends when Close closes the inner listener
		err := l.server.Serve(inner)
		if errors.Is(err, http.ErrServerClosed) {
			err = net.ErrClosed
		}
		l.close(err)
	}()
	return l
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// upgrade turns a request into a WebSocket connection.
func (l *webSocketListener) upgrade(w http.ResponseWriter, r *http.Request) {
	if !slices.ContainsFunc(protocols(r), func(p string) bool { return slices.Contains(subprotocols, p) }) {
		http.Error(w, "ask for the WebSocket subprotocol mqtt or mqttv3.1", http.StatusBadRequest)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: subprotocols,
		// Devices and the pages that show them come from anywhere; who they are is decided by CONNECT,
		// which a browser does not send on its own as it sends cookies.
		InsecureSkipVerify: true,
	})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(-1) // MQTT packets and WebSocket messages need not line up; the broker limits packets
	conn := &webSocketConn{Conn: websocket.NetConn(context.Background(), ws, websocket.MessageBinary)}
	below := r.Context().Value(connKey{}).(net.Conn)
	conn.channel = broker.Channel{
		Local: below.LocalAddr(), Remote: below.RemoteAddr(), WebSocket: true, TLS: r.TLS, Security: broker.Plain,
	}
	if r.TLS != nil {
		conn.channel.Security = broker.TLS
	}
	select {
	case l.conns <- conn:
	case <-l.closed:
		conn.Close()
	}
}

// protocols lists the subprotocols that a request asks for.
func protocols(r *http.Request) []string {
	var all []string
	for _, header := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(header, ",") {
			all = append(all, strings.TrimSpace(name))
		}
	}
	return all
}

// Accept returns the next WebSocket connection.
func (l *webSocketListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, l.err
	}
}

func (l *webSocketListener) close(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.closed)
	})
}

// Close stops accepting. Connections that were accepted stay.
func (l *webSocketListener) Close() error {
	l.close(net.ErrClosed)
	return l.server.Close()
}

// Addr is the address below HTTP.
func (l *webSocketListener) Addr() net.Addr { return l.inner.Addr() }

// webSocketConn is a connection that knows what carries it.
type webSocketConn struct {
	net.Conn
	channel broker.Channel
}

// Channel implements broker.ChannelReporter.
func (c *webSocketConn) Channel() broker.Channel { return c.channel }

// LocalAddr is the address below HTTP.
func (c *webSocketConn) LocalAddr() net.Addr { return c.channel.Local }

// RemoteAddr is the address below HTTP.
func (c *webSocketConn) RemoteAddr() net.Addr { return c.channel.Remote }
