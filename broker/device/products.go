package device

import (
	"slices"
	"time"
)

// CreateProduct makes a product. The error matches ErrExists, ErrInvalid or ErrLimit.
func (r *Registry) CreateProduct(s ProductSpec) (p *Product, err error) {
	if s.Categories == nil {
		s.Categories = defaultCategories()
	}
	err = r.change(func() error {
		p, err = r.createProduct(s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// createProduct is CreateProduct without waiting. The caller holds mu.
func (r *Registry) createProduct(s ProductSpec) (*Product, error) {
	if s.Key == "" {
		s.Key = generate(productKeyLength)
	}
	if s.Secret == "" && !s.imported {
		s.Secret = generate(productSecretLength)
	}
	if s.Name == "" {
		s.Name = s.Key
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if r.product([]byte(s.Key)) != nil {
		return nil, refuse(ErrExists, "product %s", s.Key)
	}
	if err := within(len(*r.order.Load()), r.o.MaxProducts, "products"); err != nil {
		return nil, err
	}
	info := &Product{
		ID:  r.nextID,
		Key: s.Key, Secret: s.Secret, Name: s.Name, Description: s.Description,
		NodeType: s.NodeType, DataFormat: s.DataFormat, AuthType: s.AuthType,
		DynamicRegistration: s.DynamicRegistration,
		Authorities:         append([]KeyFingerprint(nil), s.Authorities...),
		SyncServices:        append([]string(nil), s.SyncServices...),
		Created:             time.UnixMilli(r.now()),
		Categories:          slices.Clone(s.Categories),
	}
	r.nextID++
	for i := range info.Categories {
		info.Categories[i].ID = r.nextID
		r.nextID++
	}
	if err := r.append(appendProduct(r.scratch, info, 0, r.nextID)); err != nil {
		return nil, err
	}
	p := new(product)
	p.info.Store(info)
	r.publish(p)
	r.live++
	r.notify(ProductCreated, info, nil)
	return info, nil
}

// ChangeProduct changes a product's names and switches.
func (r *Registry) ChangeProduct(key string, patch ProductPatch) (*Product, error) {
	return r.changeProduct(key, func(p *Product) error {
		if patch.Name != nil {
			p.Name = *patch.Name
		}
		if patch.Description != nil {
			p.Description = *patch.Description
		}
		if patch.DynamicRegistration != nil {
			p.DynamicRegistration = *patch.DynamicRegistration
		}
		if patch.SyncServices != nil {
			p.SyncServices = append([]string(nil), *patch.SyncServices...)
		}
		if err := checkLabel("product name", p.Name); err != nil {
			return err
		}
		if err := checkServices(p.SyncServices); err != nil {
			return err
		}
		return checkLabel("description", p.Description)
	})
}

// changeProduct lets fn change a copy of a product, and puts it in the place of the old one. Watchers are told that it
// has changed, and what more the change is.
func (r *Registry) changeProduct(key string, fn func(*Product) error, more ...ChangeKind) (changed *Product, err error) {
	err = r.change(func() error {
		p := r.product([]byte(key))
		if p == nil {
			return ErrNoProduct
		}
		info := *p.info.Load()
		info.Categories = slices.Clone(info.Categories)
		if err := fn(&info); err != nil {
			return err
		}
		if err := r.append(appendProduct(r.scratch, &info, p.devices.Next(), r.nextID)); err != nil {
			return err
		}
		p.info.Store(&info)
		changed = &info
		r.notify(ProductChanged, changed, nil)
		for _, kind := range more {
			r.notify(kind, changed, nil)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// DeleteProduct deletes a product that has no devices. The error matches ErrNoProduct or ErrNotEmpty.
func (r *Registry) DeleteProduct(key string) error {
	return r.change(func() error {
		p := r.product([]byte(key))
		if p == nil {
			return ErrNoProduct
		}
		if n := p.devices.Len(); n > 0 {
			return refuse(ErrNotEmpty, "%d devices", n)
		}
		if err := r.append(appendText(append(r.scratch, entryProductDeleted), key)); err != nil {
			return err
		}
		r.withdraw(p)
		r.live--
		r.notify(ProductDeleted, p.info.Load(), nil)
		return nil
	})
}

// CreateCategory adds a topic category to a product. topic is the part behind the device's name, such as
// "user/update", or the whole of it, "/{productKey}/${deviceName}/user/update". The error matches ErrNoProduct,
// ErrInvalid, ErrExists or ErrLimit.
func (r *Registry) CreateCategory(productKey, topic string, o Operation, note string) (c Category, err error) {
	_, err = r.changeProduct(productKey, func(p *Product) error {
		c = Category{ID: r.nextID, Suffix: suffixOf(p.Key, topic), Operation: o, Note: note}
		if err := p.checkNewCategory(&c); err != nil {
			return err
		}
		if err := within(len(p.Categories), r.o.MaxCategoriesPerProduct, "topic categories"); err != nil {
			return err
		}
		r.nextID++
		p.Categories = append(p.Categories, c)
		return nil
	})
	if err != nil {
		return Category{}, err
	}
	return c, nil
}

// ChangeCategory replaces what a topic category says; its ID stays.
func (r *Registry) ChangeCategory(productKey string, id uint64, topic string, o Operation, note string) error {
	_, err := r.changeProduct(productKey, func(p *Product) error {
		i := slices.IndexFunc(p.Categories, func(c Category) bool { return c.ID == id })
		if i < 0 {
			return ErrNoCategory
		}
		c := Category{ID: id, Suffix: suffixOf(p.Key, topic), Operation: o, Note: note}
		if err := p.checkNewCategory(&c); err != nil {
			return err
		}
		p.Categories[i] = c
		return nil
	})
	return err
}

// DeleteCategory removes a topic category. The error matches ErrNoProduct or ErrNoCategory.
func (r *Registry) DeleteCategory(productKey string, id uint64) error {
	_, err := r.changeProduct(productKey, func(p *Product) error {
		i := slices.IndexFunc(p.Categories, func(c Category) bool { return c.ID == id })
		if i < 0 {
			return ErrNoCategory
		}
		p.Categories = slices.Delete(p.Categories, i, i+1)
		return nil
	})
	return err
}

func (p *Product) checkNewCategory(c *Category) error {
	if err := checkCategory(p.Key, c.Suffix, c.Operation); err != nil {
		return err
	}
	for _, other := range p.Categories {
		if other.Suffix == c.Suffix && other.ID != c.ID {
			return refuse(ErrExists, "topic category %s", c.Suffix)
		}
	}
	return checkLabel("note of a topic category", c.Note)
}

// CategoryByID finds a topic category by its ID alone.
func (r *Registry) CategoryByID(id uint64) (*Product, Category, error) {
	for p := range r.Products() {
		for _, c := range p.Categories {
			if c.ID == id {
				return p, c, nil
			}
		}
	}
	return nil, Category{}, ErrNoCategory
}
