package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sampan/packet"
)

// Recovery is how long a broker takes to be back after SIGKILL.
type Recovery struct {
	Messages   int     `json:"messages"`
	Queues     int     `json:"queues"`
	Stored     float64 `json:"storedPerSecond"` // acknowledged, by all publishers together
	Seconds    float64 `json:"seconds"`         // from the start of the process until it accepts connections
	PerMillion float64 `json:"secondsPerMillion"`
	Memory     float64 `json:"memoryPerMessage"` // bytes resident then, all of the process
	Drain      Drain   `json:"drain"`            // what happens then
}

// The backlog: what is stored for whom, and by how many publishers, each of which has so much in flight.
const (
	queues     = 1000
	fillers    = 32
	fillFlight = 64
)

// recovery stores messages for sessions that are away, kills the broker, starts it again, and has the sessions'
// clients take everything.
func (s contender) recovery(ctx context.Context, in string, messages int) (r Recovery, err error) {
	dir, clear, err := empty(in)
	if err != nil {
		return r, err
	}
	defer clear()
	running, err := s.start(ctx, dir)
	if err != nil {
		return r, err
	}
	defer running.Stop()
	for i := range queues {
		c, err := dial(ctx, running.Addr, fmt.Sprint("durable-away-", i), false)
		if err != nil {
			return r, err
		}
		err = errors.Join(c.subscribe(fmt.Sprint("away/", i)), c.Close())
		if err != nil {
			return r, err
		}
	}
	began := time.Now()
	if err := fill(ctx, running.Addr, messages); err != nil {
		return r, fmt.Errorf("%w\n%s", err, running.Output())
	}
	stored := float64(messages) / time.Since(began).Seconds()
	running.Kill()

	began = time.Now()
	again, err := s.start(ctx, dir)
	if err != nil {
		return r, err
	}
	defer again.Stop()
	took := time.Since(began).Seconds()
	used, err := again.Group.Read()
	if err != nil {
		return r, err
	}
	if err := comesBack(ctx, again.Addr); err != nil {
		return r, err
	}
	drained, err := drain(ctx, again.Addr, dir, messages)
	if err != nil {
		return r, fmt.Errorf("%w\n%s", err, again.Output())
	}
	perMessage := 1 / float64(messages)
	return Recovery{messages, queues, stored, took, took * 1e6 * perMessage, float64(used.RSS) * perMessage, drained}, nil
}

// fill publishes messages to the queues in turn, and returns when all of them are acknowledged.
func fill(ctx context.Context, addr string, messages int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for f := range fillers {
		all.Go(func() { // ends when its messages are acknowledged, or the connection fails
			c, err := dial(ctx, addr, fmt.Sprint("durable-filler-", f), true)
			if err != nil {
				cancel(err)
				return
			}
			defer c.Close()
			for from := f; from < messages && ctx.Err() == nil; from += fillers * fillFlight {
				if err := c.fill(from, messages); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// fill publishes the next messages of one publisher, of those numbered below end, in one write.
func (c *conn) fill(from, end int) error {
	var write []byte
	p := packet.Publish{Payload: make([]byte, payloadBytes), QoS: 1}
	for number := from; number < end && p.ID < fillFlight; number += fillers {
		p.ID++
		p.Topic = fmt.Appendf(p.Topic[:0], "away/%d", number%queues)
		write = p.AppendTo(write)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.Write(write); err != nil {
		return err
	}
	for id := uint16(1); id <= p.ID; id++ {
		f, err := c.reader.Next()
		if err != nil {
			return err
		}
		if want := packet.AppendPuback(nil, id); !bytes.Equal(f.Raw, want) {
			return fmt.Errorf("got % x instead of the PUBACK % x", f.Raw, want)
		}
	}
	return nil
}

// comesBack resumes one of the sessions and waits for its first message.
func comesBack(ctx context.Context, addr string) error {
	c, err := dial(ctx, addr, "durable-away-0", false)
	if err != nil {
		return err
	}
	defer c.Close()
	f, err := c.reader.Next()
	if err == nil && f.Type() != packet.TypePublish {
		err = fmt.Errorf("got %s instead of what was stored", f.Type())
	}
	return err
}
