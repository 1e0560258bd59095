package credential

// Content is what a login signs: the device's part of CONNECT, of a sub-device's login and of the HTTPS
// authentication. A sub-device's login signs its client identifier whole, with pipes and all; CONNECT signs
// the text before the first pipe.
type Content struct {
	ClientID   []byte
	DeviceName []byte
	ProductKey []byte
	Timestamp  []byte // nil: there is none, and it is not signed
}

// AppendTo appends the keys in alphabetical order, each with its value, without separators.
func (c *Content) AppendTo(dst []byte) []byte {
	dst = append(append(dst, "clientId"...), c.ClientID...)
	dst = append(append(dst, "deviceName"...), c.DeviceName...)
	dst = append(append(dst, "productKey"...), c.ProductKey...)
	if c.Timestamp != nil {
		dst = append(append(dst, "timestamp"...), c.Timestamp...)
	}
	return dst
}

// RegistrationContent is what a dynamic registration signs with the product's secret, by MQTT and by HTTP.
type RegistrationContent struct {
	DeviceName []byte
	ProductKey []byte
	Random     []byte
}

// AppendTo appends the keys in alphabetical order, each with its value, without separators.
func (c *RegistrationContent) AppendTo(dst []byte) []byte {
	dst = append(append(dst, "deviceName"...), c.DeviceName...)
	dst = append(append(dst, "productKey"...), c.ProductKey...)
	return append(append(dst, "random"...), c.Random...)
}
