package proxyproto

import (
	"bytes"
	"net/netip"
	"strconv"
)

const v1Prefix = "PROXY "

// nextV1 reads
//
//	PROXY TCP4 192.0.2.7 198.51.100.1 40000 1883\r\n
//	PROXY TCP6 2001:db8::7 2001:db8::1 40000 1883\r\n
//	PROXY UNKNOWN anything\r\n
func nextV1(b []byte) (h Header, n, need int, err error) {
	line := b[:min(len(b), MaxV1)]
	if k := min(len(line), len(v1Prefix)); string(line[:k]) != v1Prefix[:k] {
		return h, 0, 0, ErrNone
	}
	end := bytes.IndexByte(line, '\n')
	if end < 0 {
		if len(line) == MaxV1 {
			return h, 0, 0, malformed("a line of version 1 is longer than %d bytes", MaxV1)
		}
		need, err = missingV1(line)
		return h, 0, min(need, MaxV1-len(line)), err
	}
	if line[end-1] != '\r' {
		return h, 0, 0, malformed("a line of version 1 ends without CR LF")
	}
	h, err = parseV1(line[len(v1Prefix) : end-1])
	if err != nil {
		return Header{}, 0, 0, err
	}
	return h, end + 1, 0, nil
}

// The families of version 1.
const (
	v1TCP4    = "TCP4"
	v1TCP6    = "TCP6"
	v1Unknown = "UNKNOWN"
	v1Fields  = 5 // blanks in a line with addresses
)

var errFamily = malformed("a line of version 1 names none of TCP4, TCP6 and UNKNOWN")

// errFields: the fields are the family, two addresses and two ports.
var errFields = malformed("a line of version 1 has not %d fields", v1Fields)

// missingV1 says how many bytes a line without its end has still got at least,
// or what is wrong with it already.
func missingV1(line []byte) (int, error) {
	const crlf = 2
	if err := beginningV1(line); err != nil {
		return 0, err
	}
	switch {
	case len(line) < shortest:
		return shortest - len(line), nil
	case line[len(line)-1] == '\r':
		return 1, nil
	case hasPrefix(line, v1Prefix+v1Unknown):
		return crlf, nil
	}
	blanks := bytes.Count(line, []byte{' '})
	if blanks > v1Fields {
		return 0, errFields
	}
	need := 2*(v1Fields-blanks) + crlf // a blank and a character for each field to come
	if line[len(line)-1] == ' ' {
		need++
	}
	return need, nil
}

// beginningV1 checks the kind of address as far as it is there.
func beginningV1(line []byte) error {
	if len(line) <= len(v1Prefix) {
		return nil
	}
	rest := line[len(v1Prefix):]
	for _, kind := range []string{v1TCP4 + " ", v1TCP6 + " ", v1Unknown} {
		if k := min(len(kind), len(rest)); string(rest[:k]) == kind[:k] {
			return nil
		}
	}
	return errFamily
}

// parseV1 reads a line without its beginning and its end.
func parseV1(line []byte) (h Header, err error) {
	h.Version = 1
	fields := bytes.Split(line, []byte{' '})
	kind := string(fields[0])
	if kind == v1Unknown {
		return h, nil // whatever follows is to be ignored
	}
	if kind != v1TCP4 && kind != v1TCP6 {
		return h, errFamily
	}
	if len(fields) != v1Fields {
		return h, errFields
	}
	var addrs [2]netip.Addr
	for i, field := range fields[1:3] {
		// No zone: it would mean something on the proxy only.
		addr, err := netip.ParseAddr(string(field))
		if err != nil || addr.Zone() != "" || addr.Is4() != (kind == v1TCP4) {
			return h, malformed("%.40q is no address of %s", field, kind)
		}
		addrs[i] = addr.Unmap()
	}
	var ports [2]uint16
	for i, field := range fields[3:5] {
		port, err := strconv.ParseUint(string(field), 10, 16)
		if err != nil || strconv.FormatUint(port, 10) != string(field) {
			return h, malformed("%.8q is no port", field)
		}
		ports[i] = uint16(port)
	}
	h.Source, h.Destination = netip.AddrPortFrom(addrs[0], ports[0]), netip.AddrPortFrom(addrs[1], ports[1])
	return h, nil
}

// appendV1 appends the header as a line.
func (h Header) appendV1(dst []byte) []byte {
	dst = append(dst, v1Prefix...)
	if !h.Told() {
		return append(dst, v1Unknown+"\r\n"...)
	}
	kind := v1TCP4
	if h.is6() {
		kind = v1TCP6
	}
	dst = append(append(dst, kind...), ' ')
	dst = append(h.as(h.Source).AppendTo(dst), ' ')
	dst = append(h.as(h.Destination).AppendTo(dst), ' ')
	dst = append(strconv.AppendUint(dst, uint64(h.Source.Port()), 10), ' ')
	dst = strconv.AppendUint(dst, uint64(h.Destination.Port()), 10)
	return append(dst, '\r', '\n')
}
