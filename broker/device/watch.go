package device

import "slices"

// ChangeKind says what happened.
type ChangeKind uint8

const (
	ProductCreated ChangeKind = iota + 1
	ProductChanged            // its names, switches or topic categories
	ProductDeleted
	DeviceCreated
	DeviceChanged // its secret, nickname, tags or tokens
	DeviceActivated
	DeviceEnabled
	DeviceDisabled
	DeviceReset
	DeviceDeleted
	AccessKeyChanged   // created, enabled, disabled or deleted
	DeviceCertificate  // bound or taken away
	ProductAuthorities // which may speak for its devices; comes behind a ProductChanged
)

var changeNames = [...]string{
	ProductCreated: "product-created", ProductChanged: "product-changed", ProductDeleted: "product-deleted",
	DeviceCreated: "device-created", DeviceChanged: "device-changed", DeviceActivated: "device-activated",
	DeviceEnabled: "device-enabled", DeviceDisabled: "device-disabled", DeviceReset: "device-reset",
	DeviceDeleted: "device-deleted", AccessKeyChanged: "access-key-changed",
	DeviceCertificate: "device-certificate", ProductAuthorities: "product-authorities",
}

// String returns a stable word for logs.
func (k ChangeKind) String() string {
	if k > 0 && int(k) < len(changeNames) {
		return changeNames[k]
	}
	return "unknown"
}

// Change is one change of the registry.
type Change struct {
	Kind      ChangeKind
	Product   *Product // as it is now, or was before it was deleted; nil for an access key
	Device    *Device  // the same; nil for products and access keys; valid during the call
	AccessKey string   // its id
}

type watcher struct{ fn func(Change) }

// Watch calls fn for every change from now on, in order, when the change has become visible, until cancel is
// called. It runs before the method that made the change returns, on its goroutine and under a lock: fn may
// look up what it likes, but must not block and must not change the registry.
func (r *Registry) Watch(fn func(Change)) (cancel func()) {
	w := &watcher{fn}
	r.mu.Lock()
	r.watchers = append(slices.Clone(r.watchers), w)
	r.mu.Unlock()
	return func() {
		r.mu.Lock()
		r.watchers = slices.DeleteFunc(slices.Clone(r.watchers), func(other *watcher) bool { return other == w })
		r.mu.Unlock()
	}
}

// notify tells the watchers. The caller holds mu.
func (r *Registry) notify(kind ChangeKind, p *Product, d *Device) {
	for _, w := range r.watchers {
		w.fn(Change{Kind: kind, Product: p, Device: d})
	}
}
