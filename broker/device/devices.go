package device

import (
	"slices"
	"strings"

	"sampan/broker/device/internal/compact"
)

// DeviceSpec describes a device to make.
type DeviceSpec struct {
	Name     string // empty: generated
	Secret   string // empty: generated
	Nickname string
}

// CreateDevice makes a device. The error matches ErrNoProduct, ErrExists, ErrInvalid or ErrLimit.
func (r *Registry) CreateDevice(productKey string, s DeviceSpec) (Device, error) {
	devices, err := r.CreateDevices(productKey, []DeviceSpec{s})
	if err != nil {
		return Device{}, err
	}
	return devices[0], nil
}

// CreateDevices makes all of the devices, or none of them if one of them cannot be. The error is that of
// CreateDevice.
func (r *Registry) CreateDevices(productKey string, specs []DeviceSpec) (made []Device, err error) {
	err = r.change(func() error {
		p := r.product([]byte(productKey))
		if p == nil {
			return ErrNoProduct
		}
		if err := within(p.devices.Len()+len(specs)-1, r.o.MaxDevicesPerProduct, "devices in this product"); err != nil {
			return err
		}
		specs = slices.Clone(specs)
		names := make(map[string]bool, len(specs))
		for i := range specs {
			if err := p.complete(&specs[i]); err != nil {
				return err
			}
			if names[specs[i].Name] {
				return refuse(ErrExists, "device name %s comes twice", specs[i].Name)
			}
			names[specs[i].Name] = true
		}
		for _, s := range specs {
			d, err := r.add(p, s.Name, &body{secret: s.Secret, nickname: s.Nickname, created: r.now()})
			if err != nil {
				return err
			}
			made = append(made, d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// complete fills in what is generated and checks the rest.
func (p *product) complete(s *DeviceSpec) error {
	if s.Name == "" {
		s.Name = generate(deviceNameLength)
	}
	if s.Secret == "" {
		s.Secret = generate(deviceSecretLength)
	}
	if err := checkNewName(s.Name); err != nil {
		return err
	}
	if err := checkSecret("device secret", s.Secret); err != nil {
		return err
	}
	if err := checkLabel("nickname", s.Nickname); err != nil {
		return err
	}
	if _, found := p.devices.Find([]byte(s.Name)); found {
		return refuse(ErrExists, "device %s of product %s", s.Name, p.info.Load().Key)
	}
	return nil
}

// add makes a device that has been checked. The caller holds mu.
func (r *Registry) add(p *product, name string, b *body) (Device, error) {
	number := p.devices.Next()
	if number >= compact.MaxNumber {
		return Device{}, refuse(ErrLimit, "%d devices have been made in this product", number)
	}
	info := p.info.Load()
	text := b.appendTo(r.bodyScratch[:0])
	r.bodyScratch = text
	if err := r.append(appendDevice(r.scratch, info.Key, number, 0, []byte(name), text)); err != nil {
		return Device{}, err
	}
	d := p.device(p.devices.Put([]byte(name), text))
	r.live++
	r.notify(DeviceCreated, info, &d)
	return d, nil
}

// changeDevice lets fn change what the registry knows of a device. Nothing is written, and nobody is told, if
// fn changed nothing.
func (r *Registry) changeDevice(productKey, deviceName string, kind ChangeKind, fn func(b *body, state *uint64) error) (d Device, err error) {
	err = r.change(func() error {
		p := r.product([]byte(productKey))
		if p == nil {
			return ErrNoProduct
		}
		item, found := p.devices.Find([]byte(deviceName))
		if !found {
			return ErrNoDevice
		}
		d, err = r.replace(p, item, kind, fn)
		return err
	})
	if err != nil {
		return Device{}, err
	}
	return d, nil
}

// replace is changeDevice for a device that has been found. The caller holds mu.
func (r *Registry) replace(p *product, item compact.Item, kind ChangeKind, fn func(b *body, state *uint64) error) (Device, error) {
	b, _ := readBody(item.Body)
	before := item.Entry.State.Load()
	state := before
	if err := fn(&b, &state); err != nil {
		return Device{}, err
	}
	text := b.appendTo(r.bodyScratch[:0])
	r.bodyScratch = text
	info := p.info.Load()
	switch {
	case string(text) != string(item.Body):
		if err := r.append(appendDevice(r.scratch, info.Key, item.Number, state, item.Name, text)); err != nil {
			return Device{}, err
		}
		before := item.Body
		item = p.devices.Put(item.Name, text)
		r.certificates.replace(p, item.Number, before, item.Body)
	case state != before:
		if err := r.append(appendDeviceState(r.scratch, info.Key, item.Number, state)); err != nil {
			return Device{}, err
		}
	default:
		return p.device(item), nil
	}
	item.Entry.State.Store(state)
	d := p.device(item)
	r.notify(kind, info, &d)
	return d, nil
}

// Enable lets a device log in again.
func (r *Registry) Enable(productKey, deviceName string) (Device, error) {
	return r.changeDevice(productKey, deviceName, DeviceEnabled, func(_ *body, state *uint64) error {
		*state &^= stateDisabled
		return nil
	})
}

// Disable keeps a device from logging in. Who watches cuts its connection.
func (r *Registry) Disable(productKey, deviceName string) (Device, error) {
	return r.changeDevice(productKey, deviceName, DeviceDisabled, func(_ *body, state *uint64) error {
		*state |= stateDisabled
		return nil
	})
}

// Activate notes that a device has logged in. Only the first time means something; then the change is made
// without waiting for the disk.
func (r *Registry) Activate(d *Device) error {
	if activated(d.state) != 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	p := r.product([]byte(d.product.Key))
	if p == nil {
		return ErrNoProduct
	}
	item, found := p.devices.Find(d.item.Name)
	if !found {
		return ErrNoDevice
	}
	_, err := r.replace(p, item, DeviceActivated, func(_ *body, state *uint64) error {
		if activated(*state) == 0 {
			*state |= uint64(r.now())
		}
		return nil
	})
	r.tidy()
	return err
}

// Reset makes a device as if it had never logged in, so that it may register again; its secret stays
// (the server API's ResetThing).
func (r *Registry) Reset(productKey, deviceName string) (Device, error) {
	return r.changeDevice(productKey, deviceName, DeviceReset, func(b *body, state *uint64) error {
		*state &= stateDisabled
		b.tokens = nil
		return nil
	})
}

// SetNickname gives a device a name for people.
func (r *Registry) SetNickname(productKey, deviceName, nickname string) (Device, error) {
	return r.changeDevice(productKey, deviceName, DeviceChanged, func(b *body, _ *uint64) error {
		b.nickname = nickname
		return checkLabel("nickname", nickname)
	})
}

// mostTags bounds the tags of a device: they are rewritten together.
const mostTags = 100

// SetTags adds tags to a device, or replaces those with the same key, and removes the keys named in remove. Of
// tags with one key in set the last one counts. The error matches ErrNoProduct, ErrNoDevice, ErrInvalid or
// ErrLimit; that is also the one for a set or a remove that is longer than the tags that a device may have, even
// if keys come twice in it.
func (r *Registry) SetTags(productKey, deviceName string, set []Tag, remove []string) (Device, error) {
	// Whoever changes the registry waits while the tags are put in their places, so there are not any number.
	if n := max(len(set), len(remove)); n > mostTags {
		return Device{}, refuse(ErrLimit, "%d tags in one change, the limit is %d", n, mostTags)
	}
	return r.changeDevice(productKey, deviceName, DeviceChanged, func(b *body, _ *uint64) error {
		for _, t := range set {
			if t.Key == "" {
				return refuse(ErrInvalid, "a tag without a key")
			}
			if err := checkLabel("key of a tag", t.Key); err != nil {
				return err
			}
			if err := checkLabel("value of a tag", t.Value); err != nil {
				return err
			}
			i, found := slices.BinarySearchFunc(b.tags, t.Key, func(t Tag, key string) int { return strings.Compare(t.Key, key) })
			if found {
				b.tags[i] = t
			} else {
				b.tags = slices.Insert(b.tags, i, t)
			}
		}
		b.tags = slices.DeleteFunc(b.tags, func(t Tag) bool { return slices.Contains(remove, t.Key) })
		return within(len(b.tags)-1, mostTags, "tags on this device")
	})
}

// Delete deletes a device. Who watches cuts its connection.
func (r *Registry) Delete(productKey, deviceName string) error {
	return r.change(func() error {
		p := r.product([]byte(productKey))
		if p == nil {
			return ErrNoProduct
		}
		item, found := p.devices.Find([]byte(deviceName))
		if !found {
			return ErrNoDevice
		}
		if err := r.append(appendDeviceDeleted(r.scratch, productKey, item.Number)); err != nil {
			return err
		}
		d := p.device(item)
		p.devices.Delete(item.Name)
		r.certificates.replace(p, item.Number, item.Body, nil)
		r.live--
		r.notify(DeviceDeleted, d.product, &d)
		return nil
	})
}
