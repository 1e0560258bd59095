package listen

import (
	"context"
	"errors"
	"fmt"
	"net"

	"sampan/broker"
	"sampan/tlsconf/detect"
	"sampan/tlsconf/psk"
)

// byFirstBytes is the layer that finds out what a client speaks and puts on what that takes. It looks at the
// first byte without taking it, so that plain MQTT, which it is nearly always, is left as the socket it came
// on. What is inside TLS is for byFirstBytesInside to find out.
func byFirstBytes(o Options) layer {
	secure := o.secure()
	return func(ctx context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error) {
		var first [1]byte
		if _, err := below.(*meter).peek(first[:]); err != nil {
			return nil, err
		}
		if kind, told := detect.Bytes(first[:]); told && kind == detect.MQTT {
			return below, nil
		}
		conn, kind, err := detect.Client(below)
		if err != nil {
			return nil, err
		}
		switch {
		case kind == detect.TLS && o.TLS != nil:
			return secure(ctx, conn, channel)
		case (kind == detect.TLS || kind == detect.PSK) && o.PSK != nil:
			// What detect calls TLS may take a key, too.
			secured, err := toPSK(o.PSK)(ctx, conn, channel)
			if e, ok := errors.AsType[*psk.Error](err); ok && kind == detect.TLS && !e.Remote && (e.Alert == psk.AlertHandshakeFailure || e.Alert == psk.AlertProtocolVersion) {
				err = fmt.Errorf("%w: %w", errNoCertificate, err)
			}
			return secured, err
		case kind == detect.TLS || kind == detect.PSK:
			return nil, errNoCertificate
		case kind == detect.HTTP:
			return toWebSocket("/")(ctx, conn, channel)
		}
		return nil, errors.New("the client speaks neither MQTT nor TLS nor HTTP")
	}
}

var errNoCertificate = errors.New("the client wants TLS, and there is no certificate: set --cert and --key")

// byFirstBytesInside is the layer that tells MQTT from WebSocket inside TLS. It is a layer of its own, so that what
// TLS has put on is closed with the connection if there is neither.
func byFirstBytesInside(ctx context.Context, secured net.Conn, channel *broker.Channel) (net.Conn, error) {
	if channel.Security != broker.TLS {
		return secured, nil
	}
	conn, kind, err := detect.Client(secured)
	switch {
	case err != nil:
		return nil, err
	case kind == detect.HTTP:
		return toWebSocket("/")(ctx, conn, channel)
	case kind == detect.MQTT:
		return conn, nil
	}
	return nil, errors.New("inside TLS the client speaks neither MQTT nor HTTP")
}
