package device

import (
	"crypto/sha256"
	"sync"
)

// Fingerprint is the SHA-256 of a certificate in DER form.
type Fingerprint = [sha256.Size]byte

// certificates finds devices by the certificate that is bound to them. An entry may be out of date: who finds
// a device by it asks the device, which knows for sure.
type certificates struct{ byFingerprint sync.Map } // Fingerprint to owner

type owner struct {
	product *product
	number  uint32
}

// replace notes that a device's record has changed from one body to another; nil: it had, or has, none.
func (c *certificates) replace(p *product, number uint32, before, after []byte) {
	old, had := certificateIn(before)
	bound, has := certificateIn(after)
	if had && !(has && bound == old) {
		c.byFingerprint.Delete(old)
	}
	if has {
		c.byFingerprint.Store(bound, owner{p, number})
	}
}

// certificateIn finds the certificate in a device's record.
func certificateIn(body []byte) (f Fingerprint, ok bool) {
	c := cursor{b: body}
	c.text()
	c.number()
	for {
		switch tag, value := c.field(); tag {
		case tagEnd:
			return f, false
		case tagCertificate:
			if len(value) != len(f) {
				return f, false
			}
			return Fingerprint(value), true
		}
	}
}

// Certificate is the fingerprint of the certificate that is bound to the device. ok is false if none is.
func (d *Device) Certificate() (f Fingerprint, ok bool) { return certificateIn(d.item.Body) }

// BindCertificate makes a certificate the only one with which a device is accepted, whatever is written in it,
// instead of one that was bound before. The error matches ErrNoProduct, ErrNoDevice, or ErrExists if the
// certificate is bound to another device.
func (r *Registry) BindCertificate(productKey, deviceName string, f Fingerprint) (Device, error) {
	return r.changeDevice(productKey, deviceName, DeviceCertificate, func(b *body, _ *uint64) error {
		if other, err := r.ByCertificate(f); err == nil && (other.product.Key != productKey || string(other.Name()) != deviceName) {
			return refuse(ErrExists, "the certificate is bound to device %s of product %s", other.Name(), other.product.Key)
		}
		b.certificate = string(f[:])
		return nil
	})
}

// UnbindCertificate takes the certificate away that is bound to a device, if one is.
func (r *Registry) UnbindCertificate(productKey, deviceName string) (Device, error) {
	return r.changeDevice(productKey, deviceName, DeviceCertificate, func(b *body, _ *uint64) error {
		b.certificate = ""
		return nil
	})
}

// ByCertificate finds the device to which a certificate is bound, without the registry's lock. The error is
// ErrNoDevice.
func (r *Registry) ByCertificate(f Fingerprint) (Device, error) {
	found, _ := r.certificates.byFingerprint.Load(f)
	if at, ok := found.(owner); ok && r.product([]byte(at.product.info.Load().Key)) == at.product {
		if item, there := at.product.devices.At(at.number); there {
			d := at.product.device(item)
			if bound, ok := d.Certificate(); ok && bound == f {
				return d, nil
			}
		}
	}
	return Device{}, ErrNoDevice
}
