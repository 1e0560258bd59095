package openapi

import (
	"context"
	"errors"
	"strings"

	"sampan/broker/device"
	"sampan/broker/quota"
)

// pubBroadcast sends a message to many devices of a product: to the subscribers of a topic, or to all that are
// online; see platform.Platform.Broadcast.
func (b *Backend) pubBroadcast(ctx context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	content, err := p.content("MessageContent")
	if err != nil {
		return nil, err
	}
	id, err := b.broadcast(ctx, product, p.Get("TopicFullName"), content)
	if err != nil {
		return nil, err
	}
	return object{{"MessageId", id}}, nil
}

// broadcast sends to the subscribers of a topic, or to all if it is empty.
func (b *Backend) broadcast(ctx context.Context, product *device.Product, topic string, content []byte) (id uint64, err error) {
	if rest, ok := strings.CutPrefix(topic, "/broadcast/"+product.Key+"/"); topic != "" && (!ok || rest == "" || strings.ContainsAny(rest, "+#")) {
		return 0, failed("iot.messagebroker.InvalidFormattedTopicName", "TopicFullName is like /broadcast/"+product.Key+"/news.")
	}
	id, err = b.Broadcast(ctx, product.Key, topic, content)
	var over *quota.Over
	switch {
	case errors.As(err, &over) && over.Name == "broadcast-payload":
		return 0, failed("iot.messagebroker.MessageContentTooLong", "A broadcast has at most "+text(over.Limit)+" bytes.")
	case over != nil:
		return 0, failed("iot.messagebroker.TooManySubscribers", "The topic has more than "+text(over.Limit)+" subscribers.")
	case errors.As(err, new(*quota.Exceeded)):
		return 0, translate(err)
	case err != nil:
		return 0, failed("iot.messagebroker.PublishMessageFailed", err.Error())
	}
	return id, nil
}
