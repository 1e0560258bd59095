package platform

import (
	"strings"
	"sync"

	"sampan/broker"
	"sampan/broker/device"
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
	product                *device.Product
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
	case device.DeviceCreated, device.DeviceEnabled, device.DeviceDisabled, device.DeviceDeleted, device.DeviceCertificate, device.ProductChanged, device.ProductDeleted:
	default:
		return
	}
	n := change{kind: ch.Kind}
	if ch.Product != nil {
		n.product, n.productKey = ch.Product, ch.Product.Key
	}
	if ch.Device != nil {
		n.deviceName = string(ch.Device.Name())
		n.iotID = ch.Device.IotID()
	}
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

// apply does what a change asks for.
func (p *Platform) apply(c change) {
	if action := actions[c.kind]; action != "" {
		defer p.lived(c.productKey, c.deviceName, c.iotID, action)
	}
	switch c.kind {
	case device.DeviceEnabled:
		p.gateways.Enabled(c.productKey, c.deviceName)
	case device.DeviceDisabled:
		p.gateways.Disabled(c.productKey, c.deviceName)
		p.broker.Disconnect(Key(c.productKey, c.deviceName), "device disabled")
	case device.DeviceDeleted:
		if p.alink != nil {
			p.alink.Forget(c.iotID)
		}
		p.forgetTicket(c.iotID)
		p.gateways.Deleted(c.productKey, c.deviceName, c.iotID)
		p.broker.Discard(Key(c.productKey, c.deviceName), "device deleted")
	case device.DeviceCertificate:
		p.broker.Disconnect(Key(c.productKey, c.deviceName), "its certificate has changed")
	case device.ProductChanged:
		p.tables.replace(c.product)
		p.ofProduct(c.productKey, func(key string) { p.broker.Reauthorize(key) })
		for _, g := range p.gateways.OfProduct(c.productKey) {
			p.broker.Reauthorize(Key(g.ProductKey, g.DeviceName))
		}
	case device.ProductDeleted:
		p.tables.remove(c.productKey)
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
