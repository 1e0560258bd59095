package platform

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"sampan/broker"
	"sampan/broker/gateway"
	"sampan/broker/quota"
)

// broadcasts are the rates of a product's broadcasts: a word for those to a topic, and one for those to all.
type broadcasts struct {
	mu    sync.Mutex
	words map[string]*[2]uint64 // by product
}

// Broadcast sends a message to many devices of a product, at QoS 0 and to those that are online: to the
// subscribers of a topic /broadcast/{productKey}/..., or, if topic is empty, to every device, by itself or
// through its gateway, on /sys/{productKey}/{deviceName}/broadcast/request/{id}, which it need not have
// subscribed to. It returns the message's id.
//
// The error is the registry's if there is no such product, a *quota.Over for a payload that is too large or a
// topic with too many subscribers, and a *quota.Exceeded if there are too many broadcasts.
func (p *Platform) Broadcast(ctx context.Context, productKey, topic string, payload []byte) (id uint64, err error) {
	if _, err := p.registry.Product(productKey); err != nil {
		return 0, err
	}
	if rest, ok := strings.CutPrefix(topic, "/broadcast/"+productKey+"/"); topic != "" && (!ok || rest == "") {
		return 0, fmt.Errorf("platform: %q is not a broadcast topic of product %s", topic, productKey)
	}
	q := p.opts.Quantities
	if err := p.over("broadcast-payload", productKey, len(payload), int(q.BroadcastPayload)); err != nil {
		return 0, err
	}
	which, item := 0, quota.TopicBroadcasts
	if topic == "" {
		which, item = 1, quota.FullBroadcasts
	} else if err := p.over("subscribers-per-topic", productKey, p.broker.Subscribers(topic, ""), q.SubscribersPerTopic); err != nil {
		// Who subscribes finds out that a topic is full; who subscribes with a wildcard may find out too late.
		return 0, err
	}
	if err := p.paceBroadcast(productKey, which, item); err != nil {
		return 0, err
	}
	if err := p.Downlink(nil); err != nil {
		return 0, err
	}
	id = p.ids.Next()
	if topic != "" {
		_, err := p.broker.Publish(ctx, topic, payload, 0)
		return id, err
	}
	p.toAll(ctx, productKey, "/broadcast/request/"+strconv.FormatUint(id, 10), payload)
	return id, ctx.Err()
}

// over holds a number to a limit of the table, where zero is none.
func (p *Platform) over(name, who string, n, limit int) error {
	if limit <= 0 || n <= limit {
		return nil
	}
	p.meter.Refused(name, who, int64(limit), int64(n))
	return &quota.Over{Name: name, Limit: int64(limit), Value: int64(n)}
}

func (p *Platform) paceBroadcast(productKey string, which int, item quota.Item) error {
	rate := p.opts.Quantities.Rate(item)
	l := &limited{rate.Limiter(), int64(rate.Limit)}
	b := &p.broadcasts
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.words == nil {
		b.words = make(map[string]*[2]uint64)
	}
	words := b.words[productKey]
	if words == nil {
		words = new([2]uint64)
		b.words[productKey] = words
	}
	if !l.Allow(&words[which], p.opts.Clock.Now().UnixNano(), 1) {
		return p.exceeded(item, l, productKey, words[which])
	}
	return nil
}

// toAll delivers to each device of a product that is online now. Who has gone meanwhile does not get it.
func (p *Platform) toAll(ctx context.Context, productKey, path string, payload []byte) {
	prefix := Key(productKey, "")
	p.broker.Clients(func(c broker.ClientInfo) bool {
		if name, ok := strings.CutPrefix(c.Key, prefix); ok && c.Connected {
			_ = p.broker.Deliver(ctx, c.Key, "/sys/"+productKey+"/"+name+path, payload, 0)
		}
		return ctx.Err() == nil
	})
	p.gateways.Online(productKey, func(sub, through gateway.Name) bool {
		_ = p.broker.Deliver(ctx, Key(through.ProductKey, through.DeviceName), "/sys/"+sub.String()+path, payload, 0)
		return ctx.Err() == nil
	})
}
