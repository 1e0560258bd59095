package broker_test

import (
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// A welcome comes right behind CONNACK, unasked, and before what waited in the session.
func TestWelcome(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Welcome: []broker.Message{
		{Topic: "/ext/one", Payload: []byte("1")}, {Topic: "/ext/two"}}})})
	for _, present := range []bool{false, true} {
		c := b.Dial()
		c.Send(brokertest.ConnectPacket("c", brokertest.Persistent))
		c.Expect(&packet.Connack{SessionPresent: present}, brokertest.Publish("/ext/one", "1", 0, 0), brokertest.Publish("/ext/two", "", 0, 0))
		if present {
			c.Expect(brokertest.Publish("a", "waited", 1, 1))
			c.Sync()
			return
		}
		c.Subscribe("a", 1)
		c.Disconnect()
		connections(t, b, 0)
		b.Publish(t.Context(), "a", []byte("waited"), 1)
	}
}

// silence is an Authorizer that keeps messages from their publisher.
type silence struct{}

func (silence) MayPublish([]byte) broker.Verdict   { return broker.Verdict{OK: true, NoEcho: true} }
func (silence) MaySubscribe([]byte) broker.Verdict { return broker.Allowed }

// With NoEcho a message reaches everybody but its publisher.
func TestNoEcho(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Authorizer: silence{}})})
	c, other := b.Connect("c"), b.Connect("other")
	for _, one := range []*brokertest.Client{c, other} {
		one.Subscribe("a/#", 1)
	}
	for qos := range byte(2) {
		c.Publish("a/b", "x", qos)
		c.Sync()
	}
	other.Expect(brokertest.Publish("a/b", "x", 0, 0), brokertest.Publish("a/b", "x", 1, 1))
	other.Sync()
}
