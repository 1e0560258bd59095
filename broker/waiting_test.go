package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
	"sampan/session"
)

// gate is where callers wait once it is shut, and a sign that they do.
type gate struct {
	shut    atomic.Bool
	arrived chan struct{}
	open    chan struct{}
}

func newGate(t *testing.T) *gate {
	g := &gate{arrived: make(chan struct{}, 100), open: make(chan struct{})}
	t.Cleanup(g.release)
	return g
}

func (g *gate) pass() {
	if g.shut.Load() {
		g.arrived <- struct{}{}
		<-g.open
	}
}

func (g *gate) release() {
	if g.shut.Swap(false) {
		close(g.open)
	}
}

type gatedStore struct {
	*brokertest.Store
	*gate
}

func (s *gatedStore) Append(m *session.Message, to []session.ID) error {
	s.pass()
	return s.Store.Append(m, to)
}

func (s *gatedStore) Record(c []session.Change) error {
	s.pass()
	return s.Store.Record(c)
}

type gatedWriter struct{ *gate }

func (w gatedWriter) Write(p []byte) (int, error) {
	w.pass()
	return len(p), nil
}

type gatedInterceptor struct{ *gate }

func (gatedInterceptor) Wants(topic []byte) bool { return string(topic) == "slow" }

func (i gatedInterceptor) Intercept(*broker.Principal, *packet.Publish) bool {
	i.pass()
	return false
}

// cause is something that a client can make the broker wait for: with what options, and by which message.
type cause struct {
	name  string
	with  func(*gate) broker.Options
	topic string
	qos   byte
}

// start starts a broker that can be made to wait, with a client that keeps its session and subscribes to a.
func (c *cause) start(t *testing.T) (g *gate, b *brokertest.Broker, addr string) {
	g = newGate(t)
	with := c.with(g)
	with.Profile = broker.Open
	b = brokertest.Start(t, with)
	addr = b.Listen()
	kept := b.DialTCP(addr)
	kept.Connect("kept", brokertest.Persistent)
	kept.Subscribe("a", 1)
	return g, b, addr
}

var slow = []cause{
	{"the store", func(g *gate) broker.Options { return broker.Options{Store: &gatedStore{brokertest.NewStore(), g}} }, "a", 1},
	{"the log", func(g *gate) broker.Options {
		return broker.Options{Logger: slog.New(slog.NewTextHandler(gatedWriter{g}, nil)), Authenticator: forbidding}
	}, "no", 0},
	{"an interceptor", func(g *gate) broker.Options { return broker.Options{Interceptor: gatedInterceptor{g}} }, "slow", 0},
}

// Whatever a client makes the broker wait for, other clients do not wait with it: there are more who do than the
// poller has goroutines.
func TestWhoWaitsWaitsAlone(t *testing.T) {
	for _, c := range slow {
		t.Run(c.name, func(t *testing.T) {
			g, b, addr := c.start(t)
			busy, others := sideBySide(b, addr)
			g.shut.Store(true)
			for _, client := range busy {
				client.Send(brokertest.Publish(c.topic, "", c.qos, uint16(c.qos)))
			}
			<-g.arrived
			answered(others)
			g.release()
		})
	}
}

// What a client has sent for others goes out before it makes the broker wait: they get it, and what others send them.
func TestWhoWaitsHoldsNothingBack(t *testing.T) {
	for _, c := range slow {
		t.Run(c.name, func(t *testing.T) {
			g, b, addr := c.start(t)
			subscriber, busy, other := b.DialTCP(addr), b.DialTCP(addr), b.DialTCP(addr)
			subscriber.Connect("subscriber")
			subscriber.Subscribe("fast", 0)
			busy.Connect("busy")
			other.Connect("other")
			g.shut.Store(true)
			busy.Send(brokertest.Publish("fast", "1", 0, 0), brokertest.Publish(c.topic, "", c.qos, uint16(c.qos)))
			<-g.arrived
			subscriber.Expect(brokertest.Publish("fast", "1", 0, 0))
			other.Send(brokertest.Publish("fast", "2", 0, 0))
			subscriber.Expect(brokertest.Publish("fast", "2", 0, 0))
			subscriber.Send(brokertest.Pingreq)
			subscriber.Expect(brokertest.Pingresp)
			g.release()
		})
	}
}

