// Package listen opens the broker's listeners. Each is a net.Listener whose connections carry MQTT, whatever
// carries them.
//
// Accept returns at once with what has come in. What it takes to get to MQTT from there, a TLS handshake or
// a WebSocket request, happens when the broker asks for the handshake, on the connection's own goroutine and
// within the time that the broker gives a client for its CONNECT.
package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"sampan/cmd/internal/address"
	"sampan/tlsconf/psk"
)

// Options are what the URLs do not say.
type Options struct {
	TLS *tls.Config  // for mqtts, wss and auto
	PSK *psk.Config  // for psk and auto; nil: there are no devices whose keys could be known
	Log *slog.Logger // for what is closed before the broker sees it

	// Certified gets the connections of clients with certificates. nil: clients are not asked for any.
	Certified *Certified
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
	switch u.Scheme {
	case address.Unix:
		return listenUnix(u)
	case address.Chip:
		return listenChip(u)
	}
	if (u.Scheme == address.MQTTS || u.Scheme == address.WSS) && o.TLS == nil {
		return nil, errors.New("it needs a certificate: set --cert and --key")
	}
	if u.Scheme == address.PSK && o.PSK == nil {
		return nil, errors.New("its keys are made of the devices' secrets, and the open profile has no devices")
	}
	inner, err := net.Listen(u.Network(), u.HostPort())
	if err != nil {
		return nil, err
	}
	u.Port = uint16(inner.Addr().(*net.TCPAddr).Port)
	switch u.Scheme {
	case address.MQTTS:
		if o.Certified == nil {
			inner = tls.NewListener(inner, o.TLS)
		} else {
			inner = through(inner, o.secure())
		}
	case address.WS:
		inner = through(inner, toWebSocket(u.Path))
	case address.WSS:
		inner = through(inner, o.secure(), toWebSocket(u.Path))
	case address.PSK:
		inner = through(inner, toPSK(o.PSK))
	case address.Auto:
		inner = tellApart(inner, o)
	}
	return &Listener{inner, u}, nil
}

// through makes a listener whose connections go through layers before they carry MQTT.
func through(inner net.Listener, layers ...layer) net.Listener {
	return &layered{inner, layers}
}

type layered struct {
	net.Listener
	layers []layer
}

// Accept returns the next connection, whose layers are put on by its handshake.
func (l *layered) Accept() (net.Conn, error) {
	below, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(below, l.layers), nil
}
