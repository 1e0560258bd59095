package openapi

import (
	"context"
	"errors"
	"strings"

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
	topic := p.Get("TopicFullName")
	if rest, ok := strings.CutPrefix(topic, "/broadcast/"+product.Key+"/"); topic != "" && (!ok || rest == "" || strings.ContainsAny(rest, "+#")) {
		return nil, failed("iot.messagebroker.InvalidFormattedTopicName", "TopicFullName is like /broadcast/"+product.Key+"/news.")
	}
	id, err := b.Broadcast(ctx, product.Key, topic, content)
	var over *quota.Over
	switch {
	case errors.As(err, &over) && over.Name == "broadcast-payload":
		return nil, failed("iot.messagebroker.MessageContentTooLong", "A broadcast has at most "+text(over.Limit)+" bytes.")
	case over != nil:
		return nil, failed("iot.messagebroker.TooManySubscribers", "The topic has more than "+text(over.Limit)+" subscribers.")
	case errors.As(err, new(*quota.Exceeded)):
		return nil, translate(err)
	case err != nil:
		return nil, failed("iot.messagebroker.PublishMessageFailed", err.Error())
	}
	return object{{"MessageId", id}}, nil
}
