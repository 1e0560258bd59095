package listen

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"sampan/broker"
	"sampan/cmd/internal/address"
	"sampan/tlsconf/chip"
)

// closedToOthers is the umask of the socket for terminators: its owner and its group may use it. Whoever may
// use it can be any device with a chip.
const closedToOthers = 0o117

// listenChip opens the socket for a terminator of chips.
func listenChip(u address.URL) (net.Listener, error) {
	before := syscall.Umask(closedToOthers)
	defer syscall.Umask(before)
	return listenUnix(u)
}

// byPreface is the layer that reads what the terminator says of a connection.
func byPreface(ctx context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error) {
	p, err := chip.Read(below)
	if err != nil {
		return nil, err
	}
	channel.Security, channel.Identity = broker.Chip, p.Identity
	if remote, err := netip.ParseAddrPort(p.Remote); err == nil {
		channel.Remote = net.TCPAddrFromAddrPort(remote)
		if err := broker.SetRemote(ctx, channel.Remote); err != nil {
			return nil, err
		}
	}
	return below, nil
}
