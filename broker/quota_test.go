package broker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
)

// allowance is a Quota that lets a client receive so many bytes a second, and sends everything.
type allowance struct {
	bytes int
	paid  int64 // until when what was written is paid for
}

func (*allowance) Publish(int64, byte, int) broker.Verdict { return broker.Allowed }
func (*allowance) Read(int64, int) time.Duration           { return 0 }

func (a *allowance) Written(now int64, bytes int) time.Duration {
	a.paid = max(a.paid, now) + int64(bytes)*int64(time.Second)/int64(a.bytes)
	return max(0, time.Duration(a.paid-now)-time.Second)
}

// principal makes every client a principal of its own name, changed by change.
func principal(change func(*broker.Principal)) broker.Authenticator {
	return broker.AuthenticatorFunc(func(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
		p := &broker.Principal{Key: r.ClientID}
		change(p)
		return p, nil
	})
}

// What is sent to a client beyond its bandwidth waits; nothing is lost, and nobody else is held up.
func TestBandwidthTowardsAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, Clock: broker.SystemClock, Authenticator: principal(func(p *broker.Principal) {
			if p.Key == "slow" {
				p.Quota = &allowance{bytes: 1000}
			}
		})})
		slow, quick := b.Connect("slow"), b.Connect("quick")
		slow.Subscribe("a", 0)
		quick.Subscribe("a", 0)
		begin := time.Now()
		const total, size = 20, 500
		message := func(i int) string { return fmt.Sprintf("%0*d", size, i) }
		for i := range total {
			if _, err := b.Publish(t.Context(), "a", []byte(message(i)), 0); err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			quick.Expect(brokertest.Publish("a", message(i), 0, 0))
			if d := time.Since(now); d > 0 {
				t.Errorf("the quick one was held up for %v", d)
			}
			slow.Expect(brokertest.Publish("a", message(i), 0, 0))
		}
		// 10 kB at 1 kB a second, of which the first second's are sent at once.
		if d := time.Since(begin); d < 8*time.Second || d > 11*time.Second {
			t.Errorf("the slow one got everything in %v", d)
		}
		// A pause does not hold up the end.
		b.Publish(t.Context(), "a", make([]byte, 100_000), 0)
		b.Publish(t.Context(), "a", []byte("behind"), 0)
		synctest.Wait()
		slow.Close()
		b.Disconnect("slow", "test")
		synctest.Wait()
		if n := b.Stats().Connections; n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// A client whose messages are not acknowledged, because the store takes its time, is not read from once too
// many wait; it loses nothing.
func TestUnacknowledgedMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := brokertest.NewStore()
		b := brokertest.Start(t, broker.Options{Profile: broker.Open, Store: store,
			Authenticator: principal(func(p *broker.Principal) { p.MaxUnacknowledged = 3 })})
		b.Connect("subscriber", brokertest.Persistent).Subscribe("a", 1)
		pub := b.Connect("pub")
		store.Hold()
		const total = 8
		sent := make(chan error, 1)
		go func() {
			for id := range uint16(total) {
				if err := pub.TrySend(brokertest.Publish("a", "x", 1, id+1)); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		synctest.Wait()
		if n := b.Stats().Received[1]; n != 3 {
			t.Errorf("%d messages were read, want 3", n)
		}
		store.Release()
		for id := range uint16(total) {
			pub.Expect(brokertest.Puback(id + 1))
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}
