package broker_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
)

// lateClock stands still and keeps the functions that wait for the time of CONNECT, in the order in which they were
// given: of two timers for one instant any may be first.
type lateClock struct {
	*brokertest.Clock
	mu   sync.Mutex // guards late
	late []func()
}

func (c *lateClock) AfterFunc(d time.Duration, f func()) interface{ Stop() bool } {
	if d == lateTimeout {
		c.mu.Lock()
		c.late = append(c.late, f)
		c.mu.Unlock()
	}
	return c.Clock.AfterFunc(d, f)
}

func (c *lateClock) waiting() []func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.late
}

const lateTimeout = 7 * time.Second

// mute is a channel whose client never says anything.
type mute struct{ net.Conn }

func (mute) HandshakeContext(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Who is too late is told so, also when what waits for the client hears of it before the queue of deadlines does.
func TestTooLateIsTheReasonWhoeverIsFirst(t *testing.T) {
	for name, meet := range map[string]func(t *testing.T, b *brokertest.Broker){
		"handshake": func(t *testing.T, b *brokertest.Broker) {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { theirs.Close() })
			if err := b.ServeConn(mute{ours}); err != nil {
				t.Fatal(err)
			}
		},
		"authentication": func(t *testing.T, b *brokertest.Broker) { // by somebody who is asked and says nothing
			ours, theirs := net.Pipe()
			t.Cleanup(func() { theirs.Close() })
			if err := b.ServeConn(ours); err != nil {
				t.Fatal(err)
			}
			brokertest.NewClient(t, theirs).Send(brokertest.ConnectPacket("c"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &lateClock{Clock: brokertest.NewClock()}
			b := brokertest.Start(t, broker.Options{Profile: broker.Open, Clock: clock, ConnectTimeout: lateTimeout,
				Authenticator: broker.AuthenticatorFunc(func(ctx context.Context, _ *broker.ConnectRequest) (*broker.Principal, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				})})
			meet(t, b)
			eventually(t, "both wait", func() bool { return len(clock.waiting()) == 2 })
			clock.waiting()[1]() // the first is the queue's
			e := b.Events.WaitFor(t, broker.Refused, "")
			if e.Reason != broker.ConnectTimeout || e.Rule != "connect-timeout" || e.Detail != "" || e.Limit != lateTimeout.Milliseconds() {
				t.Errorf("event %+v", e)
			}
		})
	}
}
