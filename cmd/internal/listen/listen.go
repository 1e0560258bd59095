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
	"net"
	"net/netip"
	"slices"

	"sampan/cmd/internal/address"
	"sampan/tlsconf/psk"
)

// Options are what the URLs do not say.
type Options struct {
	TLS *tls.Config // for mqtts, wss and auto
	PSK *psk.Config // for psk and auto; nil: there are no devices whose keys could be known

	// Certified gets the connections of clients with certificates. nil: clients are not asked for any.
	Certified *Certified

	// ProxyFrom are the networks of proxies, whose connections begin with a PROXY header.
	ProxyFrom []netip.Prefix

	// UnauthenticatedBytes bounds what a client may send before its CONNECT was accepted, where something is
	// wrapped around MQTT. 0: not at all.
	UnauthenticatedBytes int

	// Inherited gives the listener that this process was started with under a name. nil: there is none.
	Inherited func(name string) (net.Listener, error)
}

// Listener is an open listener. It implements broker.NamedListener.
type Listener struct {
	net.Listener
	url    address.URL
	levels []address.Level
}

// URL is the address at which the listener can be reached, with the port that it really has.
func (l *Listener) URL() address.URL { return l.url }

// Levels are the levels that the listener accepts.
func (l *Listener) Levels() []address.Level { return l.levels }

// Name is the URL as a text.
func (l *Listener) Name() string { return l.url.String() }

// Bare is the listener itself if nothing is between its connections and MQTT, and otherwise nil.
func (l *Listener) Bare() net.Listener {
	if _, ok := l.Listener.(*layered); ok {
		return nil
	}
	return l.Listener
}

// Open opens a listener.
func Open(u address.URL, o Options) (*Listener, error) {
	l, err := o.open(u)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", u, err)
	}
	return l, nil
}

func (o *Options) open(u address.URL) (*Listener, error) {
	levels, all := u.Levels(), (address.URL{Scheme: u.Scheme}).Levels()
	encrypts := slices.Contains(levels, address.TLSOnly) || slices.Contains(levels, address.High)
	switch {
	case (u.Scheme == address.MQTTS || u.Scheme == address.WSS) && o.TLS == nil,
		u.Scheme == address.Auto && encrypts && len(levels) < len(all) && o.TLS == nil:
		return nil, errors.New("it needs a certificate: set --cert and --key")
	case u.Scheme == address.PSK && o.PSK == nil:
		return nil, errors.New("its keys are made of the devices' secrets, and the open profile has no devices")
	}
	layers := o.layers(u)
	if len(levels) < len(all) {
		layers = append(layers, accepted(levels))
	}
	inner, err := o.listen(&u)
	if err != nil {
		return nil, err
	}
	if len(layers) > 0 {
		inner = &layered{inner, layers, o.UnauthenticatedBytes}
	}
	u.Query = nil
	return &Listener{inner, u, levels}, nil
}

// listen opens the socket, or takes over the one it was given, and notes in u where it is.
func (o *Options) listen(u *address.URL) (inner net.Listener, err error) {
	switch {
	case u.Inherited() != "":
		return o.inherit(u)
	case u.Scheme == address.Unix:
		return listenUnix(*u)
	case u.Scheme == address.Chip:
		return listenChip(*u)
	}
	if inner, err = net.Listen(u.Network(), u.HostPort()); err == nil {
		u.Port = uint16(inner.Addr().(*net.TCPAddr).Port)
	}
	return inner, err
}

// layers are what a connection goes through before it carries MQTT, from the socket upward.
func (o *Options) layers(u address.URL) (layers []layer) {
	if len(o.ProxyFrom) > 0 && !u.Scheme.Socket() {
		layers = append(layers, proxied(o.ProxyFrom))
	}
	switch u.Scheme {
	case address.MQTTS:
		layers = append(layers, o.secure())
	case address.WS:
		layers = append(layers, toWebSocket(u.Path))
	case address.WSS:
		layers = append(layers, o.secure(), toWebSocket(u.Path))
	case address.PSK:
		layers = append(layers, toPSK(o.PSK))
	case address.Auto:
		layers = append(layers, byFirstBytes(*o), byFirstBytesInside)
	case address.Chip:
		layers = append(layers, byPreface)
	}
	return layers
}

// layered is a listener whose connections go through layers.
type layered struct {
	net.Listener
	layers []layer
	limit  int
}

// Accept returns the next connection, whose layers are put on by its handshake.
func (l *layered) Accept() (net.Conn, error) {
	below, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(below, l.layers, l.limit), nil
}
