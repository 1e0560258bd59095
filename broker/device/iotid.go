package device

import "hash/fnv"

// An IotId names a device in the server's API. On the platform it is a text without meaning; here it says
// where the device is, so that no index of a million more names is needed: five characters that depend on the
// names, five of the device's number, and the product key. A device that is deleted and made again has
// another one, as on the platform.
const (
	iotIDCheck  = 5
	iotIDNumber = 5
)

// IotID is the device's IotId.
func (d *Device) IotID() string {
	return iotID(d.product.Key, d.item.Name, d.item.Number)
}

func iotID(productKey string, name []byte, number uint32) string {
	h := fnv.New32a()
	h.Write([]byte(productKey))
	h.Write([]byte{'/'})
	h.Write(name)
	id := appendBase62(nil, h.Sum32()^number, iotIDCheck)
	id = appendBase62(id, number, iotIDNumber)
	return string(id) + productKey
}

// appendBase62 appends the last digits of a number.
func appendBase62(dst []byte, n uint32, digits int) []byte {
	start := len(dst)
	for range digits {
		dst = append(dst, 0)
	}
	for i := len(dst) - 1; i >= start; i-- {
		dst[i] = alphabet[n%62]
		n /= 62
	}
	return dst
}

func parseBase62(text string) (n uint32, ok bool) {
	for _, c := range []byte(text) {
		digit := -1
		for i := range len(alphabet) {
			if alphabet[i] == c {
				digit = i
				break
			}
		}
		if digit < 0 {
			return 0, false
		}
		n = 62*n + uint32(digit)
	}
	return n, true
}

// ByIotID finds a device by its IotId. The error is ErrNoDevice.
func (r *Registry) ByIotID(id string) (Device, error) {
	if len(id) <= iotIDCheck+iotIDNumber {
		return Device{}, ErrNoDevice
	}
	number, ok := parseBase62(id[iotIDCheck : iotIDCheck+iotIDNumber])
	p := r.product([]byte(id[iotIDCheck+iotIDNumber:]))
	if !ok || p == nil {
		return Device{}, ErrNoDevice
	}
	item, found := p.devices.At(number)
	if !found || iotID(p.info.Load().Key, item.Name, number) != id {
		return Device{}, ErrNoDevice
	}
	return p.device(item), nil
}
