// Package dial opens the channel to a broker that a URL names.
package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/coder/websocket"

	"sampan/cmd/internal/address"
	"sampan/cmd/internal/websock"
	"sampan/packet"
	"sampan/tlsconf/psk"
)

// Options are what the URL does not say.
type Options struct {
	TLS   *tls.Config // for mqtts and wss; nil: the system's roots. The server's name is filled in
	PSK   *psk.Config // for psk
	Level byte        // protocol level, which names the WebSocket subprotocol
}

// Dial connects, and shakes hands as far as the channel has handshakes. ctx bounds that; the connection
// outlives it.
func Dial(ctx context.Context, u address.URL, o Options) (net.Conn, error) {
	switch u.Scheme {
	case address.MQTT, address.Unix:
		var d net.Dialer
		return d.DialContext(ctx, u.Network(), u.HostPort())
	case address.MQTTS:
		d := tls.Dialer{Config: o.TLS}
		return d.DialContext(ctx, u.Network(), u.HostPort())
	case address.WS, address.WSS:
		return dialWebSocket(ctx, u, o)
	case address.PSK:
		return dialPSK(ctx, u, o)
	}
	return nil, fmt.Errorf("this client cannot connect to %s:// addresses", u.Scheme)
}

func dialPSK(ctx context.Context, u address.URL, o Options) (net.Conn, error) {
	if o.PSK == nil {
		return nil, errors.New("a psk:// address needs the key of a device")
	}
	var d net.Dialer
	below, err := d.DialContext(ctx, u.Network(), u.HostPort())
	if err != nil {
		return nil, err
	}
	conn := psk.Client(below, o.PSK)
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// maxUpgrade bounds the answer to the WebSocket request, in bytes.
const maxUpgrade = 64 << 10

func dialWebSocket(ctx context.Context, u address.URL, o Options) (net.Conn, error) {
	subprotocol := "mqtt"
	if o.Level == packet.Level31 {
		subprotocol = "mqttv3.1"
	}
	var below net.Conn
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		below = conn
		return conn, err
	}, TLSClientConfig: o.TLS.Clone(), MaxResponseHeaderBytes: maxUpgrade}
	if transport.TLSClientConfig != nil {
		transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
	}
	ws, _, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{subprotocol},
	})
	if err != nil {
		return nil, err
	}
	if ws.Subprotocol() != subprotocol {
		ws.CloseNow()
		return nil, fmt.Errorf("the server at %s does not speak MQTT over WebSocket: it chose subprotocol %q, not %q", u, ws.Subprotocol(), subprotocol)
	}
	return websock.New(below, ws, errors.New("the server has sent a WebSocket message that is text: MQTT is sent in binary ones")), nil
}
