package device

// Register answers a device that asked for its secret with the product's secret (dynamic registration,
// authType=register and the HTTP form). It changes nothing: the device becomes active when it logs in, and
// may ask as often as it likes before that. The error matches ErrNoProduct, ErrNoDevice, ErrRegistrationOff,
// ErrDisabled or ErrActive.
func (r *Registry) Register(productKey, deviceName []byte) (Device, error) {
	d, err := r.Lookup(productKey, deviceName)
	switch {
	case err != nil:
		return Device{}, err
	case !d.product.DynamicRegistration:
		return Device{}, ErrRegistrationOff
	case d.Status() == Disabled:
		return Device{}, ErrDisabled
	case d.Status() != Unactivated:
		return Device{}, ErrActive
	}
	return d, nil
}

// RegisterNew answers a device that need not have been registered before (authType=regnwl): it makes the
// device if there is none, and gives it a client id and a token to log in with. Each physical device that
// asks under the same name gets its own; Options.MaxTokensPerDevice bounds them. The error matches
// ErrNoProduct, ErrRegistrationOff, ErrDisabled, ErrInvalid or ErrLimit.
func (r *Registry) RegisterNew(productKey, deviceName string) (t Token, err error) {
	err = r.change(func() error {
		p := r.product([]byte(productKey))
		if p == nil {
			return ErrNoProduct
		}
		if !p.info.Load().DynamicRegistration {
			return ErrRegistrationOff
		}
		t = Token{ClientID: generate(tokenLength), Token: generate(tokenLength)}
		item, found := p.devices.Find([]byte(deviceName))
		if !found {
			s := DeviceSpec{Name: deviceName}
			if err := checkNewName(deviceName); err != nil {
				return err
			}
			if err := within(p.devices.Len(), r.o.MaxDevicesPerProduct, "devices in this product"); err != nil {
				return err
			}
			if err := p.complete(&s); err != nil {
				return err
			}
			_, err := r.add(p, s.Name, &body{secret: s.Secret, created: r.now(), tokens: []Token{t}})
			return err
		}
		_, err := r.replace(p, item, DeviceChanged, func(b *body, state *uint64) error {
			if *state&stateDisabled != 0 {
				return ErrDisabled
			}
			b.tokens = append(b.tokens, t)
			return within(len(b.tokens)-1, r.o.MaxTokensPerDevice, "tokens of this device")
		})
		return err
	})
	if err != nil {
		return Token{}, err
	}
	return t, nil
}
