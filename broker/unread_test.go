package broker

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker/internal/netx"
)

// tick is a clock that stands still until it is moved.
type tick struct{ now atomic.Int64 }

func (c *tick) Now() time.Time { return time.Unix(0, c.now.Load()) }

func (c *tick) AfterFunc(time.Duration, func()) interface{ Stop() bool } {
	return time.NewTimer(0)
}

// MQTT-3.1.2-24: whoever looks at the keep-alive in the moment in which the client is read from again does not take the
// time for silence in which it was not.
func TestKeepAliveWhenReadingGoesOn(t *testing.T) {
	clock := new(tick)
	b := &Broker{ticker: newTicker(clock)}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := &conn{broker: b}
	c.out.broker, c.out.socket = b, netx.NewStream(ours)
	c.aliveFor.Store(int64(time.Minute))
	over := make(chan struct{})
	go func() {
		defer close(over)
		for range 2_000_000 {
			c.unread(nil, func() { clock.now.Add(int64(2 * time.Minute)) })
		}
	}()
	for {
		select {
		case <-over:
			return
		default:
		}
		if c.Due(b.ticker.Nanos()); c.end.Load() != nil {
			t.Fatalf("ended: %v", c.end.Load())
		}
	}
}
