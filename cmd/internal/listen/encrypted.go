package listen

import (
	"context"
	"crypto/tls"
	"net"

	"sampan/broker"
	"sampan/tlsconf/psk"
)

// toTLS is the layer of TLS with certificates.
func toTLS(config *tls.Config) layer {
	return func(ctx context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error) {
		conn := tls.Server(below, config)
		end, err := beginHandshake(ctx, below)
		if err != nil {
			return nil, err
		}
		defer end()
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		state := conn.ConnectionState()
		channel.Security, channel.TLS = broker.TLS, &state
		return conn, nil
	}
}

// toPSK is the layer of TLS with pre-shared keys.
func toPSK(config *psk.Config) layer {
	return func(ctx context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error) {
		conn := psk.Server(below, config)
		end, err := beginHandshake(ctx, below)
		if err != nil {
			return nil, err
		}
		defer end()
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		channel.Security, channel.Identity = broker.PSK, conn.ConnectionState().Identity
		return conn, nil
	}
}

// beginHandshake waits for the client's first bytes, and then for one of the places that the broker has for
// handshakes. Who says nothing takes none.
func beginHandshake(ctx context.Context, below net.Conn) (end func(), err error) {
	if m, ok := below.(*meter); ok {
		var first [1]byte
		if _, err := m.peek(first[:]); err != nil {
			return nil, err
		}
	}
	return broker.BeginHandshake(ctx)
}
