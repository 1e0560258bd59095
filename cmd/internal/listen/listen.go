// Package listen opens the broker's listeners. Each is a net.Listener whose connections carry MQTT, whatever
// carries them.
package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"sampan/cmd/internal/address"
)

// Options are what the URLs do not say.
type Options struct {
	TLS *tls.Config  // for mqtts and wss
	Log *slog.Logger // what goes wrong in HTTP before a connection is the broker's
}

// Listener is an open listener. It implements broker.NamedListener.
type Listener struct {
	net.Listener
	url address.URL
}

// URL is the address at which the listener can be reached, with the port that it really has.
func (l *Listener) URL() address.URL { return l.url }

// Name is the URL as a text.
func (l *Listener) Name() string { return l.url.String() }

// Open opens a listener.
func Open(u address.URL, o Options) (*Listener, error) {
	l, err := open(u, o)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", u, err)
	}
	return l, nil
}

func open(u address.URL, o Options) (*Listener, error) {
	for parameter := range u.Query {
		return nil, fmt.Errorf("unknown parameter %q", parameter)
	}
	if (u.Scheme == address.MQTTS || u.Scheme == address.WSS) && o.TLS == nil {
		return nil, errors.New("it needs a certificate: set --cert and --key")
	}
	switch u.Scheme {
	case address.MQTT, address.MQTTS, address.WS, address.WSS:
	case address.Unix:
		return listenUnix(u)
	default:
		return nil, fmt.Errorf("%s:// is not built into this binary", u.Scheme)
	}
	inner, err := net.Listen(u.Network(), u.HostPort())
	if err != nil {
		return nil, err
	}
	u.Port = uint16(inner.Addr().(*net.TCPAddr).Port)
	if u.Scheme == address.MQTTS || u.Scheme == address.WSS {
		inner = tls.NewListener(inner, o.TLS)
	}
	if u.Scheme.WebSocket() {
		inner = serveWebSocket(inner, u, o.Log)
	}
	return &Listener{inner, u}, nil
}
