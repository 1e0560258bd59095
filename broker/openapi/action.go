package openapi

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"sampan/broker"
	"sampan/broker/alink"
	"sampan/broker/device"
	"sampan/broker/gateway"
	"sampan/broker/quota"
	"sampan/broker/rrpc"
)

// Backend is what the actions work on.
type Backend struct {
	Registry *device.Registry
	Broker   Broker
	// RRPC calls a device; see platform.Platform.RRPC.
	RRPC func(ctx context.Context, productKey, deviceName string, request []byte, topic string, timeout time.Duration) (rrpc.Answer, error)
	// Broadcast sends to many devices; see platform.Platform.Broadcast.
	Broadcast func(ctx context.Context, productKey, topic string, content []byte) (id uint64, err error)
	// ServiceTopic is the topic of an RRPC for a service; see platform.Platform.ServiceTopic. nil: the system's.
	ServiceTopic func(productKey, deviceName, identifier string) string
	// Key is the key of a device's session in the broker.
	Key func(productKey, deviceName string) string
	// MayReceive reports whether a topic category lets the device subscribe to this topic.
	MayReceive func(productKey, deviceName, topic string) bool
	// Services and Gateways are the platform's; see platform.Platform. nil: their actions do not exist.
	Services *alink.Service
	Gateways *gateway.Service
	// Quantities limit what is asked for. nil: no limits.
	Quantities *quota.Limits
	// Now is the clock. nil: time.Now.
	Now func() time.Time
	// IDs numbers the messages. nil: a source of their own. See platform.Platform.IDs.
	IDs *rrpc.IDs
	// Downlink accounts a message to a device; its error refuses it. nil: no limit.
	Downlink func(d *device.Device) error
	// Meter is told what the limits refuse. nil: one that only logs.
	Meter *quota.Meter

	limits  rates
	applied applications
}

// Broker is what the actions need of the broker.
type Broker interface {
	Publish(ctx context.Context, topic string, payload []byte, qos byte) (receivers int, err error)
	Client(key string) (broker.ClientInfo, bool)
	Clients(f func(broker.ClientInfo) bool)
}

// Actions returns what can be asked for, by name.
func (b *Backend) Actions() map[string]Action {
	if b.Now == nil {
		b.Now = time.Now
	}
	if b.IDs == nil {
		b.IDs = rrpc.NewIDs(nil)
	}
	if b.Downlink == nil {
		b.Downlink = func(*device.Device) error { return nil }
	}
	if b.Meter == nil {
		b.Meter = new(quota.Meter)
	}
	b.limits.prepare(b.Quantities, b.Meter, b.Now())
	actions := map[string]Action{
		"Pub":          b.pub,
		"BatchPub":     b.batchPub,
		"RRpc":         b.rrpc,
		"PubBroadcast": b.pubBroadcast,

		"CreateProduct":      b.createProduct,
		"QueryProduct":       b.queryProduct,
		"QueryProductList":   b.queryProductList,
		"UpdateProduct":      b.updateProduct,
		"DeleteProduct":      b.deleteProduct,
		"CreateProductTopic": b.createProductTopic,
		"QueryProductTopic":  b.queryProductTopic,
		"UpdateProductTopic": b.updateProductTopic,
		"DeleteProductTopic": b.deleteProductTopic,

		"BatchRegisterDevice":            b.batchRegisterDevice,
		"BatchCheckDeviceNames":          b.batchCheckDeviceNames,
		"BatchRegisterDeviceWithApplyId": b.batchRegisterDeviceWithApplyID,
		"QueryPageByApplyId":             b.queryPageByApplyID,
		"QueryBatchRegisterDeviceStatus": b.queryBatchRegisterDeviceStatus,

		"RegisterDevice":      b.registerDevice,
		"QueryDevice":         b.queryDevice,
		"QueryDeviceDetail":   b.queryDeviceDetail,
		"QueryDeviceByName":   b.queryDeviceDetail,
		"GetDeviceStatus":     b.getDeviceStatus,
		"BatchGetDeviceState": b.batchGetDeviceState,
		"EnableThing":         b.enableThing,
		"DisableThing":        b.disableThing,
		"DeleteDevice":        b.deleteDevice,
		"ResetThing":          b.resetThing,
		"QueryDeviceProp":     b.queryDeviceProp,
		"SaveDeviceProp":      b.saveDeviceProp,
	}
	if b.Services != nil {
		maps.Copy(actions, map[string]Action{
			"SetDeviceProperty":          b.setDeviceProperty,
			"InvokeThingService":         b.invokeThingService,
			"QueryDevicePropertyStatus":  b.queryDevicePropertyStatus,
			"SetDeviceDesiredProperty":   b.setDeviceDesiredProperty,
			"QueryDeviceDesiredProperty": b.queryDeviceDesiredProperty,
			"GetDeviceShadow":            b.getDeviceShadow,
			"UpdateDeviceShadow":         b.updateDeviceShadow,
			"SetDeviceFirmware":          b.setDeviceFirmware,
			"QueryDeviceFirmware":        b.queryDeviceFirmware,
			"SetProductConfig":           b.setProductConfig,
		})
	}
	if b.Gateways != nil {
		maps.Copy(actions, map[string]Action{
			"GetThingTopo":          b.getThingTopo,
			"NotifyAddThingTopo":    b.notifyAddThingTopo,
			"RemoveThingTopo":       b.removeThingTopo,
			"GetGatewayBySubDevice": b.getGatewayBySubDevice,
		})
	}
	return actions
}

