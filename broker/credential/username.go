package credential

import "bytes"

var ampersand = []byte("&")

// ParseUsername splits deviceName&productKey. Neither part contains an ampersand or is empty. The parts
// alias username.
func ParseUsername(username []byte) (productKey, deviceName []byte, ok bool) {
	deviceName, productKey, ok = bytes.Cut(username, ampersand)
	if !ok || len(deviceName) == 0 || len(productKey) == 0 || bytes.IndexByte(productKey, '&') >= 0 {
		return nil, nil, false
	}
	return productKey, deviceName, true
}
