package openapi

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"sampan/broker/device"
	"sampan/broker/quota"
	"sampan/broker/rrpc"
	"sampan/packet"
)

// maxBatch is how many devices one BatchPub may name (platform: 100).
const maxBatch = 100

// pub publishes a message to a topic of one device, or to the subscribers of a topic of broadcasts.
func (b *Backend) pub(ctx context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	topic := p.Get("TopicFullName")
	if topic == "" {
		return nil, failed("iot.messagebroker.NullTopicName", "TopicFullName is mandatory.")
	}
	name, ok := deviceOf(product.Key, topic)
	broadcast := strings.HasPrefix(topic, "/broadcast/")
	if !ok && !broadcast {
		return nil, failed("iot.messagebroker.InvalidFormattedTopicName",
			"TopicFullName is a topic of one of the product's devices, such as /"+product.Key+"/deviceName/user/get.")
	}
	content, err := p.content("MessageContent")
	if err != nil {
		return nil, err
	}
	qos, err := p.qos()
	if err != nil {
		return nil, err
	}
	if broadcast {
		id, err := b.broadcast(ctx, product, topic, content)
		if err != nil {
			return nil, err
		}
		return object{{"MessageId", text(id)}}, nil
	}
	id, err := b.send(ctx, product, name, topic, content, qos)
	if err != nil {
		return nil, err
	}
	return object{{"MessageId", id}}, nil
}

// batchPub publishes a message to the same topic category of several devices.
func (b *Backend) batchPub(ctx context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	names, ok := p.list("DeviceName", maxBatch)
	if !ok {
		return nil, invalid("DeviceName.N", "1 to 100 devices")
	}
	short := strings.TrimPrefix(p.Get("TopicShortName"), "/")
	if short == "" {
		return nil, failed("iot.messagebroker.NullTopicName", "TopicShortName is mandatory.")
	}
	content, err := p.content("MessageContent")
	if err != nil {
		return nil, err
	}
	qos, err := p.qos()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := b.send(ctx, product, name, "/"+product.Key+"/"+name+"/"+short, content, qos); err != nil {
			return nil, err
		}
	}
	return object{}, nil
}

// deviceOf returns the device in a topic /{productKey}/{deviceName}/..., or in the one system topic that servers
// may publish to: raw data for a device. On the platform a script makes that out of properties and services; here
// there are no scripts.
func deviceOf(productKey, topic string) (name string, ok bool) {
	if raw, isRaw := strings.CutSuffix(topic, "/thing/model/down_raw"); isRaw {
		if name, ok = strings.CutPrefix(raw, "/sys/"+productKey+"/"); ok {
			return name, name != "" && !strings.Contains(name, "/")
		}
	}
	rest, ok := strings.CutPrefix(topic, "/"+productKey+"/")
	if !ok {
		return "", false
	}
	name, rest, ok = strings.Cut(rest, "/")
	return name, ok && name != "" && rest != ""
}

// send publishes to a device that exists, on a topic that its product lets it subscribe to.
func (b *Backend) send(ctx context.Context, product *device.Product, name, topic string, content []byte, qos byte) (id string, err error) {
	d, err := b.Registry.Device(product.Key, name)
	if err != nil {
		return "", translate(err)
	}
	if !b.MayReceive(product.Key, name, topic) {
		return "", failed("iot.messagebroker.TopicTemplateIsNotFound",
			"No topic category of the product lets the device subscribe to "+topic+".")
	}
	if err := b.Downlink(&d); err != nil {
		return "", translate(err)
	}
	if _, err := b.Broker.Publish(ctx, topic, content, qos); err != nil {
		return "", failed("iot.messagebroker.PublishMessageFailed", err.Error())
	}
	return strconv.FormatUint(b.IDs.Next(), 10), nil
}

// callable reports whether a device may be called on a topic: one below its own names, also of the system's topics. The
// caller says which device it is, and no other one is to be asked, or named, in its place.
func callable(d *device.Device, topic string) bool {
	own := "/" + d.Product().Key + "/" + string(d.Name()) + "/"
	rest, ok := strings.CutPrefix(strings.TrimPrefix(topic, "/sys"), own)
	return ok && rest != "" && packet.ValidTopicName([]byte(topic), nil) == nil
}

// rrpc calls a device.
func (b *Backend) rrpc(ctx context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	if err := p.need("RequestBase64Byte", "Timeout"); err != nil {
		return nil, err
	}
	request, err := p.content("RequestBase64Byte")
	if err != nil {
		return nil, err
	}
	timeout, err := p.milliseconds("Timeout")
	if err != nil || timeout <= 0 {
		return nil, failed("iot.messagebroker.InvalidTimeoutValue", "Timeout is a number of milliseconds.")
	}
	topic := p.Get("Topic")
	if topic != "" && !callable(&d, topic) {
		return nil, failed("iot.messagebroker.InvalidFormattedTopicName",
			"Topic is one of the device's own, without wildcards, such as /"+d.Product().Key+"/"+string(d.Name())+"/user/get.")
	}
	if why := b.limits.rrpc(b.Now()); why != "" {
		return nil, failed("iot.messagebroker.RateLimit", why)
	}
	answer, err := b.RRPC(ctx, d.Product().Key, string(d.Name()), request, topic, timeout)
	switch {
	case errors.Is(err, rrpc.ErrTimeout):
		return nil, failed("iot.messagebroker.InvalidTimeoutValue", err.Error())
	case errors.Is(err, rrpc.ErrTooMany):
		return nil, failed("iot.messagebroker.RateLimit", err.Error())
	case errors.As(err, new(*quota.Exceeded)):
		return nil, translate(err)
	}
	// The call was valid, whatever became of it.
	result := object{{"RrpcCode", string(rrpc.CodeOf(err))}}
	if answer.MessageID != 0 {
		result = append(result, member{"MessageId", answer.MessageID})
	}
	if err == nil {
		result = append(result, member{"PayloadBase64Byte", base64.StdEncoding.EncodeToString(answer.Payload)})
	}
	return result, nil
}
