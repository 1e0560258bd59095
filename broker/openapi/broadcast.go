package openapi

import (
	"context"
	"strings"

	"sampan/broker"
)

// maxBroadcast is the largest broadcast (platform: 64 KB).
const maxBroadcast = 64 << 10

// pubBroadcast sends a message to many devices of a product, at QoS 0: to the subscribers of a topic
// /broadcast/{productKey}/..., or without a topic to every device that is online, on a topic of its own that
// it need not have subscribed to.
func (b *Backend) pubBroadcast(ctx context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	content, err := p.content("MessageContent")
	if err != nil {
		return nil, err
	}
	if len(content) > maxBroadcast {
		return nil, failed("iot.messagebroker.MessageContentTooLong", "A broadcast has at most 64 KB.")
	}
	id := b.messageID()
	topic := p.Get("TopicFullName")
	if topic == "" {
		if why := b.limits.fullBroadcast(product.Key, b.Now()); why != "" {
			return nil, failed("iot.messagebroker.RateLimit", why)
		}
		return object{{"MessageId", id}}, b.toAll(ctx, product.Key, id, content)
	}
	if rest, ok := strings.CutPrefix(topic, "/broadcast/"+product.Key+"/"); !ok || rest == "" || strings.ContainsAny(rest, "+#") {
		return nil, failed("iot.messagebroker.InvalidFormattedTopicName", "TopicFullName is like /broadcast/"+product.Key+"/news.")
	}
	if why := b.limits.topicBroadcast(product.Key, b.Now()); why != "" {
		return nil, failed("iot.messagebroker.RateLimit", why)
	}
	if _, err := b.Broker.Publish(ctx, topic, content, 0); err != nil {
		return nil, failed("iot.messagebroker.PublishMessageFailed", err.Error())
	}
	return object{{"MessageId", id}}, nil
}

// toAll delivers to each device of the product that is online now.
func (b *Backend) toAll(ctx context.Context, productKey string, id uint64, content []byte) error {
	prefix := b.Key(productKey, "")
	message := "/broadcast/request/" + text(id)
	b.Broker.Clients(func(c broker.ClientInfo) bool {
		if name, ok := strings.CutPrefix(c.Key, prefix); ok && c.Connected {
			// Who has gone meanwhile does not get it.
			_ = b.Broker.Deliver(ctx, c.Key, "/sys/"+productKey+"/"+name+message, content, 0)
		}
		return ctx.Err() == nil
	})
	return ctx.Err()
}
