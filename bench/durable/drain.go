package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Drain is how quickly a backlog is read back from the disk, and what others notice of it.
type Drain struct {
	Messages  int     `json:"messages"`
	Clients   int     `json:"clients"`           // that take it at a time
	Rate      float64 `json:"messagesPerSecond"` // acknowledged by them, all together
	Before    Quick   `json:"before"`            // a publisher that is alone
	Meanwhile Quick   `json:"meanwhile"`         // the same publisher, while the backlog is read back
}

// Quick is how long a publisher waits for its PUBACKs, in milliseconds.
type Quick struct {
	P50 float64 `json:"p50Ms"`
	P99 float64 `json:"p99Ms"`
}

const (
	drainers  = 8               // clients that take their queues at a time
	quietTime = 2 * time.Second // in which the publisher is alone
)

// drain has the clients of the backlog come back, a few at a time, until everything has been taken, while one
// publisher sends to one subscriber that is online, one message after the other.
func drain(ctx context.Context, addr, dir string, messages int) (d Drain, err error) {
	if err := evict(dir); err != nil {
		return d, err
	}
	sub, err := dial(ctx, addr, "durable-online", true)
	if err != nil {
		return d, err
	}
	defer sub.Close()
	if err := sub.subscribe("online"); err != nil {
		return d, err
	}
	var received, acknowledged atomic.Int64
	go sub.take(0, &received) // ends with the connection
	pub, err := dial(ctx, addr, "durable-quick", true)
	if err != nil {
		return d, err
	}
	defer pub.Close()
	now := time.Now()
	before, err := pub.publish(ctx, "online", now, now.Add(quietTime), &acknowledged)
	if err != nil {
		return d, err
	}

	began := time.Now()
	taking, stop := context.WithCancel(ctx)
	defer stop()
	draining, drained := context.WithCancelCause(ctx)
	go func() { drained(takeQueues(taking, addr, messages)) }() // ends when all is taken, or a connection fails, or by stop
	meanwhile, err := pub.publish(draining, "online", began, began.Add(time.Hour), &acknowledged)
	took := time.Since(began)
	if failed := context.Cause(draining); err != nil || failed != context.Canceled {
		return d, errors.Join(err, failed)
	}
	if ctx.Err() != nil {
		return d, context.Cause(ctx)
	}
	if received.Load() == 0 || len(before) == 0 || len(meanwhile) == 0 {
		return d, errors.New("nothing went between those who are online")
	}
	d = Drain{Messages: messages, Clients: drainers, Rate: float64(messages) / took.Seconds()}
	d.Before.P50, d.Before.P99 = quantiles(before)
	d.Meanwhile.P50, d.Meanwhile.P99 = quantiles(meanwhile)
	return d, nil
}

// takeQueues takes what waits in all queues. It returns nil when all has been taken.
func takeQueues(ctx context.Context, addr string, messages int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for d := range drainers {
		all.Go(func() { // ends when its queues are empty, or a connection fails
			for queue := d; queue < queues && ctx.Err() == nil; queue += drainers {
				waiting := (messages - queue + queues - 1) / queues
				if err := takeQueue(ctx, addr, queue, waiting); err != nil {
					cancel(fmt.Errorf("queue %d: %w", queue, err))
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

func takeQueue(ctx context.Context, addr string, queue, waiting int) error {
	c, err := dial(ctx, addr, fmt.Sprint("durable-away-", queue), false)
	if err != nil {
		return err
	}
	defer c.Close()
	var received atomic.Int64
	if waiting <= 0 {
		return nil
	}
	return c.take(waiting, &received)
}
