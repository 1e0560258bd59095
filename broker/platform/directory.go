package platform

import (
	"errors"

	"sampan/broker/credential"
	"sampan/broker/device"
)

// directory is the registry as the verifier of credentials asks for it.
type directory struct{ p *Platform }

func (d directory) find(productKey, deviceName []byte) (dev device.Device, s credential.Standing) {
	dev, err := d.p.registry.Lookup(productKey, deviceName)
	switch {
	case err == nil && dev.Status() == device.Disabled:
		return dev, credential.Disabled
	case err == nil:
		return dev, credential.Enabled
	case errors.Is(err, device.ErrNoProduct):
		return dev, credential.NoProduct
	case errors.Is(err, device.ErrNoDevice):
		return dev, credential.NoDevice
	}
	return dev, credential.Failed
}

// DeviceSecret is part of credential.Directory.
func (d directory) DeviceSecret(productKey, deviceName []byte) ([]byte, credential.Standing) {
	dev, s := d.find(productKey, deviceName)
	if s > credential.Disabled {
		return nil, s
	}
	return dev.Secret(), s
}

// ProductSecret is part of credential.Directory.
func (d directory) ProductSecret(productKey []byte) ([]byte, credential.Standing) {
	p, err := d.p.registry.LookupProduct(productKey)
	if errors.Is(err, device.ErrNoProduct) {
		return nil, credential.NoProduct
	}
	if err != nil {
		return nil, credential.Failed
	}
	return []byte(p.Secret), credential.Enabled
}

// DeviceToken is part of credential.Directory.
func (d directory) DeviceToken(productKey, deviceName, clientID []byte) ([]byte, credential.Standing) {
	dev, s := d.find(productKey, deviceName)
	if s > credential.Disabled {
		return nil, s
	}
	return dev.Token(clientID), s
}

// Ticket is part of credential.Directory.
func (d directory) Ticket(iotID []byte) (productKey, deviceName, token []byte, s credential.Standing) {
	dev, err := d.p.registry.ByIotID(string(iotID))
	if err != nil {
		return nil, nil, nil, credential.NoTicket
	}
	t, ok, err := d.p.ticket(string(iotID))
	switch {
	case err != nil:
		d.p.opts.Logger.Error("a ticket cannot be read", "error", err)
		return nil, nil, nil, credential.Failed
	case !ok:
		return nil, nil, nil, credential.NoTicket
	case dev.Status() == device.Disabled:
		s = credential.Disabled
	default:
		s = credential.Enabled
	}
	return []byte(dev.Product().Key), dev.Name(), []byte(t.Token), s
}
