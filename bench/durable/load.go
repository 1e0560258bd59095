package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sampan/packet"
)

// turn is what one broker did in one round.
type turn struct{ rate, p50, p99 float64 } // messages a second, milliseconds

const (
	payloadBytes = 256
	patience     = 30 * time.Second // for any packet
)

// load measures the broker at addr.
func load(ctx context.Context, addr string, publishers int, measure time.Duration) (turn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	receiver, err := dial(ctx, addr, "durable-receiver", false)
	if err != nil {
		return turn{}, err
	}
	defer receiver.Close()
	if err := receiver.subscribe("durable/#"); err != nil {
		return turn{}, err
	}
	var received, acknowledged atomic.Int64
	go func() { // ends with the connection
		err := receiver.take(0, &received)
		cancel(fmt.Errorf("the session that receives has lost its connection: %w", err))
	}()

	clients := make([]*conn, publishers)
	for i := range clients {
		if clients[i], err = dial(ctx, addr, fmt.Sprint("durable-publisher-", i), true); err != nil {
			return turn{}, err
		}
		defer clients[i].Close()
	}
	times := make([][]time.Duration, publishers)
	began := time.Now().Add(measure / 4)
	end := began.Add(measure)
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() { // ends when the time is over, or the connection
			var err error
			if times[i], err = c.publish(ctx, fmt.Sprint("durable/", i), began, end, &acknowledged); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if err := arrive(ctx, &received, acknowledged.Load()); err != nil {
		return turn{}, err
	}
	one := slices.Concat(times...)
	if len(one) == 0 {
		return turn{}, nil // slower than the turn is long
	}
	p50, p99 := quantiles(one)
	return turn{float64(len(one)) / measure.Seconds(), p50, p99}, nil
}

// arrive waits until everything that was acknowledged has been received: a broker that drops some of it, or passes on
// nothing, has had less to do.
func arrive(ctx context.Context, received *atomic.Int64, acknowledged int64) error {
	before, since := received.Load(), time.Now()
	for ; ctx.Err() == nil && before < acknowledged; time.Sleep(10 * time.Millisecond) {
		if now := received.Load(); now > before {
			before, since = now, time.Now()
		} else if time.Since(since) > patience {
			return fmt.Errorf("%d messages were acknowledged, and %d received", acknowledged, before)
		}
	}
	return context.Cause(ctx)
}

// quantiles returns two of them, in milliseconds. There must be one time at least; they are sorted.
func quantiles(times []time.Duration) (p50, p99 float64) {
	slices.Sort(times)
	milliseconds := func(at int) float64 { return float64(times[at].Microseconds()) / 1000 }
	return milliseconds(len(times) / 2), milliseconds(len(times) * 99 / 100)
}

// conn is a client's connection.
type conn struct {
	net.Conn
	reader *packet.Reader
}

func dial(ctx context.Context, addr, clientID string, clean bool) (*conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &conn{nc, packet.NewReader(nc, &packet.Limits{Types: packet.FirstFromServer | packet.FromServer})}
	connect := packet.Connect{Level: packet.Level311, CleanSession: clean, ClientID: []byte(clientID)}
	var connack packet.Connack
	f, err := c.ask(connect.AppendTo(nil), packet.TypeConnack)
	if err == nil {
		err = connack.Decode(f, nil)
	}
	if err == nil && connack.Code != packet.Accepted {
		err = fmt.Errorf("CONNECT was refused: %s", connack.Code)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// ask sends a packet and returns the next one, which must be of a type.
func (c *conn) ask(p []byte, want packet.Type) (packet.Frame, error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return packet.Frame{}, err
	}
	if _, err := c.Write(p); err != nil {
		return packet.Frame{}, err
	}
	f, err := c.reader.Next()
	if err == nil && f.Type() != want {
		err = fmt.Errorf("got %s instead of %s", f.Type(), want)
	}
	return f, err
}

func (c *conn) subscribe(filter string) error {
	s := packet.Subscribe{ID: 1}
	s.Add([]byte(filter), 1)
	_, err := c.ask(s.AppendTo(nil), packet.TypeSuback)
	return err
}

// publish sends one message after the other until end, and returns the times to PUBACK of those whose PUBACK came
// between began and end. When they were sent does not matter: else what is on its way at either border would be
// missing, which is a tenth of everything if a PUBACK takes a twentieth of the time. All PUBACKs are counted in
// acknowledged.
func (c *conn) publish(ctx context.Context, topic string, began, end time.Time, acknowledged *atomic.Int64) (times []time.Duration, err error) {
	p := packet.Publish{Topic: []byte(topic), Payload: make([]byte, payloadBytes), QoS: 1}
	var buffer []byte
	for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
		if p.ID++; p.ID == 0 {
			p.ID = 1
		}
		buffer = p.AppendTo(buffer[:0])
		f, err := c.ask(buffer, packet.TypePuback)
		if err != nil {
			return nil, err
		}
		var ack packet.Ack
		if err := ack.Decode(f, nil); err != nil || ack.ID != p.ID {
			return nil, fmt.Errorf("PUBACK for %d instead of %d: %v", ack.ID, p.ID, err)
		}
		after := time.Now()
		acknowledged.Add(1)
		if after.After(began) && after.Before(end) {
			times = append(times, after.Sub(now))
		}
		now = after
	}
	return times, nil
}

// take acknowledges what comes until that were so many messages, or, with 0, for as long as the connection lasts.
func (c *conn) take(most int, received *atomic.Int64) error {
	var p packet.Publish
	var acks []byte
	if err := c.SetDeadline(time.Time{}); err != nil {
		return err
	}
	for most == 0 || received.Load() < int64(most) {
		if most > 0 && c.reader.Buffered() == 0 {
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				return err
			}
		}
		f, err := c.reader.Next()
		if err != nil {
			return err
		}
		if f.Type() != packet.TypePublish || p.Decode(f, nil) != nil {
			continue
		}
		received.Add(1)
		acks = packet.AppendPuback(acks, p.ID)
		if c.reader.Buffered() > 0 && len(acks) < 4<<10 && received.Load() != int64(most) {
			continue // one write for a whole read
		}
		if _, err := c.Write(acks); err != nil {
			return err
		}
		acks = acks[:0]
	}
	return nil
}
