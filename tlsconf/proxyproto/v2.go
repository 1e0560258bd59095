package proxyproto

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

const v2Signature = "\r\n\r\n\x00\r\nQUIT\n"

// The fixed part of version 2: signature, version and command, family and
// transport, length of what follows.
const (
	v2Command  = len(v2Signature)
	v2Family   = v2Command + 1
	v2Length   = v2Family + 1
	v2Fixed    = v2Length + 2
	v2Local    = 0x20 // version 2, the proxy speaks for itself
	v2Proxy    = 0x21 // version 2, for somebody
	v2Unspec   = 0x00
	v2TCP4     = 0x11
	v2TCP6     = 0x21
	v2Unix     = 0x31
	v2UnixSize = 2 * 108
	v2CRC      = 0x03 // type of the field with a checksum
)

// v2Size is what addresses take; UDP is not among them, MQTT needs a stream.
var v2Size = map[byte]int{
	v2Unspec: 0, v2TCP4: 2*4 + 2*2, v2TCP6: 2*16 + 2*2, v2Unix: v2UnixSize,
}

func nextV2(b []byte) (h Header, n, need int, err error) {
	if k := min(len(b), len(v2Signature)); string(b[:k]) != v2Signature[:k] {
		return h, 0, 0, ErrNone
	}
	if len(b) > v2Command && b[v2Command] != v2Local && b[v2Command] != v2Proxy {
		return h, 0, 0, malformed("version and command 0x%02x are unknown", b[v2Command])
	}
	if len(b) > v2Family && b[v2Command] == v2Proxy {
		if _, known := v2Size[b[v2Family]]; !known {
			return h, 0, 0, malformed("family and transport 0x%02x are not those of a stream", b[v2Family])
		}
	}
	if len(b) < shortest {
		return h, 0, shortest - len(b), nil
	}
	if len(b) < v2Fixed {
		return h, 0, v2Fixed - len(b), nil
	}
	n = v2Fixed + int(binary.BigEndian.Uint16(b[v2Length:]))
	if n > MaxV2 {
		return h, 0, 0, malformed("a header of %d bytes is longer than %d", n, MaxV2)
	}
	size := v2Size[b[v2Family]]
	if b[v2Command] == v2Proxy && n < v2Fixed+size {
		return h, 0, 0, malformed("%d bytes are too few for the addresses of family 0x%02x", n-v2Fixed, b[v2Family])
	}
	if len(b) < n {
		return h, 0, n - len(b), nil
	}
	h.Version = 2
	if b[v2Command] == v2Local {
		return h, n, 0, nil // the rest is to be ignored
	}
	if err := checkFields(b[:n], v2Fixed+size); err != nil {
		return Header{}, 0, 0, err
	}
	switch addresses := b[v2Fixed:]; b[v2Family] {
	case v2TCP4:
		h.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte(addresses[0:4])), binary.BigEndian.Uint16(addresses[8:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom4([4]byte(addresses[4:8])), binary.BigEndian.Uint16(addresses[10:]))
	case v2TCP6:
		h.Source = netip.AddrPortFrom(netip.AddrFrom16([16]byte(addresses[0:16])).Unmap(), binary.BigEndian.Uint16(addresses[32:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom16([16]byte(addresses[16:32])).Unmap(), binary.BigEndian.Uint16(addresses[34:]))
	}
	return h, n, 0, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkFields checks that the additional fields, which begin at from, fill the
// header, and the checksum if there is one. What else they say is not used.
func checkFields(header []byte, from int) error {
	const head, checksum = 3, 4 // a type and a length; a CRC32c
	for at := from; at < len(header); {
		if len(header)-at < head {
			return malformed("an additional field is cut short")
		}
		value := at + head
		end := value + int(binary.BigEndian.Uint16(header[at+1:]))
		if end > len(header) {
			return malformed("an additional field is longer than the header")
		}
		if header[at] == v2CRC {
			if end-value != checksum {
				return malformed("a checksum has %d bytes", end-value)
			}
			sum := crc32.Update(0, castagnoli, header[:value])
			sum = crc32.Update(sum, castagnoli, make([]byte, checksum)) // counted as zero
			sum = crc32.Update(sum, castagnoli, header[end:])
			if sum != binary.BigEndian.Uint32(header[value:end]) {
				return malformed("the checksum is wrong")
			}
		}
		at = end
	}
	return nil
}

// appendV2 appends the header in version 2, without additional fields.
func (h Header) appendV2(dst []byte) []byte {
	dst = append(dst, v2Signature...)
	if !h.Told() {
		return append(dst, v2Local, v2Unspec, 0, 0)
	}
	family := byte(v2TCP4)
	if h.is6() {
		family = v2TCP6
	}
	dst = append(dst, v2Proxy, family)
	dst = binary.BigEndian.AppendUint16(dst, uint16(v2Size[family]))
	dst = append(dst, h.as(h.Source).AsSlice()...)
	dst = append(dst, h.as(h.Destination).AsSlice()...)
	dst = binary.BigEndian.AppendUint16(dst, h.Source.Port())
	return binary.BigEndian.AppendUint16(dst, h.Destination.Port())
}
