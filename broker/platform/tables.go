package platform

import (
	"sync"

	"sampan/broker/device"
	"sampan/broker/permission"
)

// tables keeps the compiled permissions of each product whose devices have connected. A device's permissions
// follow its product's table when that is replaced.
//
// What a table holds is always read from the registry with mu held, never from a product that was looked up before.
// A change is visible there before refresh is called for it, so either refresh finds the table, or the table is made
// of what has changed.
type tables struct {
	registry *device.Registry
	options  permission.Options

	mu        sync.RWMutex // looking a product up in the registry takes no lock
	byProduct map[string]*permission.Table
}

// of returns the table of a product, which may have changed since p was looked up.
func (t *tables) of(p *device.Product) *permission.Table {
	t.mu.RLock()
	table := t.byProduct[p.Key]
	t.mu.RUnlock()
	if table != nil {
		return table
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if table = t.byProduct[p.Key]; table != nil {
		return table
	}
	now, err := t.registry.Product(p.Key)
	if err != nil {
		return permission.NewTable(p, t.options) // deleted meanwhile: nobody would take this table away again
	}
	table = permission.NewTable(now, t.options)
	if t.byProduct == nil {
		t.byProduct = make(map[string]*permission.Table)
	}
	t.byProduct[p.Key] = table
	return table
}

// refresh compiles the categories that a product has now, if its table is in use, and forgets the table of a product
// that is not there any more.
func (t *tables) refresh(productKey string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := t.byProduct[productKey]
	if table == nil {
		return
	}
	p, err := t.registry.Product(productKey)
	if err != nil {
		delete(t.byProduct, productKey)
		return
	}
	table.Replace(p, t.options)
}
