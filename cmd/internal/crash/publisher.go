package crash

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"sampan/cmd/internal/client"
)

// publisher sends messages on two topics, one after the other or some at a time, each of them once.
type publisher struct {
	number int
	run    *run
	random *rand.Rand
	window int           // outstanding messages
	every  time.Duration // between two messages
}

// streams are the publisher's numbers of streams: a steady one and another.
func (p *publisher) streams() (steady, other int) { return 2 * p.number, 2*p.number + 1 }

// publish goes on until quit is closed, whatever happens to the connection, and returns when everything is
// acknowledged that can be.
func (p *publisher) publish(ctx context.Context, quit <-chan struct{}) {
	for ctx.Err() == nil {
		c, broker, err := p.run.connect(ctx, client.Options{ClientID: "", Clean: true})
		if err != nil {
			return
		}
		over := p.through(ctx, c, broker, quit)
		c.Close()
		if over {
			return
		}
	}
}

// pending is a message on its way.
type pending struct {
	id
	*client.Pending
}

// through publishes on one connection, and reports whether it was asked to end.
func (p *publisher) through(ctx context.Context, c *client.Client, broker int, quit <-chan struct{}) (over bool) {
	var waiting []pending
	settle := func(leave int) bool {
		for len(waiting) > leave {
			if waiting[0].Wait(ctx) != nil {
				return false
			}
			p.run.ledger.acknowledged(waiting[0].stream, waiting[0].number)
			waiting = waiting[1:]
		}
		return true
	}
	var payload []byte
	for ctx.Err() == nil {
		select {
		case <-quit:
			return settle(0)
		case <-c.Done():
			settle(0) // takes what has come before the connection broke
			return false
		default:
		}
		pause(ctx, p.every/2+time.Duration(p.random.Int64N(int64(p.every))))
		if p.run.ledger.behind() > maxBehind {
			continue
		}
		steady, other := p.streams()
		stream := steady
		if p.random.IntN(3) == 0 {
			stream = other
		}
		number := p.run.ledger.sending(stream, broker)
		payload = appendPayload(payload[:0], p.run.ledger.run, stream, number, p.random)
		m, err := c.Begin(p.run.ledger.streams[stream].topic, payload)
		if err != nil {
			settle(0)
			return false
		}
		waiting = append(waiting, pending{id{stream, number}, m})
		if !settle(p.window - 1) {
			return false
		}
	}
	return false
}

// last publishes the message that ends the run, and returns its number.
func (p *publisher) last(ctx context.Context) (stream int, number uint64, err error) {
	stream, _ = p.streams()
	c, broker, err := p.run.connect(ctx, client.Options{Clean: true})
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	number = p.run.ledger.sending(stream, broker)
	topic := p.run.ledger.streams[stream].topic
	if err := c.Publish(ctx, topic, appendPayload(nil, p.run.ledger.run, stream, number, p.random), 1); err != nil {
		return 0, 0, errors.Join(errors.New("the last message was not acknowledged"), err)
	}
	p.run.ledger.acknowledged(stream, number)
	return stream, number, nil
}
