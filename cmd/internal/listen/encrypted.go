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
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		channel.Security, channel.Identity = broker.PSK, conn.ConnectionState().Identity
		return conn, nil
	}
}
