package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"sampan/packet"
	"sampan/session"
)

// Message is what an in-process subscriber receives. The handler owns it.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte // 0 or 1, as published
}

// Publish sends a message to every subscriber of the topic, as a client without any restriction would. For
// QoS 1 it returns when the message is stored for the persistent sessions among them at the store's
// durability level, or when ctx ends. It returns to how many subscribers the message went; it may have gone
// to some of them when the error is not nil.
func (b *Broker) Publish(ctx context.Context, topic string, payload []byte, qos byte) (receivers int, err error) {
	p := packet.Publish{Topic: []byte(topic), Payload: payload, QoS: qos, ID: uint16(min(qos, 1))}
	w, r, err := b.compose(&p)
	if err != nil {
		return 0, err
	}
	var to route
	to.topic = r.topic
	to.match(b)
	stored, err := b.deliver(r, &to, &w.batch)
	return to.matches.Len(), b.dispatch(ctx, w, stored, err)
}

// ErrFull is returned by Deliver if the client does not take what is waiting for it already.
var ErrFull = errors.New("broker: the client's outbound is full")

// ErrOffline is returned by Deliver if the client has no connection.
var ErrOffline = errors.New("broker: client is not connected")

// Deliver sends a message to one client, whether it has subscribed to the topic or not. QoS 0 needs a
// connection; a QoS 1 message waits for the client if it has a persistent session.
func (b *Broker) Deliver(ctx context.Context, key, topic string, payload []byte, qos byte) error {
	cl, _ := b.clients.acquire(b, key, false, 0)
	if cl == nil {
		return ErrOffline
	}
	defer b.clients.release(cl)
	id := cl.sessionID.Load()
	if cl.handler != nil || cl.out.Load() == nil && (qos == 0 || id == 0) {
		return ErrOffline
	}
	p := packet.Publish{Topic: []byte(topic), Payload: payload, QoS: qos, ID: uint16(min(qos, 1))}
	w, r, err := b.compose(&p)
	if err != nil {
		return err
	}
	if qos == 0 {
		if cl.deliverQoS0(r, &route{direct: true}, &w.batch) == 0 {
			if err = ErrOffline; cl.out.Load() != nil {
				err = ErrFull
			}
		} else {
			b.stats.sent[0].Add(1)
		}
		return b.dispatch(ctx, w, false, err)
	}
	expires, to := b.messageExpiry(), route{direct: true}
	if id != 0 {
		to.stored = []session.ID{session.ID(id)}
		err = b.store.Append(r.message(0, expires), to.stored)
	}
	if err == nil {
		b.stats.sent[1].Add(cl.deliverQoS1(r, &to, expires, &w.batch))
	}
	return b.dispatch(ctx, w, id != 0, err)
}

// DeliverSubscribed is Deliver for a message that the client gets only if one of its subscriptions matches
// the topic; it reports whether one does. Nobody else gets it, whatever they have subscribed to.
func (b *Broker) DeliverSubscribed(ctx context.Context, key, topic string, payload []byte, qos byte) (subscribed bool, err error) {
	cl, _ := b.clients.acquire(b, key, false, 0)
	if cl == nil {
		return false, ErrOffline
	}
	cl.mu.Lock()
	subscribed = cl.matches(topic)
	cl.mu.Unlock()
	b.clients.release(cl)
	if !subscribed {
		return false, nil
	}
	return true, b.Deliver(ctx, key, topic, payload, qos)
}

// filterMatches reports whether a topic filter matches a topic name, both valid. [MQTT-4.7.1-2, MQTT-4.7.1-3,
// MQTT-4.7.2-1]
func filterMatches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false
	}
	for {
		want, filterRest, more := strings.Cut(filter, "/")
		if want == "#" {
			return true
		}
		level, topicRest, deeper := strings.Cut(topic, "/")
		if want != "+" && want != level {
			return false
		}
		if !deeper {
			return !more || filterRest == "#" // "a/#" matches "a"
		}
		if !more {
			return false
		}
		filter, topic = filterRest, topicRest
	}
}

