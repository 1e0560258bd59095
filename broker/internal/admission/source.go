package admission

import (
	"encoding/binary"
	"net/netip"
)

// Source is what connections are counted by: an IPv4 address, or the /64 network of an IPv6 address, since
// whoever has one such address has the whole network. The zero Source is not counted.
type Source struct{ high, low uint64 }

// v4 is what stands in front of an IPv4 address that is written as an IPv6 one.
const v4 = 0xffff << 32

// SourceOf returns the source of an address. Addresses of this machine and invalid ones are not counted.
func SourceOf(addr netip.Addr) Source {
	addr = addr.Unmap()
	switch {
	case !addr.IsValid() || addr.IsLoopback():
		return Source{}
	case addr.Is4():
		b := addr.As4()
		return Source{low: v4 | uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := addr.As16()
	return Source{high: binary.BigEndian.Uint64(b[:]), low: 1}
}

// Counted reports whether limits apply to the source.
func (s Source) Counted() bool { return s != Source{} }
