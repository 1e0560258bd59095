package control

import (
	"context"
	"fmt"
	"strconv"

	"sampan/broker/device"
)

// Topic is a topic category in results.
type Topic struct {
	ID        string `json:"id"` // a 64-bit number, which JSON readers round
	Topic     string `json:"topic"`
	Operation string `json:"operation"` // PUB, SUB or ALL, as the device sees it
	Note      string `json:"note,omitempty"`
}

func topicOf(productKey string, c device.Category) Topic {
	return Topic{strconv.FormatUint(c.ID, 10), c.Topic(productKey), c.Operation.String(), c.Note}
}

// NewTopic is a topic category to make.
type NewTopic struct {
	ProductKey string `json:"productKey"`
	Topic      string `json:"topic"` // behind the device's name, or the whole of it
	Operation  string `json:"operation"`
	Note       string `json:"note"`
}

var topicCreate = define("topic.create", func(_ context.Context, b *Backend, n NewTopic) (Topic, error) {
	operation, known := device.ParseOperation(n.Operation)
	if !known {
		return Topic{}, fmt.Errorf("unknown operation %q; use PUB, SUB or ALL", n.Operation)
	}
	c, err := b.Registry.CreateCategory(n.ProductKey, n.Topic, operation, n.Note)
	if err != nil {
		return Topic{}, err
	}
	return topicOf(n.ProductKey, c), nil
})

// CreateTopic adds a topic category to a product.
func CreateTopic(ctx context.Context, c Caller, n NewTopic) (Topic, error) {
	return topicCreate.on(ctx, c, n)
}

var topicList = define("topic.list", func(_ context.Context, b *Backend, n productName) ([]Topic, error) {
	p, err := b.Registry.Product(n.ProductKey)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.ProductKey, err)
	}
	list := []Topic{}
	for _, c := range p.Categories {
		list = append(list, topicOf(p.Key, c))
	}
	return list, nil
})

// ListTopics lists the topic categories of a product.
func ListTopics(ctx context.Context, c Caller, productKey string) ([]Topic, error) {
	return topicList.on(ctx, c, productName{productKey})
}

// topicName names a topic category.
type topicName struct {
	ProductKey string `json:"productKey"`
	ID         string `json:"id"`
}

var topicDelete = define("topic.delete", func(_ context.Context, b *Backend, n topicName) (nothing, error) {
	id, err := strconv.ParseUint(n.ID, 10, 64)
	if err != nil {
		return nothing{}, fmt.Errorf("%q is not the id of a topic category", n.ID)
	}
	return nothing{}, b.Registry.DeleteCategory(n.ProductKey, id)
})

// DeleteTopic removes a topic category.
func DeleteTopic(ctx context.Context, c Caller, productKey, id string) error {
	_, err := topicDelete.on(ctx, c, topicName{productKey, id})
	return err
}
