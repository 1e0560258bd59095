package listen

import (
	"context"
	"fmt"
	"net"
	"slices"

	"sampan/broker"
	"sampan/cmd/internal/address"
)

// level is what the channel proves and hides, in the words of a listener's address.
func level(channel *broker.Channel) address.Level {
	switch {
	case channel.Security == broker.Chip, channel.TLS != nil && len(channel.TLS.VerifiedChains) > 0:
		return address.High
	case channel.Security == broker.PSK:
		return address.Medium
	case channel.Security == broker.TLS:
		return address.TLSOnly
	}
	return address.Low
}

// accepted is the layer that lets in the levels that a listener names.
func accepted(levels []address.Level) layer {
	return func(_ context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error) {
		if came := level(channel); !slices.Contains(levels, came) {
			return nil, fmt.Errorf("the listener accepts %s, and the client's channel is %s", address.Words(levels), came)
		}
		return below, nil
	}
}