// sortedKeys returns a map's keys in order, so that answers are the same every time.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// translate turns an error of the registry, or of a limit, into the API's answer.
func translate(err error) error {
	var much *quota.Exceeded
	if errors.As(err, &much) {
		return failed("iot.messagebroker.RateLimit", much.Detail)
	}
	for _, t := range []struct {
		err     error
		code    string
		message string
	}{
		{device.ErrNoProduct, "iot.prod.NotExistedProduct", "The product does not exist."},
		{device.ErrNoDevice, "iot.device.NotExistedDevice", "The device does not exist."},
		{device.ErrNoCategory, "iot.messagebroker.TopicTemplateIsNotFound", "The topic category does not exist."},
		{device.ErrNotEmpty, "iot.prod.ProductHasDevices", "The product still has devices."},
		{device.ErrDisabled, "iot.device.DisabledDevice", "The device is disabled."},
		{device.ErrActive, "iot.device.AlreadyActive", "The device is active already."},
	} {
		if errors.Is(err, t.err) {
			return failed(t.code, t.message)
		}
	}
	return err
}

// translateAs is translate for what is made: existing and invalid have a code of their own for each kind.
func translateAs(err error, exists, invalidName, limit string) error {
	switch {
	case errors.Is(err, device.ErrExists):
		return failed(exists, err.Error())
	case errors.Is(err, device.ErrInvalid):
		return failed(invalidName, err.Error())
	case errors.Is(err, device.ErrLimit):
		return failed(limit, err.Error())
	}
	return translate(err)
}

// device finds the device that IotId, or ProductKey and DeviceName, name.
func (b *Backend) device(p Params) (device.Device, error) {
	if id := p.Get("IotId"); id != "" {
		d, err := b.Registry.ByIotID(id)
		return d, translate(err)
	}
	if p.Get("ProductKey") == "" {
		return device.Device{}, failed("iot.prod.NullProductKey", "ProductKey is mandatory without IotId.")
	}
	if p.Get("DeviceName") == "" {
		return device.Device{}, failed("iot.device.NullDeviceName", "DeviceName is mandatory without IotId.")
	}
	d, err := b.Registry.Device(p.Get("ProductKey"), p.Get("DeviceName"))
	return d, translate(err)
}

func (b *Backend) product(p Params) (*device.Product, error) {
	if p.Get("ProductKey") == "" {
		return nil, failed("iot.prod.NullProductKey", "ProductKey is mandatory.")
	}
	found, err := b.Registry.Product(p.Get("ProductKey"))
	return found, translate(err)
}

// page returns which part of a list is asked for, from 0 on.
func (p Params) page(name, size string) (skip, n, current int, err error) {
	if current, err = p.number(name, 1); err != nil {
		return 0, 0, 0, err
	}
	if n, err = p.number(size, 10); err != nil {
		return 0, 0, 0, err
	}
	if current < 1 || n < 1 || n > 200 || current > math.MaxInt/n {
		return 0, 0, 0, invalid(name+" or "+size, strconv.Itoa(current)+", "+strconv.Itoa(n))
	}
	return (current - 1) * n, n, current, nil
}
