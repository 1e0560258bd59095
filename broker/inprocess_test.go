package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
)

// inbox collects what a handler is called with.
type inbox struct {
	mu   sync.Mutex // guards got
	got  []string
	more chan struct{}
}

func newInbox() *inbox { return &inbox{more: make(chan struct{}, 1<<16)} }

func (in *inbox) handle(m broker.Message) {
	in.mu.Lock()
	in.got = append(in.got, fmt.Sprintf("%s %s %d", m.Topic, m.Payload, m.QoS))
	in.mu.Unlock()
	in.more <- struct{}{}
}

func (in *inbox) expect(t *testing.T, want ...string) {
	t.Helper()
	for range want {
		<-in.more
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if fmt.Sprint(in.got) != fmt.Sprint(want) {
		t.Errorf("handled %q, want %q", in.got, want)
	}
	in.got = nil
}

// A handler in the process is a subscriber like others: by filter, in order, at the publisher's QoS, and not
// any more after Close.
func TestInProcessSubscribe(t *testing.T) {
	b := open(t)
	in := newInbox()
	s, err := b.Subscribe("a/+", in.handle)
	if err != nil {
		t.Fatal(err)
	}
	all := newInbox()
	if _, err := b.Subscribe("#", all.handle); err != nil {
		t.Fatal(err)
	}
	c := b.Connect("c")
	c.Send(brokertest.Publish("a/1", "x", 1, 1), brokertest.Publish("a/1", "y", 1, 2), brokertest.Publish("b", "z", 0, 0), brokertest.Publish("a/2", "", 0, 0))
	in.expect(t, "a/1 x 1", "a/1 y 1", "a/2  0")
	all.expect(t, "a/1 x 1", "a/1 y 1", "b z 0", "a/2  0")
	for _, topic := range []string{"a/3", "b"} {
		if n, err := b.Publish(t.Context(), topic, []byte("p"), 1); err != nil || n != len(strings.Split(topic, "/")) {
			t.Errorf("Publish %q: %d %v", topic, n, err)
		}
	}
	in.expect(t, "a/3 p 1")
	all.expect(t, "a/3 p 1", "b p 1")
	if st := b.Stats(); st.Subscriptions != 2 {
		t.Errorf("%d subscriptions", st.Subscriptions)
	}
	s.Close()
	s.Close()
	if n, err := b.Publish(t.Context(), "a/4", nil, 0); err != nil || n != 1 {
		t.Errorf("Publish: %d %v", n, err)
	}
	all.expect(t, "a/4  0")
	if len(in.got) != 0 {
		t.Errorf("handled %q after Close", in.got)
	}
	for _, bad := range []string{"", "a#", "+a", "a\x00"} {
		if _, err := b.Subscribe(bad, in.handle); err == nil {
			t.Errorf("Subscribe(%q) succeeded", bad)
		}
	}
}

// A handler owns its messages: changing them changes nothing for others.
func TestHandlersOwnTheirMessages(t *testing.T) {
	b := open(t)
	done := make(chan string, 2)
	for range 2 {
		if _, err := b.Subscribe("a", func(m broker.Message) {
			got := string(m.Payload)
			clear(m.Payload)
			done <- got
		}); err != nil {
			t.Fatal(err)
		}
	}
	payload := []byte("precious")
	b.Publish(t.Context(), "a", payload, 1)
	for range 2 {
		if got := <-done; got != "precious" {
			t.Errorf("got %q", got)
		}
	}
	if string(payload) != "precious" {
		t.Error("the publisher's payload was changed")
	}
}

// A handler that does not keep up loses messages, which is counted, and holds up nobody.
func TestHandlerThatDoesNotKeepUp(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, HandlerQueue: 10})
	started, goOn := make(chan struct{}, 1<<10), make(chan struct{})
	s, err := b.Subscribe("a", func(broker.Message) {
		started <- struct{}{}
		<-goOn
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Publish(t.Context(), "a", nil, 0)
	<-started
	for range 50 {
		b.Publish(t.Context(), "a", nil, 1)
	}
	if n := b.Stats().Dropped["handler-behind"]; n != 40 {
		t.Errorf("%d dropped, want 40", n)
	}
	s.Close()
	close(goOn)
	for range 10 { // those that waited are still handled
		<-started
	}
}

// A handler may publish, subscribe and close from within its call.
func TestHandlerThatActs(t *testing.T) {
	b := open(t)
	in := newInbox()
	if _, err := b.Subscribe("out", in.handle); err != nil {
		t.Fatal(err)
	}
	var s *broker.Subscription
	ready := make(chan struct{})
	s, err := b.Subscribe("in", func(m broker.Message) {
		<-ready
		b.Publish(context.Background(), "out", m.Payload, 0)
		s.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	b.Publish(t.Context(), "in", []byte("1"), 0)
	in.expect(t, "out 1 0")
	if n, _ := b.Publish(t.Context(), "in", []byte("2"), 0); n != 0 {
		t.Errorf("%d receivers after Close", n)
	}
}

func TestPublishRefusesWhatNoClientMaySend(t *testing.T) {
	b := open(t)
	for name, try := range map[string]func() error{
		"QoS 2":       func() error { _, err := b.Publish(t.Context(), "a", nil, 2); return err },
		"QoS 3":       func() error { _, err := b.Publish(t.Context(), "a", nil, 3); return err },
		"wildcard":    func() error { _, err := b.Publish(t.Context(), "a/+", nil, 0); return err },
		"empty topic": func() error { _, err := b.Publish(t.Context(), "", nil, 1); return err },
		"not UTF-8":   func() error { _, err := b.Publish(t.Context(), "\xff", nil, 0); return err },
		"too large":   func() error { _, err := b.Publish(t.Context(), "a", make([]byte, 256<<10+1), 0); return err },
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := b.Publish(t.Context(), "a", make([]byte, 256<<10), 1); err != nil {
		t.Errorf("256 KB: %v", err)
	}
}

// Publish with QoS 1 returns when the store says that the message holds, or when its context ends.
func TestPublishWaitsForTheStore(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	b.Connect("sub", brokertest.Persistent).Subscribe("a", 1)
	store.Hold()
	c, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := b.Publish(c, "a", nil, 1); n != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("Publish: %d %v", n, err)
	}
	if _, err := b.Publish(c, "nobody", nil, 1); err != nil {
		t.Errorf("Publish to nobody: %v", err)
	}
	if _, err := b.Publish(c, "a", nil, 0); err != nil {
		t.Errorf("Publish with QoS 0: %v", err)
	}
	done := make(chan error)
	go func() { // ends when the store lets it
		_, err := b.Publish(context.Background(), "a", nil, 1)
		done <- err
	}()
	eventually(t, "two wait", func() bool { return store.Waiting() == 2 })
	store.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Deliver reaches one client, subscribed or not.
func TestDeliver(t *testing.T) {
	b := open(t)
	c := b.Connect("c", brokertest.Persistent)
	clean := b.Connect("clean")
	other := b.Connect("other")
	other.Subscribe("#", 1)
	for _, to := range []*brokertest.Client{c, clean} {
		key := map[*brokertest.Client]string{c: "c", clean: "clean"}[to]
		if err := b.Deliver(t.Context(), key, "x/y", []byte("zero"), 0); err != nil {
			t.Error(err)
		}
		if err := b.Deliver(t.Context(), key, "x/y", []byte("one"), 1); err != nil {
			t.Error(err)
		}
		to.Expect(brokertest.Publish("x/y", "zero", 0, 0), brokertest.Publish("x/y", "one", 1, 1))
		to.Sync()
	}
	other.Sync()
	c.Close()
	clean.Close()
	connections(t, b, 1)
	if err := b.Deliver(t.Context(), "c", "x", nil, 0); !errors.Is(err, broker.ErrOffline) {
		t.Errorf("QoS 0 to a client that is away: %v", err)
	}
	if err := b.Deliver(t.Context(), "c", "x", []byte("later"), 1); err != nil {
		t.Errorf("QoS 1 to a client that is away: %v", err)
	}
	for _, key := range []string{"clean", "nobody", ""} {
		for qos := range byte(2) {
			if err := b.Deliver(t.Context(), key, "x", nil, qos); !errors.Is(err, broker.ErrOffline) {
				t.Errorf("Deliver to %q with QoS %d: %v", key, qos, err)
			}
		}
	}
	if err := b.Deliver(t.Context(), "c", "bad/#", nil, 1); err == nil {
		t.Error("a topic with a wildcard was delivered")
	}
	c = b.Dial()
	c.Connect("c", brokertest.Persistent)
	c.Expect(brokertest.Again("x/y", "one", 1), brokertest.Publish("x", "later", 1, 2))
}

// DeliverSubscribed reaches one client, if it has subscribed.
func TestDeliverSubscribed(t *testing.T) {
	b := open(t)
	c, other := b.Connect("c", brokertest.Persistent), b.Connect("other")
	c.Subscribe("x/+", 1)
	other.Subscribe("#", 1)
	for qos := range byte(2) {
		if ok, err := b.DeliverSubscribed(t.Context(), "c", "x/y", []byte("1"), qos); !ok || err != nil {
			t.Errorf("QoS %d: %v %v", qos, ok, err)
		}
		if ok, err := b.DeliverSubscribed(t.Context(), "c", "z", []byte("2"), qos); ok || err != nil {
			t.Errorf("QoS %d, not subscribed: %v %v", qos, ok, err)
		}
	}
	c.Expect(brokertest.Publish("x/y", "1", 0, 0), brokertest.Publish("x/y", "1", 1, 1))
	c.Sync()
	other.Sync()
}

// Dial gives the client's end of a connection within the process; ServeConn takes any net.Conn.
func TestDialAfterShutdown(t *testing.T) {
	b := open(t)
	b.Shutdown(t.Context())
	if nc, err := b.Broker.Dial(); !errors.Is(err, broker.ErrClosed) || nc != nil {
		t.Errorf("Dial: %v %v", nc, err)
	}
	if _, err := b.Publish(t.Context(), "a", nil, 0); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Publish: %v", err)
	}
	if _, err := b.Subscribe("a", func(broker.Message) {}); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Subscribe: %v", err)
	}
}

// Several brokers in one process know nothing of each other.
func TestSeveralBrokers(t *testing.T) {
	var brokers []*brokertest.Broker
	var subs []*brokertest.Client
	for range 3 {
		b := open(t)
		c := b.Connect("same")
		c.Subscribe("a", 1)
		brokers, subs = append(brokers, b), append(subs, c)
	}
	for i, b := range brokers {
		b.Connect("pub").Publish("a", fmt.Sprint(i), 1)
		subs[i].Expect(brokertest.Publish("a", fmt.Sprint(i), 1, 1))
	}
	brokers[1].Shutdown(t.Context())
	subs[1].ExpectClosed()
	for _, i := range []int{0, 2} {
		subs[i].Send(brokertest.Puback(1))
		subs[i].Sync()
		if s := brokers[i].Stats(); s.Accepted != 2 || s.Received[1] != 1 {
			t.Errorf("stats %+v", s)
		}
	}
}
