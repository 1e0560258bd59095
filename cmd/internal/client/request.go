package client

import (
	"context"
	"errors"
	"fmt"
	"math"

	"sampan/packet"
)

// Subscription is a topic filter with the QoS that is asked for.
type Subscription struct {
	Filter string
	QoS    byte
}

// Subscribe asks for subscriptions and returns the broker's code for each: the granted QoS, or
// packet.SubackFailure.
func (c *Client) Subscribe(ctx context.Context, subscriptions ...Subscription) ([]byte, error) {
	var subscribe packet.Subscribe
	for _, s := range subscriptions {
		subscribe.Add([]byte(s.Filter), s.QoS)
	}
	codes, err := c.request(ctx, func(id uint16, dst []byte) ([]byte, error) {
		subscribe.ID = id
		return subscribe.AppendTo(dst), subscribe.Check(nil)
	})
	if err == nil && len(codes) != len(subscriptions) {
		err = fmt.Errorf("SUBACK has %d codes for %d filters", len(codes), len(subscriptions))
	}
	return codes, err
}

// Unsubscribe gives subscriptions up.
func (c *Client) Unsubscribe(ctx context.Context, filters ...string) error {
	var unsubscribe packet.Unsubscribe
	for _, filter := range filters {
		unsubscribe.Add([]byte(filter))
	}
	_, err := c.request(ctx, func(id uint16, dst []byte) ([]byte, error) {
		unsubscribe.ID = id
		return unsubscribe.AppendTo(dst), unsubscribe.Check(nil)
	})
	return err
}

// Publish sends a message with QoS 0 or 1 and, with QoS 1, waits until the broker has acknowledged it. When
// ctx ends before that, the message may or may not have been taken.
func (c *Client) Publish(ctx context.Context, topic string, payload []byte, qos byte) error {
	publish := packet.Publish{Topic: []byte(topic), Payload: payload, QoS: qos}
	switch qos {
	case 0:
		if err := publish.Check(nil); err != nil {
			return err
		}
		c.writing.Lock()
		defer c.writing.Unlock()
		c.buffer = publish.AppendTo(c.buffer[:0])
		return c.write(c.buffer)
	case 1:
		_, err := c.request(ctx, func(id uint16, dst []byte) ([]byte, error) {
			publish.ID = id
			return publish.AppendTo(dst), publish.Check(nil)
		})
		return err
	}
	return fmt.Errorf("QoS %d: use 0 or 1", qos)
}

// Begin sends a QoS 1 message without waiting for its acknowledgement. Messages go out in the order of the
// calls.
func (c *Client) Begin(topic string, payload []byte) (*Pending, error) {
	publish := packet.Publish{Topic: []byte(topic), Payload: payload, QoS: 1}
	return c.begin(func(id uint16, dst []byte) ([]byte, error) {
		publish.ID = id
		return publish.AppendTo(dst), publish.Check(nil)
	})
}

// Pending is a request that has not been answered yet.
type Pending struct {
	client *Client
	answer chan []byte
}

// request sends a packet with an identifier and waits for the packet that answers it.
func (c *Client) request(ctx context.Context, encode func(id uint16, dst []byte) ([]byte, error)) ([]byte, error) {
	p, err := c.begin(encode)
	if err != nil {
		return nil, err
	}
	return p.wait(ctx)
}

func (c *Client) begin(encode func(id uint16, dst []byte) ([]byte, error)) (*Pending, error) {
	p := &Pending{client: c, answer: make(chan []byte, 1)}
	id, err := c.reserve(p.answer)
	if err != nil {
		return nil, err
	}
	if err := c.sendRequest(id, encode); err != nil {
		c.forget(id)
		return nil, err
	}
	return p, nil
}

// Wait waits until the broker has answered. When ctx ends before that, or the connection, the broker may or
// may not have taken the message.
func (p *Pending) Wait(ctx context.Context) error {
	_, err := p.wait(ctx)
	return err
}

func (p *Pending) wait(ctx context.Context) ([]byte, error) {
	select {
	case codes, alive := <-p.answer:
		if !alive {
			return nil, p.client.Err()
		}
		return codes, nil
	case <-ctx.Done():
		// The identifier stays taken: the broker may still answer.
		return nil, context.Cause(ctx)
	}
}

func (c *Client) sendRequest(id uint16, encode func(id uint16, dst []byte) ([]byte, error)) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	var err error
	if c.buffer, err = encode(id, c.buffer[:0]); err != nil {
		return err
	}
	return c.write(c.buffer)
}

// reserve takes the next packet identifier that no request has.
func (c *Client) reserve(answer chan<- []byte) (uint16, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if len(c.waiting) == math.MaxUint16 {
		return 0, errors.New("all packet identifiers are in use")
	}
	for {
		if c.lastID++; c.lastID == 0 {
			c.lastID = 1
		}
		if _, taken := c.waiting[c.lastID]; !taken {
			c.waiting[c.lastID] = answer
			return c.lastID, nil
		}
	}
}

func (c *Client) forget(id uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}
