package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"sampan/broker/alink"
	"sampan/broker/alink/envelope"
	"sampan/broker/device"
	"sampan/broker/rrpc"
)

// invalidJSON is the answer to parameters that are not an object in JSON.
var invalidJSON = failed("iot.tsl.InvalidJsonFormat", "The parameter is not a JSON object.")

// setDeviceProperty asks a device to set properties.
func (b *Backend) setDeviceProperty(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	if err := p.need("Items"); err != nil {
		return nil, err
	}
	id, err := b.Services.SetProperties(d.Product().Key, string(d.Name()), json.RawMessage(p.Get("Items")))
	if err := asked(err); err != nil {
		return nil, err
	}
	return object{{"Data", object{{"MessageId", id}}}}, nil
}

// asked is the answer for a request to a device that could not be sent.
func asked(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, alink.ErrParams):
		return invalidJSON
	case errors.Is(err, alink.ErrIdentifier):
		return failed("iot.tsl.InvalidServiceIdentifier", err.Error())
	case errors.Is(err, alink.ErrNotSubscribed):
		return failed("iot.device.OfflineDevice", "The device is not connected, or does not listen to the topic.")
	case errors.Is(err, alink.ErrAnswer):
		return failed("iot.messagebroker.RrpcFailed", err.Error())
	}
	return translate(err)
}

// syncServiceTimeout is how long a synchronous service may take (platform: 5 s).
const syncServiceTimeout = 5 * time.Second

// invokeThingService asks a device to carry out a service. The answer is waited for if the product says so of the
// service, or with CallType sync, which is not the platform's since there the product's model says it.
func (b *Backend) invokeThingService(ctx context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	if err := p.need("Identifier", "Args"); err != nil {
		return nil, err
	}
	pk, dn, args := d.Product().Key, string(d.Name()), json.RawMessage(p.Get("Args"))
	if p.Get("CallType") != "sync" && !slices.Contains(d.Product().SyncServices, p.Get("Identifier")) {
		id, err := b.Services.InvokeService(pk, dn, p.Get("Identifier"), args)
		if err := asked(err); err != nil {
			return nil, err
		}
		return object{{"Data", object{{"MessageId", id}}}}, nil
	}
	topic := ""
	if b.ServiceTopic != nil {
		topic = b.ServiceTopic(pk, dn, p.Get("Identifier"))
	}
	var message uint64
	answer, err := b.Services.CallService(ctx, p.Get("Identifier"), args, func(ctx context.Context, request []byte) ([]byte, error) {
		a, err := b.RRPC(ctx, pk, dn, request, topic, syncServiceTimeout)
		message = a.MessageID
		return a.Payload, err
	})
	var failure *rrpc.Error
	if errors.As(err, &failure) {
		return nil, failed("iot.messagebroker."+string(failure.Code), failure.Error())
	}
	if err := asked(err); err != nil {
		return nil, err
	}
	return object{{"Data", object{{"MessageId", strconv.FormatUint(message, 10)}, {"Result", string(answer.Data)}}}}, nil
}

// queryDevicePropertyStatus tells what a device has posted last.
func (b *Backend) queryDevicePropertyStatus(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	all, err := b.Services.Properties(d.Product().Key, string(d.Name()))
	if err != nil {
		return nil, translate(err)
	}
	list := []object{}
	for _, name := range sortedKeys(all) {
		v := all[name]
		list = append(list, object{
			{"Identifier", name}, {"Value", plain(v.Value)}, {"Time", strconv.FormatInt(v.Time.UnixMilli(), 10)},
		})
	}
	return object{{"Data", object{{"List", object{{"PropertyStatusInfo", list}}}}}}, nil
}

// plain is a JSON value as text: without the quotes if it is text.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// setDeviceDesiredProperty says what a device's properties are to be, or with null that nothing is desired of them any
// more. A device that is connected is told at once; the answer has the MessageId of that.
func (b *Backend) setDeviceDesiredProperty(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	var items map[string]json.RawMessage
	versions := map[string]int64{}
	if json.Unmarshal([]byte(p.Get("Items")), &items) != nil ||
		p.Get("Versions") != "" && json.Unmarshal([]byte(p.Get("Versions")), &versions) != nil {
		return nil, invalidJSON
	}
	now, id, err := b.Services.SetDesired(d.Product().Key, string(d.Name()), items, versions)
	switch {
	case errors.Is(err, alink.ErrVersion):
		return nil, failed("iot.device.DesiredVersionMismatch", "A version is not the one that the property has, or there are too many properties.")
	case alink.IsTooLarge(err):
		return nil, failed("iot.device.DesiredTooLarge", err.Error())
	case err != nil:
		return nil, translate(err)
	}
	v, _ := json.Marshal(now)
	return object{{"Data", object{}.and("MessageId", id).and("Versions", string(v))}}, nil
}

func (b *Backend) queryDeviceDesiredProperty(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	all, err := b.Services.Desired(d.Product().Key, string(d.Name()))
	if err != nil {
		return nil, translate(err)
	}
	list := []object{}
	wanted, some := p.list("Identifier", maxNames)
	for _, name := range sortedKeys(all) {
		if some && !slices.Contains(wanted, name) {
			continue
		}
		list = append(list, object{{"Identifier", name}, {"Value", plain(all[name].Value)}, {"Version", all[name].Version}})
	}
	return object{{"Data", object{{"List", object{{"DesiredPropertyInfo", list}}}}}}, nil
}

func (b *Backend) getDeviceShadow(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	message, err := b.Services.Shadow(d.Product().Key, string(d.Name()))
	if err != nil {
		return nil, translate(err)
	}
	return object{{"ShadowMessage", string(message)}}, nil
}

func (b *Backend) updateDeviceShadow(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	if err := p.need("ShadowMessage"); err != nil {
		return nil, err
	}
	err = b.Services.UpdateShadow(d.Product().Key, string(d.Name()), []byte(p.Get("ShadowMessage")))
	var bad *alink.ShadowError
	switch {
	case errors.As(err, &bad) && bad.Code == int(envelope.TooMany):
		return nil, failed("iot.messagebroker.RateLimit", bad.Message)
	case bad != nil:
		return nil, failed("iot.shadow.Error"+strconv.Itoa(bad.Code), bad.Message)
	}
	return object{}, translate(err)
}

// tags are a device's attributes, as [{"attrKey","attrValue"}].
func (b *Backend) queryDeviceProp(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	props := map[string]string{}
	for _, t := range d.Info().Tags {
		props[t.Key] = t.Value
	}
	text, _ := json.Marshal(props)
	return object{{"Props", string(text)}}, nil
}

func (b *Backend) saveDeviceProp(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	var props map[string]string
	if json.Unmarshal([]byte(p.Get("Props")), &props) != nil {
		return nil, invalidJSON
	}
	var set []device.Tag
	for _, k := range sortedKeys(props) {
		set = append(set, device.Tag{Key: k, Value: props[k]})
	}
	_, err = b.Registry.SetTags(d.Product().Key, string(d.Name()), set, nil)
	return object{}, translateAs(err, "", "iot.device.InvalidFormattedProp", "iot.device.TooManyProps")
}
