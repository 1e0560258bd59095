package crash

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"sampan/cmd/internal/client"
	"sampan/packet"
)

// device is a subscriber that comes and goes.
type device struct {
	number int
	run    *run
	random *rand.Rand // of the goroutine of attend

	steady bool         // its steady subscription was acknowledged
	wants  map[int]bool // by stream: subscribed, or not, or (absent) not known

	mu       sync.Mutex // guards what follows
	client   *client.Client
	held     []uint16   // received and not acknowledged, in order
	patience int        // how many messages are held before they are acknowledged
	mood     *rand.Rand // of the goroutine that receives
}

// Times of a subscriber's life, at most.
const (
	stay = 400 * time.Millisecond
	away = 250 * time.Millisecond
	held = 40 // messages
)

// attend comes and goes until quit is closed; then it stays until ctx ends.
func (d *device) attend(ctx context.Context, quit <-chan struct{}) {
	for ctx.Err() == nil {
		settling := false
		select {
		case <-quit:
			settling = true
		default:
		}
		d.attendOnce(ctx, quit, settling)
		select {
		case <-quit:
		default:
			pause(ctx, d.upTo(away))
		}
	}
}

// upTo is a random time.
func (d *device) upTo(most time.Duration) time.Duration {
	return time.Duration(d.random.Int64N(int64(most)))
}

// attendOnce is one connection.
func (d *device) attendOnce(ctx context.Context, quit <-chan struct{}, settling bool) {
	broker := 0
	d.mu.Lock()
	d.client, d.held = nil, nil
	d.mu.Unlock()
	d.run.ledger.connecting(d.number)
	known := make(chan struct{})
	c, number, err := d.run.connect(ctx, client.Options{
		ClientID: d.run.ledger.subscribers[d.number].name,
		OnMessage: func(m client.Message) bool {
			<-known
			d.receive(broker, m, settling)
			return false // it acknowledges when it likes
		},
	})
	broker = number
	if err == nil {
		d.run.ledger.connected(d.number, broker, c.SessionPresent())
		d.mu.Lock()
		d.client = c
		d.mu.Unlock()
	}
	close(known)
	if err != nil {
		return
	}
	if !d.steady {
		d.steady = d.subscribe(ctx, c, true, 0, steadyFilter)
	}
	if settling {
		select {
		case <-c.Done():
		case <-ctx.Done():
		}
		c.Close()
		return
	}
	leaving := time.NewTimer(d.upTo(stay))
	defer leaving.Stop()
	for {
		select {
		case <-c.Done():
			c.Close()
			return
		case <-leaving.C:
			d.leave(c)
			return
		case <-quit:
			d.leave(c)
			return
		case <-ctx.Done():
			c.Close()
			return
		case <-time.After(d.upTo(stay / 8)):
			d.change(ctx, c)
		}
	}
}

// change adds or removes a subscription.
func (d *device) change(ctx context.Context, c *client.Client) {
	stream := 2*d.random.IntN(len(d.run.ledger.streams)/2) + 1
	topic := d.run.ledger.streams[stream].topic
	if has, known := d.wants[stream]; known && !has || !known && d.random.IntN(2) == 0 || len(d.run.ledger.subscribers[d.number].spans[stream]) == 0 {
		delete(d.wants, stream)
		if d.subscribe(ctx, c, false, stream, topic) {
			d.wants[stream] = true
		}
		return
	}
	delete(d.wants, stream)
	d.run.ledger.unsubscribing(d.number, stream)
	if c.Unsubscribe(ctx, topic) == nil {
		d.run.ledger.unsubscribed(d.number, stream)
		d.wants[stream] = false
	}
}

func (d *device) subscribe(ctx context.Context, c *client.Client, steady bool, stream int, filter string) bool {
	d.run.ledger.subscribing(d.number, steady, stream)
	codes, err := c.Subscribe(ctx, client.Subscription{Filter: filter, QoS: 1})
	if err != nil {
		return false
	}
	if codes[0] == packet.SubackFailure {
		d.run.ledger.fault(Broker, "the subscription to %s was refused", filter)
		return false
	}
	d.run.ledger.subscribed(d.number, steady, stream)
	return true
}

// receive takes a message in and acknowledges it, with those before, at once or later. It runs on the
// client's goroutine.
func (d *device) receive(broker int, m client.Message, settling bool) {
	d.run.ledger.received(d.number, broker, m)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = append(d.held, m.ID)
	if !settling && len(d.held) <= d.patience {
		return
	}
	d.acknowledge(len(d.held))
	d.patience = 0
	if d.mood.IntN(4) == 0 {
		d.patience = d.mood.IntN(held)
	}
}

// acknowledge acknowledges the first n messages that are held. Called with mu held.
func (d *device) acknowledge(n int) {
	for _, identifier := range d.held[:n] {
		d.run.ledger.acking(d.number, identifier)
		if d.client == nil || d.client.Ack(identifier) != nil {
			break // the connection is gone
		}
	}
	d.held = d.held[n:]
}

// leave ends the connection: in order, with some of the held messages acknowledged, or by cutting it.
func (d *device) leave(c *client.Client) {
	if d.random.IntN(2) == 0 {
		c.Close()
		d.run.ledger.cut()
		return
	}
	d.mu.Lock()
	d.acknowledge(d.random.IntN(len(d.held) + 1))
	d.mu.Unlock()
	c.Disconnect()
}