// recordGate is a store that takes its time with changes of sessions only.
type recordGate struct {
	*brokertest.Store
	*gate
}

func (s *recordGate) Record(c []session.Change) error {
	s.pass()
	return s.Store.Record(c)
}

// The same when it is the client's own acknowledgement that the store has to note.
func TestWhoAcknowledgesHoldsNothingBack(t *testing.T) {
	g := newGate(t)
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Store: &recordGate{brokertest.NewStore(), g}})
	addr := b.Listen()
	kept, subscriber, other := b.DialTCP(addr), b.DialTCP(addr), b.DialTCP(addr)
	kept.Connect("kept", brokertest.Persistent)
	kept.Subscribe("a", 1)
	subscriber.Connect("subscriber")
	subscriber.Subscribe("fast", 0)
	other.Connect("other")
	other.Send(brokertest.Publish("a", "", 1, 1))
	kept.Expect(brokertest.Publish("a", "", 1, 1))
	other.Expect(brokertest.Puback(1))
	g.shut.Store(true)
	kept.Send(brokertest.Puback(1), brokertest.Publish("fast", "1", 0, 0))
	<-g.arrived
	subscriber.Expect(brokertest.Publish("fast", "1", 0, 0))
	other.Send(brokertest.Publish("fast", "2", 0, 0))
	subscriber.Expect(brokertest.Publish("fast", "2", 0, 0))
	g.release()
}

// A client that connects may have to wait for the store, which has to end the session it had, or for its older
// connection, which waits for the store. Others do not wait with it, nor those who connect after it.
func TestWhoConnectsWaitsAlone(t *testing.T) {
	for name, wait := range map[string]func(b *brokertest.Broker, addr string, g *gate){
		"clean sessions in the place of kept ones": func(b *brokertest.Broker, addr string, g *gate) {
			for i := range 8 {
				c := b.DialTCP(addr)
				c.Connect(fmt.Sprint("kept", i), brokertest.Persistent)
				c.Disconnect()
			}
			eventually(t, "they are gone", func() bool { return b.Stats().Ended["client-disconnected"] == 8 })
			g.shut.Store(true)
			for i := range 8 {
				b.DialTCP(addr).Send(brokertest.ConnectPacket(fmt.Sprint("kept", i)))
			}
			<-g.arrived
		},
		"a second connection while the first one waits": func(b *brokertest.Broker, addr string, g *gate) {
			c, from := b.DialTCP(addr), b.DialTCP(addr)
			c.Connect("c", brokertest.Persistent)
			c.Subscribe("a", 1)
			from.Connect("from")
			from.Send(brokertest.Publish("a", "", 1, 1))
			m := c.NextPublish()
			from.Expect(brokertest.Puback(1))
			g.shut.Store(true)
			c.Send(brokertest.Puback(m.ID))
			<-g.arrived // with the client's lock
			for range 8 {
				b.DialTCP(addr).Send(brokertest.ConnectPacket("c", brokertest.Persistent))
			}
			eventually(t, "they have come", func() bool { return b.Stats().Pending == 8 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t)
			b := brokertest.Start(t, broker.Options{Profile: broker.Open, Store: &gatedStore{brokertest.NewStore(), g}})
			addr := b.Listen()
			_, others := sideBySide(b, addr)
			wait(b, addr, g)
			for range 3 { // once they have all been handled
				answered(others)
			}
			b.DialTCP(addr).Connect("late")
			g.release()
		})
	}
}

// sideBySide connects clients that are going to keep the broker busy, and others on the same loops.
func sideBySide(b *brokertest.Broker, addr string) (busy, others []*brokertest.Client) {
	for i := range 8 {
		busy = append(busy, b.DialTCP(addr))
		busy[i].Connect(fmt.Sprint("busy", i))
		others = append(others, b.DialTCP(addr))
		others[i].Connect(fmt.Sprint("other", i))
	}
	return busy, others
}

// answered wants all of them to be served.
func answered(clients []*brokertest.Client) {
	for _, client := range clients {
		client.Send(brokertest.Pingreq)
		client.Expect(brokertest.Pingresp)
	}
}

// gatedQuota lets a client publish some messages, and the next when the gate is open.
type gatedQuota struct {
	*gate
	left int
}

