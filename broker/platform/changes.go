package platform

import (
	"errors"
	"strings"
	"sync"

	"sampan/broker"
	"sampan/broker/device"
	"sampan/broker/gateway"
)

// changes carries changes of the registry to the broker: a device that is disabled or deleted loses its
// connection, and permissions that have changed are applied to subscriptions that exist.
//
// The registry calls note in the order of the changes and must not wait; one goroutine, started by start and
// ended by stop, does what they ask for.
type changes struct {
	cancel func()
	done   chan struct{}

	mu     sync.Mutex
	wake   *sync.Cond
	todo   []change
	closed bool
}

type change struct {
	kind                   device.ChangeKind
	productKey, deviceName string
	iotID                  string // of the device
	late                   bool   // it was applied already, when the device's connection was not there yet
}

func (c *changes) start(p *Platform) {
	c.wake = sync.NewCond(&c.mu)
	c.done = make(chan struct{})
	c.cancel = p.registry.Watch(func(ch device.Change) { c.note(ch) })
	go func() {
		defer close(c.done)
		for {
			next, ok := c.next()
			if !ok {
				return
			}
			p.apply(next)
		}
	}()
}

func (c *changes) stop() {
	if c.cancel == nil {
		return
	}
	c.cancel()
	c.mu.Lock()
	c.closed = true
	c.wake.Signal()
	c.mu.Unlock()
	<-c.done
}

func (c *changes) note(ch device.Change) {
	switch ch.Kind {
	case device.DeviceCreated, device.DeviceEnabled, device.DeviceDisabled, device.DeviceDeleted, device.DeviceCertificate, device.ProductAuthorities, device.ProductChanged, device.ProductDeleted:
	default:
		return
	}
	n := change{kind: ch.Kind}
	if ch.Product != nil {
		n.productKey = ch.Product.Key
	}
	if ch.Device != nil {
		n.deviceName = string(ch.Device.Name())
		n.iotID = ch.Device.IotID()
	}
	c.push(n)
}

func (c *changes) push(n change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.todo = append(c.todo, n)
	c.wake.Signal()
}

func (c *changes) next() (change, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.todo) == 0 && !c.closed {
		c.wake.Wait()
	}
	if len(c.todo) == 0 {
		return change{}, false
	}
	n := c.todo[0]
	c.todo = c.todo[1:]
	return n, true
}

// actions are what servers call the changes in the life of a device.
var actions = map[device.ChangeKind]string{
	device.DeviceCreated: "create", device.DeviceDeleted: "delete", device.DeviceEnabled: "enable", device.DeviceDisabled: "disable",
}

// recheck looks once more at a device that has just connected. Between the check of its CONNECT and the moment when
// the broker knew its connection it may have been disabled or deleted, which then found no connection to cut.
func (p *Platform) recheck(productKey, deviceName string) {
	late := change{productKey: productKey, deviceName: deviceName, late: true}
	switch d, err := p.registry.Device(productKey, deviceName); {
	case errors.Is(err, device.ErrNoDevice), errors.Is(err, device.ErrNoProduct):
		late.kind = device.DeviceDeleted
	case err == nil && d.Status() == device.Disabled:
		late.kind = device.DeviceDisabled
	default:
		return
	}
	p.changes.push(late) // this goroutine is the connection's, for whose end Discard waits
}

// cut ends the connection of a device that was disabled, and the session too of one that was deleted.
func (p *Platform) cut(c change) {
	if key := Key(c.productKey, c.deviceName); c.kind == device.DeviceDisabled {
		p.broker.Disconnect(key, "device disabled")
	} else {
		p.broker.Discard(key, "device deleted")
	}
}

// discardLeftover ends the sessions of devices that were deleted while no broker ran, or just before it was killed: one
// of the same name would get what waits there. Of gateways' sessions it takes away what is of devices that are not their
// own any more. Sessions that are of no product here are left alone: they are of somebody else, such as a broker of the
// open profile.
func (p *Platform) discardLeftover() {
	var left []string
	var gateways []gateway.Name
	p.broker.Clients(func(i broker.ClientInfo) bool {
		pk, dn, ok := deviceOf(i.Key)
		if !ok {
			return true
		}
		switch d, err := p.registry.Device(pk, dn); {
		case errors.Is(err, device.ErrNoDevice):
			left = append(left, i.Key)
		case err == nil && (d.Product().NodeType == device.Gateway || len(p.gateways.Topology(pk, dn)) > 0):
			gateways = append(gateways, gateway.Name{ProductKey: pk, DeviceName: dn})
		}
		return true
	})
	for _, key := range left {
		p.broker.Discard(key, "device deleted")
	}
	for _, g := range gateways {
		p.gateways.Settle(g.ProductKey, g.DeviceName)
	}
	if len(left) > 0 {
		p.opts.Logger.Info("sessions of deleted devices were discarded", "sessions", len(left))
	}
}

// apply does what a change asks for.
func (p *Platform) apply(c change) {
	if c.late {
		p.cut(c)
		return
	}
	if action := actions[c.kind]; action != "" {
		defer p.lived(c.productKey, c.deviceName, c.iotID, action)
	}
	switch c.kind {
	case device.DeviceEnabled:
		p.gateways.Enabled(c.productKey, c.deviceName)
	case device.DeviceDisabled:
		p.gateways.Disabled(c.productKey, c.deviceName)
		p.cut(c)
	case device.DeviceDeleted:
		if p.alink != nil {
			p.alink.Forget(c.iotID)
		}
		p.forgetTicket(c.iotID)
		p.gateways.Deleted(c.productKey, c.deviceName, c.iotID)
		p.cut(c)
	case device.DeviceCertificate:
		p.broker.Disconnect(Key(c.productKey, c.deviceName), "its certificate has changed")
	case device.ProductAuthorities:
		// Those whom the new ones vouch for come back.
		p.ofProduct(c.productKey, func(key string) { p.broker.Disconnect(key, "the authorities of its product have changed") })
	case device.ProductChanged:
		p.tables.refresh(c.productKey)
		p.ofProduct(c.productKey, func(key string) { p.broker.Reauthorize(key) })
		for _, g := range p.gateways.OfProduct(c.productKey) {
			p.broker.Reauthorize(Key(g.ProductKey, g.DeviceName))
		}
	case device.ProductDeleted:
		p.tables.refresh(c.productKey)
		if p.alink != nil {
			p.alink.ForgetProduct(c.productKey)
		}
		p.ofProduct(c.productKey, func(key string) { p.broker.Discard(key, "product deleted") })
	}
}

// ofProduct calls f for each session of the product's devices.
func (p *Platform) ofProduct(productKey string, f func(key string)) {
	prefix := productKey + "/"
	p.broker.Clients(func(i broker.ClientInfo) bool {
		if strings.HasPrefix(i.Key, prefix) {
			f(i.Key)
		}
		return true
	})
}
