package listen

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"sampan/broker"
	"sampan/tlsconf/proxyproto"
)

// proxyTimeout is how long a proxy may take for its header, which it sends before anything of the client's.
const proxyTimeout = 5 * time.Second

// proxied is the layer of the PROXY protocol. A connection from one of the networks begins with a header, or
// ends. One from elsewhere has none, and ends if it sends one: anybody could claim to be anybody.
func proxied(networks []netip.Prefix) layer {
	return func(ctx context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error) {
		peer, ok := below.RemoteAddr().(*net.TCPAddr)
		if !ok || !contains(networks, peer.AddrPort().Addr()) {
			return below, noHeader(below.(*meter))
		}
		if err := below.SetReadDeadline(time.Now().Add(proxyTimeout)); err != nil {
			return nil, err
		}
		header, err := proxyproto.Read(below)
		if err != nil {
			return nil, fmt.Errorf("from the proxy %s: %w", peer, err)
		}
		if err := below.SetReadDeadline(time.Time{}); err != nil {
			return nil, err
		}
		if !header.Told() {
			return below, nil // the proxy speaks for itself
		}
		channel.Remote, channel.Local = net.TCPAddrFromAddrPort(header.Source), net.TCPAddrFromAddrPort(header.Destination)
		return below, broker.SetRemote(ctx, channel.Remote)
	}
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// noHeader waits for the first bytes and refuses them if they are a proxy's.
func noHeader(below *meter) error {
	var first [16]byte
	n, err := below.peek(first[:])
	if err != nil {
		return err
	}
	if proxyproto.Begins(first[:n]) {
		return fmt.Errorf("%s sends a PROXY header, but is in none of the networks of proxy-from", below.RemoteAddr())
	}
	return nil
}
