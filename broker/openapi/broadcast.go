package openapi

import (
	"context"
	"strings"

	"sampan/broker"
	"sampan/broker/gateway"
)

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
	if limit := int(b.limits.table.BroadcastPayload); b.limits.over("broadcast-payload", product.Key, len(content), limit) {
		return nil, failed("iot.messagebroker.MessageContentTooLong", "A broadcast has at most "+text(limit)+" bytes.")
	}
	id := b.IDs.Next()
	topic := p.Get("TopicFullName")
	if topic == "" {
		if why := b.limits.fullBroadcast(product.Key, b.Now()); why != "" {
			return nil, failed("iot.messagebroker.RateLimit", why)
		}
		if err := b.Downlink(nil); err != nil {
			return nil, translate(err)
		}
		return object{{"MessageId", id}}, b.toAll(ctx, product.Key, id, content)
	}
	if rest, ok := strings.CutPrefix(topic, "/broadcast/"+product.Key+"/"); !ok || rest == "" || strings.ContainsAny(rest, "+#") {
		return nil, failed("iot.messagebroker.InvalidFormattedTopicName", "TopicFullName is like /broadcast/"+product.Key+"/news.")
	}
	// Who subscribes finds out that a topic is full; who subscribes with a wildcard may find out too late.
	if limit := b.limits.table.SubscribersPerTopic; b.limits.over("subscribers-per-topic", product.Key, b.Broker.Subscribers(topic, ""), limit) {
		return nil, failed("iot.messagebroker.TooManySubscribers", "The topic has more than "+text(limit)+" subscribers.")
	}
	if why := b.limits.topicBroadcast(product.Key, b.Now()); why != "" {
		return nil, failed("iot.messagebroker.RateLimit", why)
	}
	if err := b.Downlink(nil); err != nil {
		return nil, translate(err)
	}
	if _, err := b.Broker.Publish(ctx, topic, content, 0); err != nil {
		return nil, failed("iot.messagebroker.PublishMessageFailed", err.Error())
	}
	return object{{"MessageId", id}}, nil
}

// toAll delivers to each device of the product that is online now, by itself or through a gateway.
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
	if b.Gateways != nil {
		b.Gateways.Online(productKey, func(sub, through gateway.Name) bool {
			_ = b.Broker.Deliver(ctx, b.Key(through.ProductKey, through.DeviceName), "/sys/"+sub.String()+message, content, 0)
			return ctx.Err() == nil
		})
	}
	return ctx.Err()
}