func (q *gatedQuota) Publish(int64, byte, int) broker.Verdict {
	if q.left--; q.left < 0 {
		q.pass()
	}
	return broker.Allowed
}

func (*gatedQuota) Read(int64, int) time.Duration { return 0 }

// A chunk that leads to many deliveries is handled beside the others, not before them: here the rest of it, behind
// two topics with many receivers, waits.
func TestALongTurn(t *testing.T) {
	g := newGate(t)
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Authenticator: broker.AuthenticatorFunc(
		func(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
			return &broker.Principal{Key: r.ClientID, Quota: &gatedQuota{g, 3}}, nil
		})})
	for range 300 {
		s, err := b.Subscribe("many/#", func(broker.Message) {})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	busy, others := sideBySide(b, b.Listen())
	g.shut.Store(true)
	for _, client := range busy {
		var chunk brokertest.Bytes
		for _, topic := range []string{"many/a", "many/b", "c", "d"} {
			chunk = brokertest.Publish(topic, "", 0, 0).AppendTo(chunk)
		}
		client.Send(chunk)
	}
	for range busy {
		<-g.arrived
	}
	answered(others)
	g.release()
}

// forbidding lets everybody in and nobody publish to "no".
var forbidding = broker.AuthenticatorFunc(func(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
	return &broker.Principal{Key: r.ClientID, Authorizer: denier{}}, nil
})

type denier struct{}

func (denier) MayPublish(topic []byte) broker.Verdict {
	if string(topic) == "no" {
		return broker.Verdict{Rule: "no"}
	}
	return broker.Allowed
}

func (denier) MaySubscribe([]byte) broker.Verdict { return broker.Allowed }

// MQTT-3.1.2-24: a client that pings in time is not silent because the broker, which waits for something on its behalf,
// does not read what it sends.
func TestKeepAliveOfWhoWaits(t *testing.T) {
	for _, c := range slow {
		t.Run(c.name, func(t *testing.T) {
			g, b, addr := c.start(t)
			for name, dial := range map[string]func() *brokertest.Client{
				"plain": func() *brokertest.Client { return b.DialTCP(addr) }, "stream": b.Dial,
			} {
				client := dial()
				client.Connect(name, brokertest.KeepAlive(10))
				g.shut.Store(true)
				client.Send(brokertest.Publish(c.topic, "", c.qos, uint16(c.qos)))
				<-g.arrived
				for range 3 {
					b.Clock.Advance(9 * time.Second)
				}
				if i, _ := b.Client(name); !i.HeldUp {
					t.Errorf("%s: nobody says that it is held up", name)
				}
				g.shut.Store(false)
				g.open <- struct{}{}
				if c.qos > 0 {
					client.Expect(brokertest.Puback(1))
				}
				b.Clock.Advance(14 * time.Second)
				client.Sync()
				if i, _ := b.Client(name); i.HeldUp {
					t.Errorf("%s: it is still held up", name)
				}
				b.Clock.Advance(15 * time.Second)
				client.ExpectClosed()
			}
		})
	}
}

// fullStore is a store that says when it takes its time.
type fullStore struct{ recordGate }

func (s *fullStore) Prompt() bool { return !s.shut.Load() }

// A session that expires while the store takes its time expires later: other deadlines come up in theirs.
func TestDeadlinesDoNotWaitForTheStore(t *testing.T) {
	g := newGate(t)
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, SessionExpiry: time.Hour,
		Store: &fullStore{recordGate{brokertest.NewStore(), g}}})
	b.Connect("kept", brokertest.Persistent).Close()
	connections(t, b, 0)
	b.Clock.Advance(time.Hour - 10*time.Second)
	other := b.Connect("other", brokertest.KeepAlive(10))
	g.shut.Store(true)
	over := make(chan struct{})
	go func() { // ends with the time, or when the store goes on
		defer close(over)
		b.Clock.Advance(20 * time.Second)
	}()
	other.ExpectClosed()
	<-over
	if i, ok := b.Client("kept"); !ok || !i.Persistent {
		t.Errorf("client %+v %v", i, ok)
	}
	g.release()
	b.Clock.Advance(10 * time.Second)
	if e := b.Events.WaitFor(t, broker.SessionDiscarded, "kept"); e.Rule != "session-expiry" {
		t.Errorf("event %+v", e)
	}
}
