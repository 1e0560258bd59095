package openapi

import (
	"context"
	"errors"
	"time"

	"sampan/broker"
	"sampan/broker/alink"
	"sampan/broker/device"
	"sampan/broker/internal/notation"
)

// registerDevice makes a device.
func (b *Backend) registerDevice(_ context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	d, err := b.Registry.CreateDevice(product.Key, device.DeviceSpec{
		Name:     p.Get("DeviceName"),
		Secret:   p.Get("DeviceSecret"), // not the platform's: for devices in the field
		Nickname: p.Get("Nickname"),
	})
	if err != nil {
		return nil, translateAs(err, "iot.device.AlreadyExistedDeviceName", "iot.device.InvalidFormattedDeviceName", "iot.device.ExceedMaxDeviceNum")
	}
	i := d.Info()
	data := object{
		{"ProductKey", i.ProductKey}, {"DeviceName", i.DeviceName}, {"DeviceSecret", i.DeviceSecret}, {"IotId", i.IotID},
	}.and("Nickname", i.Nickname)
	return append(object{{"Data", data}}, data...), nil
}

// status is a device's status in the API's words.
func (b *Backend) status(d *device.Device) string {
	switch d.Status() {
	case device.Disabled:
		return "DISABLE"
	case device.Unactivated:
		return "UNACTIVE"
	}
	if i, ok := b.Broker.Client(b.Key(d.Product().Key, string(d.Name()))); ok && i.Connected {
		return "ONLINE"
	}
	return "OFFLINE"
}

// onlineSince is when a device came online, if it is connected by itself. Of others that is not kept: the times of the
// sub-devices' logins are not those of their gateway's connection, and one that is away has no connection.
func (b *Backend) onlineSince(d *device.Device, c *broker.ClientInfo) time.Time {
	if b.Gateways != nil {
		if _, through := b.Gateways.Through(d.Product().Key, string(d.Name())); through {
			return time.Time{}
		}
	}
	return c.ConnectedAt
}

func (b *Backend) deviceData(d *device.Device) object {
	i := d.Info()
	data := object{
		{"ProductKey", i.ProductKey}, {"ProductName", d.Product().Name}, {"DeviceName", i.DeviceName},
		{"DeviceSecret", i.DeviceSecret}, {"IotId", i.IotID}, {"Status", b.status(d)},
		{"NodeType", int(d.Product().NodeType)}, {"Region", "local"},
	}.and("Nickname", i.Nickname).
		and("GmtCreate", notation.Local(i.Created)).and("UtcCreate", notation.UTC(i.Created)).
		and("GmtActive", notation.Local(i.Activated)).and("UtcActive", notation.UTC(i.Activated))
	if c, ok := b.Broker.Client(b.Key(i.ProductKey, i.DeviceName)); ok && c.Connected {
		since := b.onlineSince(d, &c)
		data = data.and("IpAddress", notation.Host(c.Addr)).and("GmtOnline", notation.Local(since)).and("UtcOnline", notation.UTC(since))
	}
	return data
}

func (b *Backend) queryDeviceDetail(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	data := b.deviceData(&d)
	if b.Services != nil {
		versions, err := b.Services.FirmwareVersions(d.Product().Key, string(d.Name()))
		if err != nil {
			return nil, translate(err)
		}
		data = data.and("FirmwareVersion", versions[alink.DefaultModule])
	}
	return object{{"Data", data}}, nil
}

// queryDevice lists a product's devices.
func (b *Backend) queryDevice(_ context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	skip, n, current, err := p.page("CurrentPage", "PageSize")
	if err != nil {
		return nil, err
	}
	found, total := collect(b.Registry.Devices(product.Key, 0), skip, n)
	list := []object{}
	for i := range found {
		d := b.deviceData(&found[i])
		list = append(list, append(d, member{"DeviceStatus", b.status(&found[i])}))
	}
	return object{
		{"Total", total}, {"PageCount", (total + n - 1) / n}, {"PageSize", n}, {"Page", current},
		{"Data", object{{"DeviceInfo", list}}},
	}, nil
}

func (b *Backend) getDeviceStatus(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	return object{{"Data", object{{"Status", b.status(&d)}}}}, nil
}

// maxStates is how many devices one BatchGetDeviceState may name (platform: 50).
const maxStates = 50

func (b *Backend) batchGetDeviceState(_ context.Context, p Params) (object, error) {
	ids, some := p.list("IotId", maxStates)
	find := b.Registry.ByIotID
	if !some {
		product, err := b.product(p)
		if err != nil {
			return nil, err
		}
		find = func(name string) (device.Device, error) { return b.Registry.Device(product.Key, name) }
		if ids, some = p.list("DeviceName", maxStates); !some {
			return nil, invalid("DeviceName.N, or IotId.N", "1 to 50 devices")
		}
	}
	list := []object{}
	for _, id := range ids {
		d, err := find(id)
		if errors.Is(err, device.ErrNoDevice) {
			continue
		}
		if err != nil {
			return nil, translate(err)
		}
		name := string(d.Name())
		state := object{{"DeviceName", name}, {"DeviceId", d.IotID()}, {"IotId", d.IotID()}, {"Status", b.status(&d)}}
		if c, ok := b.Broker.Client(b.Key(d.Product().Key, name)); ok && c.Connected {
			state = state.and("AsAddress", c.Addr).and("LastOnlineTime", notation.UTC(b.onlineSince(&d, &c)))
		}
		list = append(list, state)
	}
	return object{{"DeviceStatusList", object{{"DeviceStatus", list}}}}, nil
}

func (b *Backend) enableThing(_ context.Context, p Params) (object, error) {
	return b.change(p, func(pk, dn string) error { _, err := b.Registry.Enable(pk, dn); return err })
}

func (b *Backend) disableThing(_ context.Context, p Params) (object, error) {
	return b.change(p, func(pk, dn string) error { _, err := b.Registry.Disable(pk, dn); return err })
}

func (b *Backend) deleteDevice(_ context.Context, p Params) (object, error) {
	return b.change(p, b.Registry.Delete)
}

func (b *Backend) resetThing(_ context.Context, p Params) (object, error) {
	return b.change(p, func(pk, dn string) error { _, err := b.Registry.Reset(pk, dn); return err })
}

func (b *Backend) change(p Params, f func(productKey, deviceName string) error) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	return object{}, translate(f(d.Product().Key, string(d.Name())))
}
