package device

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"sampan/session/wal"
)

// Damaged says that a record of the log has its checksum and yet makes no sense: another version, or a defect
// of this program, wrote it.
type Damaged struct {
	Pos    wal.Pos
	Reason string
}

func (d *Damaged) Error() string {
	return fmt.Sprintf("device: the record at %s of the registry's log cannot be understood: %s", d.Pos, d.Reason)
}

// apply takes an entry over when the registry is opened. Nobody else knows the registry yet.
func (r *Registry) apply(pos wal.Pos, record []byte) error {
	r.entries++
	c := cursor{b: record}
	switch kind := c.byte(); kind {
	case entryProduct:
		return r.applyProduct(pos, c.b)
	case entryProductDeleted:
		if p := r.product(c.text()); p != nil {
			r.withdraw(p)
		}
	case entryDevice:
		p := r.product(c.text())
		number, state, name := c.number(), c.number(), c.text()
		if !validBody(c.b) || c.bad || number >= 1<<32 {
			return &Damaged{pos, "a device"}
		}
		if p == nil {
			break // deleted since, in a part of the log that is gone
		}
		before, _ := p.devices.At(uint32(number))
		item, ok := p.devices.PutAt(uint32(number), name, c.b)
		if !ok {
			return &Damaged{pos, "its number is out of range or another device's, or its name is too long"}
		}
		r.certificates.replace(p, item.Number, before.Body, item.Body)
		item.Entry.State.Store(state)
	case entryDeviceState:
		p := r.product(c.text())
		number, state := c.number(), c.number()
		if p != nil && !c.bad {
			if item, found := p.devices.At(uint32(number)); found {
				item.Entry.State.Store(state)
			}
		}
	case entryDeviceDeleted:
		p := r.product(c.text())
		number := c.number()
		if p != nil && !c.bad {
			if item, found := p.devices.At(uint32(number)); found {
				p.devices.Delete(item.Name)
				r.certificates.replace(p, item.Number, item.Body, nil)
			}
		}
	case entryAccessKey:
		k, ok := readAccessKey(c.b)
		if !ok {
			return &Damaged{pos, "an access key"}
		}
		r.setAccessKey(k)
	case entryAccessKeyDelete:
		keys := maps.Clone(*r.keys.Load())
		delete(keys, string(c.text()))
		r.keys.Store(&keys)
	case entryCounters:
		r.nextID = max(r.nextID, c.number())
	default:
		return &Damaged{pos, fmt.Sprintf("unknown kind %d", kind)}
	}
	if c.bad {
		return &Damaged{pos, "it ends too early"}
	}
	return nil
}

func (r *Registry) applyProduct(pos wal.Pos, record []byte) error {
	info, nextNumber, nextID, ok := readProduct(record)
	if !ok {
		return &Damaged{pos, "a product"}
	}
	p := r.product([]byte(info.Key))
	if p == nil {
		p = new(product)
		p.info.Store(info)
		r.publish(p)
	}
	p.info.Store(info)
	p.devices.SetNext(nextNumber)
	r.nextID = max(r.nextID, nextID)
	return nil
}

// settle ends a replay: it puts the products in their order, which the log need not have, and counts what is
// there. The caller holds mu.
func (r *Registry) settle() {
	order := slices.Clone(*r.order.Load())
	slices.SortFunc(order, func(a, b *product) int { return cmp.Compare(a.info.Load().ID, b.info.Load().ID) })
	r.order.Store(&order)
	r.live = len(*r.keys.Load())
	for _, p := range order {
		r.live += 1 + p.devices.Len()
	}
}
