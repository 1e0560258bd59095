package platform

import (
	"sync"

	"sampan/broker/device"
	"sampan/broker/permission"
)

// tables keeps the compiled permissions of each product whose devices have connected. A device's permissions
// follow its product's table when that is replaced.
type tables struct {
	mu        sync.RWMutex
	byProduct map[string]*permission.Table
	options   permission.Options
}

// of returns a product's table.
func (t *tables) of(p *device.Product) *permission.Table {
	t.mu.RLock()
	table := t.byProduct[p.Key]
	t.mu.RUnlock()
	if table != nil {
		return table
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if table = t.byProduct[p.Key]; table == nil {
		table = permission.NewTable(p, t.options)
		if t.byProduct == nil {
			t.byProduct = make(map[string]*permission.Table)
		}
		t.byProduct[p.Key] = table
	}
	return table
}

// replace compiles the categories that a product has now, if its table is in use.
func (t *tables) replace(p *device.Product) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if table := t.byProduct[p.Key]; table != nil {
		table.Replace(p, t.options)
	}
}

func (t *tables) remove(productKey string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byProduct, productKey)
}
