package broker_test

import (
	"fmt"
	"sync"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
	"sampan/session"
)

// slowAppend is a store that takes its time over one message.
type slowAppend struct {
	*brokertest.Store
	begun, goOn chan struct{}
	once        sync.Once
}

func newSlowAppend() *slowAppend {
	return &slowAppend{Store: brokertest.NewStore(), begun: make(chan struct{}), goOn: make(chan struct{})}
}

func (s *slowAppend) Append(m *session.Message, to []session.ID) error {
	err := s.Store.Append(m, to)
	if string(m.Payload()) == "slow" {
		s.once.Do(func() { close(s.begun); <-s.goOn })
	}
	return err
}

// onItsWay starts a broker with a message on its way to a client that has subscribed to a: the message is matched, and
// the store takes its time over another receiver. arrive lets it go on, and returns when it has arrived.
func onItsWay(t *testing.T) (b *brokertest.Broker, sub *brokertest.Client, arrive func()) {
	store := newSlowAppend()
	b = with(t, store)
	b.Connect("other", brokertest.Persistent).Subscribe("a", 1)
	sub = b.Connect("sub")
	sub.Subscribe("a", 1)
	pub := b.Connect("pub")
	pub.Send(brokertest.Publish("a", "slow", 1, 1))
	<-store.begun
	return b, sub, func() {
		close(store.goOn)
		pub.Expect(brokertest.Puback(1))
	}
}

// MQTT-3.1.2-6 MQTT-3.3.2-3: what was on its way to the subscription of a session that has ended does not come to the
// session after it.
func TestNothingOfAnEndedSessionReachesTheNext(t *testing.T) {
	for _, kept := range []bool{false, true} {
		t.Run(fmt.Sprintf("kept=%t", kept), func(t *testing.T) {
			b, _, arrive := onItsWay(t)
			sub := b.Dial()
			sub.Connect("sub", func(p *packet.Connect) { p.CleanSession = !kept })
			sub.Sync() // it has subscribed to nothing
			arrive()
			sub.Sync()
		})
	}
}

// MQTT-3.10.4-2: nothing is added for delivery once UNSUBACK has gone out.
func TestNothingIsAddedAfterUnsuback(t *testing.T) {
	_, sub, arrive := onItsWay(t)
	sub.Unsubscribe("a")
	sub.Sync()
	arrive()
	sub.Sync()
}

// Who loses one subscription, or gets it back, goes on hearing of the others.
func TestWhatElseIsSubscribedToComes(t *testing.T) {
	_, sub, arrive := onItsWay(t)
	sub.Subscribe("#", 1)
	sub.Unsubscribe("a")
	arrive()
	sub.Expect(brokertest.Publish("a", "slow", 1, 1))
	sub.Sync()
}

// MQTT-4.6.0-1 MQTT-4.4.0-1: also after a restart what is sent again comes in the order in which it was sent first, which
// is not that of the store if the messages of two publishers have crossed.
func TestRedeliveryKeepsTheOrderOfSendingAfterARestart(t *testing.T) {
	store := newSlowAppend()
	opts := broker.Options{Profile: broker.Open, Store: store}
	b := brokertest.Start(t, opts)
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	one, two := b.Connect("one"), b.Connect("two")
	one.Send(brokertest.Publish("a", "slow", 1, 1))
	<-store.begun
	two.Publish("a", "quick", 1)
	sub.Expect(brokertest.Publish("a", "quick", 1, 1))
	close(store.goOn)
	one.Expect(brokertest.Puback(1))
	sub.Expect(brokertest.Publish("a", "slow", 1, 2))
	sub.Close()
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.Reopen()
	b = brokertest.Start(t, opts)
	sub = b.Dial()
	sub.Connect("sub", brokertest.Persistent)
	sub.Expect(brokertest.Again("a", "quick", 1), brokertest.Again("a", "slow", 2))
	sub.Sync()
}
