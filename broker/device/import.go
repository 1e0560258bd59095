package device

// Imported is a device that exists already, with a secret that it carries in the field.
type Imported struct {
	ProductKey    string
	DeviceName    string
	DeviceSecret  string
	ProductSecret string // empty: not known
}

// Outcome says what became of an imported device.
type Outcome uint8

const (
	ImportFailed Outcome = iota
	ImportAdded
	ImportUnchanged // it was there, with this secret
	ImportReplaced  // it was there with another secret
)

// ImportResult is the outcome for one imported device. Err is not nil exactly if it failed, and matches
// ErrInvalid, ErrExists or ErrLimit.
type ImportResult struct {
	Outcome Outcome
	Err     error
}

// Import takes over devices with their secrets, and makes the products that they name. A device or a product
// that is there with another secret is left alone, which is an error of that device, unless replace is set.
// Names only have to be usable, see the package's documentation. All that can be imported is, and is on the
// disk when Import returns. The error is that of the registry, not of a device; then the results say what
// became visible.
func (r *Registry) Import(batch []Imported, replace bool) (results []ImportResult, err error) {
	results = make([]ImportResult, len(batch))
	err = r.change(func() error {
		for i := range batch {
			outcome, err := r.importOne(&batch[i], replace)
			results[i] = ImportResult{outcome, err}
		}
		return nil
	})
	return results, err
}

// importOne imports a device. The caller holds mu.
func (r *Registry) importOne(d *Imported, replace bool) (Outcome, error) {
	if err := checkImportedName(d.DeviceName); err != nil {
		return ImportFailed, err
	}
	if err := checkSecret("device secret", d.DeviceSecret); err != nil {
		return ImportFailed, err
	}
	p, err := r.importProduct(d, replace)
	if err != nil {
		return ImportFailed, err
	}
	item, found := p.devices.Find([]byte(d.DeviceName))
	if !found {
		if err := within(p.devices.Len(), r.o.MaxDevicesPerProduct, "devices in this product"); err != nil {
			return ImportFailed, err
		}
		if _, err := r.add(p, d.DeviceName, &body{secret: d.DeviceSecret, created: r.now()}); err != nil {
			return ImportFailed, err
		}
		return ImportAdded, nil
	}
	known := p.device(item)
	if string(known.Secret()) == d.DeviceSecret {
		return ImportUnchanged, nil
	}
	if !replace {
		return ImportFailed, refuse(ErrExists, "device %s of product %s has another secret", d.DeviceName, d.ProductKey)
	}
	_, err = r.replace(p, item, DeviceChanged, func(b *body, _ *uint64) error {
		b.secret = d.DeviceSecret
		return nil
	})
	if err != nil {
		return ImportFailed, err
	}
	return ImportReplaced, nil
}

// importProduct finds or makes the product of an imported device. The caller holds mu.
func (r *Registry) importProduct(d *Imported, replace bool) (*product, error) {
	p := r.product([]byte(d.ProductKey))
	if p == nil {
		if d.ProductKey == "" {
			return nil, checkProductKey(d.ProductKey)
		}
		_, err := r.createProduct(ProductSpec{
			Key: d.ProductKey, Secret: d.ProductSecret, Categories: defaultCategories(), imported: true,
		})
		return r.product([]byte(d.ProductKey)), err
	}
	info := p.info.Load()
	switch {
	case d.ProductSecret == "" || d.ProductSecret == info.Secret:
		return p, nil
	case info.Secret != "" && !replace:
		return nil, refuse(ErrExists, "product %s has another secret", d.ProductKey)
	}
	if err := checkSecret("product secret", d.ProductSecret); err != nil {
		return nil, err
	}
	changed := *info
	changed.Secret = d.ProductSecret
	if err := r.append(appendProduct(r.scratch, &changed, p.devices.Next(), r.nextID)); err != nil {
		return nil, err
	}
	p.info.Store(&changed)
	r.notify(ProductChanged, &changed, nil)
	return p, nil
}