// compose makes a run of one message.
func (b *Broker) compose(p *packet.Publish) (*work, *run, error) {
	if b.ctx.Err() != nil {
		return nil, nil, ErrClosed
	}
	if p.QoS > 1 {
		return nil, nil, fmt.Errorf("broker: QoS %d is not supported", p.QoS)
	}
	if err := p.Check(&b.limits[packet.Level311]); err != nil {
		return nil, nil, fmt.Errorf("broker: %w", err)
	}
	w := works.Get().(*work)
	raw := p.AppendTo(make([]byte, 0, p.Size()))
	w.run.add(raw, 0, len(raw), p)
	return w, &w.run, nil
}

// dispatch flushes what compose and deliver have queued, and waits for the store if it has to.
func (b *Broker) dispatch(ctx context.Context, w *work, stored bool, err error) error {
	w.batch.flush()
	w.run.reset()
	w.run.flushed()
	works.Put(w)
	if err != nil || !stored {
		return err
	}
	held := make(chan error, 1)
	b.store.Sync(func(err error) { held <- err })
	select {
	case err := <-held:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Subscription is an in-process subscription. Close ends it.
type Subscription struct {
	broker *Broker
	client *client
	filter string
}

// Subscribe calls handler for each message whose topic matches the filter, one after the other, on a
// goroutine that ends with the subscription. A handler that does not keep up loses messages, which is
// counted (Options.HandlerQueue); it never holds up a publisher.
func (b *Broker) Subscribe(filter string, handler func(Message)) (*Subscription, error) {
	if err := packet.ValidTopicFilter([]byte(filter), nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	in := &inbox{broker: b, handle: handler, wake: make(chan struct{}, 1)}
	key := "\x00handler-" + strconv.FormatUint(b.names.Add(1), 10)
	s := &Subscription{broker: b, filter: filter, client: &client{key: key, broker: b, handler: in}}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, ErrClosed
	}
	b.handlers[s] = struct{}{}
	b.goroutines.add()
	b.mu.Unlock()
	go in.run()
	b.tree.Subscribe(filter, s.client, 1)
	b.stats.subscriptions.Add(1)
	return s, nil
}

// Close ends the subscription. Messages that already wait are still handled; Close does not wait for that
// and may be called by the handler.
func (s *Subscription) Close() {
	b := s.broker
	b.mu.Lock()
	_, open := b.handlers[s]
	delete(b.handlers, s)
	b.mu.Unlock()
	if open {
		b.tree.Unsubscribe(s.filter, s.client)
		b.stats.subscriptions.Add(-1)
		s.client.handler.close()
	}
}

// inbox is what waits for an in-process subscriber.
type inbox struct {
	broker *Broker
	handle func(Message)
	wake   chan struct{}

	mu     sync.Mutex // guards what follows
	queue  []Message
	closed bool
}

// put copies a run into the inbox as far as there is room.
func (in *inbox) put(r *run) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return
	}
	topic := ""
	dropped := uint64(0)
	for _, f := range r.frames {
		if len(in.queue) >= in.broker.opts.HandlerQueue {
			dropped++
			continue
		}
		if topic == "" {
			topic = string(r.topic)
		}
		payload := append([]byte(nil), r.bytes[f.payload:f.end]...)
		in.queue = append(in.queue, Message{Topic: topic, Payload: payload, QoS: r.qos})
	}
	if dropped > 0 {
		in.broker.stats.reasons[DropHandlerBehind].Add(dropped)
	}
	in.signal()
}

func (in *inbox) signal() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	in.signal()
}

// run calls the handler until the inbox is closed and empty.
func (in *inbox) run() {
	defer in.broker.goroutines.done()
	for range in.wake {
		for {
			in.mu.Lock()
			queue, closed := in.queue, in.closed
			in.queue = nil
			in.mu.Unlock()
			for _, m := range queue {
				in.handle(m)
			}
			if len(queue) == 0 {
				if closed {
					return
				}
				break
			}
		}
	}
}
