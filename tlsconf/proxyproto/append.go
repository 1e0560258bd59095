package proxyproto

import "net/netip"

// AppendTo appends the header as a proxy would send it. Version 2 is written
// unless Version is 1. Zones of addresses are left out.
func (h Header) AppendTo(dst []byte) []byte {
	if h.Version == 1 {
		return h.appendV1(dst)
	}
	return h.appendV2(dst)
}

// is6 reports whether the addresses are written as IPv6: both or neither are.
func (h Header) is6() bool {
	return h.Source.Addr().Unmap().Is6() || h.Destination.Addr().Unmap().Is6()
}

// as is the address in the family in which both are written. A destination
// that is not known is written as zeros.
func (h Header) as(a netip.AddrPort) netip.Addr {
	addr := a.Addr().Unmap().WithZone("")
	switch {
	case !addr.IsValid() && h.is6():
		return netip.IPv6Unspecified()
	case !addr.IsValid():
		return netip.IPv4Unspecified()
	case h.is6():
		return netip.AddrFrom16(addr.As16())
	}
	return addr
}
