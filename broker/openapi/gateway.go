package openapi

import (
	"context"
	"encoding/json"

	"sampan/broker/gateway"
)

// getThingTopo lists a gateway's sub-devices.
func (b *Backend) getThingTopo(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	skip, n, current, err := p.page("PageNo", "PageSize")
	if err != nil {
		return nil, err
	}
	all := b.Gateways.Topology(d.Product().Key, string(d.Name()))
	list := []object{}
	for i, sub := range all {
		if i < skip || len(list) == n {
			continue
		}
		o := object{{"ProductKey", sub.ProductKey}, {"DeviceName", sub.DeviceName}}
		if found, err := b.Registry.Device(sub.ProductKey, sub.DeviceName); err == nil {
			o = append(o, member{"IotId", found.IotID()})
		}
		list = append(list, o)
	}
	return object{{"Data", object{
		{"Total", len(all)}, {"PageSize", n}, {"PageCount", (len(all) + n - 1) / n}, {"CurrentPage", current},
		{"List", object{{"deviceInfo", list}}},
	}}}, nil
}

// notifyAddThingTopo asks a gateway to add sub-devices.
func (b *Backend) notifyAddThingTopo(_ context.Context, p Params) (object, error) {
	var g gateway.Name
	d, err := b.gateway(p, &g)
	if err != nil {
		return nil, err
	}
	var list []struct{ ProductKey, DeviceName, IotID string }
	if json.Unmarshal([]byte(p.Get("DeviceListStr")), &list) != nil || len(list) == 0 {
		return nil, invalid("DeviceListStr", p.Get("DeviceListStr"))
	}
	subs := make([]gateway.Name, 0, len(list))
	for _, sub := range list {
		found, err := b.device(Params{"IotId": {sub.IotID}, "ProductKey": {sub.ProductKey}, "DeviceName": {sub.DeviceName}})
		if err != nil {
			return nil, err
		}
		subs = append(subs, gateway.Name{ProductKey: found.Product().Key, DeviceName: string(found.Name())})
	}
	if err := b.Gateways.NotifyAdd(g, subs...); err != nil {
		return nil, failed("iot.device.OfflineDevice", "The gateway "+d+" is not connected, or does not listen to the topic.")
	}
	return object{{"Data", object{{"MessageId", text(b.IDs.Next())}}}}, nil
}

// removeThingTopo takes a sub-device out of its gateway's topology, or all sub-devices out of a gateway's.
func (b *Backend) removeThingTopo(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	sub := gateway.Name{ProductKey: d.Product().Key, DeviceName: string(d.Name())}
	g, subs := sub, b.Gateways.Topology(sub.ProductKey, sub.DeviceName)
	if len(subs) == 0 {
		var ok bool
		if g, ok = b.Gateways.Of(sub); !ok {
			return nil, failed("iot.gateway.NotExistedTopo", "The device is in no gateway's topology, and has none.")
		}
		subs = []gateway.Name{sub}
	}
	if err := b.Gateways.RemoveTopology(g, subs...); err != nil {
		return nil, err
	}
	// A gateway that is not there will be told when it asks.
	_ = b.Gateways.NotifyChange(g, gateway.Deleted, subs...)
	return object{}, nil
}

// getGatewayBySubDevice finds a sub-device's gateway.
func (b *Backend) getGatewayBySubDevice(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	g, ok := b.Gateways.Of(gateway.Name{ProductKey: d.Product().Key, DeviceName: string(d.Name())})
	if !ok {
		return nil, failed("iot.gateway.NotExistedTopo", "The device is in no gateway's topology.")
	}
	found, err := b.Registry.Device(g.ProductKey, g.DeviceName)
	if err != nil {
		return nil, translate(err)
	}
	return object{{"Data", b.deviceData(&found)}}, nil
}

func (b *Backend) gateway(p Params, g *gateway.Name) (string, error) {
	q := Params{"IotId": {p.Get("GwIotId")}, "ProductKey": {p.Get("GwProductKey")}, "DeviceName": {p.Get("GwDeviceName")}}
	d, err := b.device(q)
	if err != nil {
		return "", err
	}
	*g = gateway.Name{ProductKey: d.Product().Key, DeviceName: string(d.Name())}
	return g.String(), nil
}
