package credential

import "bytes"

// PSKIdentity is the identity that a device names in the handshake of TLS with a pre-shared key:
//
//	devicename|hmacsha256|productKey&deviceName|2524608000000
//
// After Parse it is a view that aliases the identity.
type PSKIdentity struct {
	Method     Method
	ProductKey []byte
	DeviceName []byte
	Timestamp  []byte
}

// pskKind is the only first part of an identity that has been seen: the key is the device's.
const pskKind = "devicename"

// Parse reads an identity and overwrites all of p. It returns false if the identity is not of this form; p
// is then zero.
func (p *PSKIdentity) Parse(identity []byte) bool {
	*p = PSKIdentity{}
	kind, rest, _ := bytes.Cut(identity, pipe)
	method, rest, _ := bytes.Cut(rest, pipe)
	device, timestamp, found := bytes.Cut(rest, pipe)
	m, known := ParseMethod(method)
	// Here the product comes first, unlike in the user name.
	productKey, deviceName, two := bytes.Cut(device, ampersand)
	if !found || !known || !two || string(kind) != pskKind || len(productKey) == 0 || len(deviceName) == 0 ||
		bytes.IndexByte(deviceName, '&') >= 0 {
		return false
	}
	*p = PSKIdentity{Method: m, ProductKey: productKey, DeviceName: deviceName, Timestamp: timestamp}
	return true
}

// AppendTo appends the identity in the form that Parse reads.
func (p *PSKIdentity) AppendTo(dst []byte) []byte {
	dst = append(append(append(dst, pskKind...), '|'), p.Method.String()...)
	dst = append(append(dst, '|'), p.ProductKey...)
	dst = append(append(dst, '&'), p.DeviceName...)
	return append(append(dst, '|'), p.Timestamp...)
}

// AppendKey appends the pre-shared key of the device with this secret to dst: the characters of an HMAC in
// upper-case hexadecimal, and not the bytes that they stand for.
func (p *PSKIdentity) AppendKey(dst, secret []byte) []byte {
	s := p.Method.signer()
	s.text = append(append(s.text[:0], "id"...), p.ProductKey...)
	s.text = append(append(s.text, '&'), p.DeviceName...)
	s.text = append(append(s.text, "timestamp"...), p.Timestamp...)
	dst = appendHex(dst, s.mac(secret, s.text), upperDigits)
	p.Method.release(s)
	return dst
}
