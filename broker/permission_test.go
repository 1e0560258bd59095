package broker_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// MQTT-3.3.5-2: a publication that is not allowed goes nowhere. It is acknowledged as usual, or not, or
// closes the connection, by configuration.
func TestForbiddenPublish(t *testing.T) {
	cases := []struct {
		name                string
		opts                broker.Options
		acknowledged, close bool
	}{
		{"default", broker.Options{}, true, false},
		{"no PUBACK", broker.Options{NoPubackOnForbidden: true}, false, false},
		{"close", broker.Options{CloseOnForbidden: true}, false, true},
	}
	for _, f := range cases {
		t.Run(f.name, func(t *testing.T) {
			f.opts.Authenticator = believe(&broker.Principal{Authorizer: topics{"mine/"}})
			b := brokertest.Start(t, f.opts)
			var heard atomic.Int32
			if _, err := b.Subscribe("yours/#", func(broker.Message) { heard.Add(1) }); err != nil {
				t.Fatal(err)
			}
			c := b.Connect("c")
			c.Subscribe("mine/a", 1)
			c.Send(brokertest.Publish("mine/a", "1", 1, 1))
			c.Expect(brokertest.Publish("mine/a", "1", 1, 1), brokertest.Puback(1))
			if f.close {
				c.Send(brokertest.Publish("yours/b", "x", 1, 2))
				c.ExpectClosed()
				if e := b.Events.WaitFor(t, broker.Disconnected, "c"); e.Rule != "MQTT-3.3.5-2" {
					t.Errorf("event %+v", e)
				}
			} else {
				c.Send(brokertest.Publish("mine/b", "", 1, 2), brokertest.Publish("yours/b", "x", 1, 3), brokertest.Publish("yours/b", "x", 0, 0),
					brokertest.Publish("mine/b", "", 1, 4), brokertest.Publish("yours/b", "x", 1, 5))
				for id := uint16(2); id <= 5; id++ {
					if id%2 == 0 || f.acknowledged {
						c.Expect(brokertest.Puback(id))
					}
				}
				c.Sync()
				if n := b.Stats().Dropped["forbidden"]; n != 3 {
					t.Errorf("%d dropped", n)
				}
			}
			refused := b.Events.WaitFor(t, broker.PublishRefused, "c")
			if refused.Reason != broker.DropForbidden || refused.Rule != "not-mine" || refused.Topic != "yours/b" {
				t.Errorf("event %+v", refused)
			}
			if heard.Load() != 0 {
				t.Errorf("%d forbidden messages were delivered", heard.Load())
			}
		})
	}
}

// Forbidden and allowed messages in one read, in every pattern: only the allowed arrive, each in its place.
func TestForbiddenAmongAllowed(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Authorizer: topics{"a/topic"}})})
	c, pub := b.Connect("c"), b.Connect("pub")
	c.Subscribe("a/topic", 0)
	for pattern := range 1 << 7 {
		var script []brokertest.Packet
		var want []brokertest.Packet
		for i := range 7 {
			if pattern>>i&1 == 0 {
				p := brokertest.Publish("a/topic", fmt.Sprint(i), 0, 0)
				script, want = append(script, p), append(want, p)
			} else {
				script = append(script, brokertest.Publish("b/topic", fmt.Sprint(i), 0, 0))
			}
		}
		pub.Send(script...)
		c.Expect(want...)
	}
	c.Sync()
}

// every is a Quota that refuses every n-th message, of which it remembers the sizes.
type every struct {
	n, count int
	sizes    []int
	pause    atomic.Int64 // what the next Read answers
	reads    atomic.Int64
}

func (q *every) Publish(_ int64, _ byte, bytes int) broker.Verdict {
	q.count++
	q.sizes = append(q.sizes, bytes)
	if q.count%q.n == 0 {
		return broker.Verdict{Rule: "every", Limit: int64(q.n), Value: int64(q.count)}
	}
	return broker.Allowed
}

func (q *every) Read(int64, int) time.Duration {
	defer q.reads.Add(1)
	return time.Duration(q.pause.Swap(0))
}

// pauseAfter makes the read after the first n pause for an hour. They are asked for behind their answers.
func (q *every) pauseAfter(t *testing.T, n int64) {
	t.Helper()
	eventually(t, "the reads were asked for", func() bool { return q.reads.Load() == n })
	q.pause.Store(int64(time.Hour))
}

// A message over the quota is dropped without an answer, counted and told; the others are not touched.
func TestQuota(t *testing.T) {
	for n := 1; n <= 4; n++ {
		q := &every{n: n}
		b := brokertest.Start(t, broker.Options{Authenticator: authenticate(func(r *broker.ConnectRequest) (*broker.Principal, error) {
			p := &broker.Principal{Key: r.ClientID}
			if r.ClientID == "pub" {
				p.Quota = q
			}
			return p, nil
		})})
		c, pub := b.Connect("c"), b.Connect("pub")
		c.Subscribe("a/topic", 0)
		var script, acks, want []brokertest.Packet
		var sizes []int
		id := uint16(0)
		for i := range 12 {
			p := brokertest.Publish("a/topic", fmt.Sprint("0123456789"[:i%3], i), 1, uint16(i+1))
			script = append(script, p)
			sizes = append(sizes, p.Size())
			if (i+1)%n != 0 {
				id++
				acks = append(acks, brokertest.Puback(p.ID))
				want = append(want, brokertest.Publish("a/topic", string(p.Payload), 1, id))
			}
		}
		pub.Send(script...)
		pub.Expect(acks...)
		c.Expect(want...)
		pub.Sync()
		c.Sync()
		if s := b.Stats(); s.Dropped["quota"] != uint64(12/n) {
			t.Errorf("1 in %d: %d dropped", n, s.Dropped["quota"])
		}
		if fmt.Sprint(q.sizes) != fmt.Sprint(sizes) {
			t.Errorf("1 in %d: sizes %v, want %v", n, q.sizes, sizes)
		}
		e := b.Events.WaitFor(t, broker.PublishRefused, "pub")
		if e.Reason != broker.DropQuota || e.Rule != "every" || e.Limit != int64(n) || e.Value != int64(n) {
			t.Errorf("event %+v", e)
		}
	}
}

// A client that has read too much is not read from for as long as its quota says.
func TestReadQuota(t *testing.T) {
	q := &every{n: 1 << 30}
	q.pause.Store(int64(3 * time.Second))
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Quota: q})})
	c := b.Connect("c") // its CONNECT was read within the quota that makes the pause
	eventually(t, "the pause has begun", func() bool { return b.Clock.Timers() >= 2 })
	pinged := make(chan struct{})
	go func() { // ends when the broker reads again
		defer close(pinged)
		c.TrySend(brokertest.Pingreq)
	}()
	b.Clock.Advance(3*time.Second - 1)
	select {
	case <-pinged:
		t.Error("something was read during the pause")
	default:
	}
	b.Clock.Advance(1)
	<-pinged
	c.Expect(brokertest.Pingresp)
	// A pause does not keep a connection from ending.
	q.pauseAfter(t, 2)
	c.Sync()
	b.Broker.Disconnect("c", "test")
	c.ExpectClosed()
}

// A client that is gone is not waited for because it has sent too much: the broker notices when it writes to it.
func TestReadQuotaOfAClientThatIsGone(t *testing.T) {
	q := &every{n: 1 << 30}
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Quota: q})})
	c := b.Connect("c")
	c.Subscribe("a", 0)
	q.pauseAfter(t, 2)
	before := b.Clock.Timers()
	c.Sync()
	eventually(t, "the pause has begun", func() bool { return b.Clock.Timers() > before })
	c.Close()
	if _, err := b.Publish(t.Context(), "a", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	connections(t, b, 0)
}

// catcher is an Interceptor for the topics below "call/".
type catcher struct {
	asked  []string
	seen   []string
	answer func(p *packet.Publish) bool
}

func (c *catcher) Wants(topic []byte) bool {
	c.asked = append(c.asked, string(topic))
	return topics{"call/"}.may(topic).OK
}

func (c *catcher) Intercept(from *broker.Principal, p *packet.Publish) bool {
	c.seen = append(c.seen, fmt.Sprintf("%s %s %s %d", from.Key, p.Topic, p.Payload, p.QoS))
	return c.answer(p)
}

// An Interceptor sees the messages that it wants. What it consumes is acknowledged and goes no further.
func TestInterceptor(t *testing.T) {
	i := &catcher{answer: func(p *packet.Publish) bool { return string(p.Payload) != "pass" }}
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Interceptor: i})
	sub, pub := b.Connect("sub"), b.Connect("pub")
	sub.Subscribe("#", 0)
	pub.Send(
		brokertest.Publish("call/1", "take", 1, 1), brokertest.Publish("call/1", "pass", 1, 2), brokertest.Publish("call/1", "take", 0, 0),
		brokertest.Publish("other", "x", 1, 3), brokertest.Publish("other", "y", 1, 4), brokertest.Publish("call/2", "pass", 0, 0),
		brokertest.Publish("call/2", "take", 1, 5),
	)
	pub.Expect(brokertest.Puback(1), brokertest.Puback(2), brokertest.Puback(3), brokertest.Puback(4), brokertest.Puback(5))
	for _, p := range [][2]string{{"call/1", "pass"}, {"other", "x"}, {"other", "y"}, {"call/2", "pass"}} {
		sub.Expect(brokertest.Publish(p[0], p[1], 0, 0))
	}
	sub.Sync()
	want := "[pub call/1 take 1 pub call/1 pass 1 pub call/1 take 0 pub call/2 pass 0 pub call/2 take 1]"
	if got := fmt.Sprint(i.seen); got != want {
		t.Errorf("seen %v, want %v", got, want)
	}
	if n := b.Stats().Intercepted; n != 3 {
		t.Errorf("%d intercepted", n)
	}
}

// An Interceptor may publish, deliver and disconnect from within its call.
func TestInterceptorThatAnswers(t *testing.T) {
	i := new(catcher)
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Interceptor: i})
	i.answer = func(p *packet.Publish) bool {
		switch string(p.Payload) {
		case "publish":
			b.Broker.Publish(t.Context(), "reply", []byte("published"), 0)
		case "deliver":
			b.Deliver(t.Context(), "pub", "reply", []byte("delivered"), 1)
		case "disconnect":
			b.Broker.Disconnect("pub", "as asked")
		}
		return true
	}
	pub := b.Connect("pub")
	pub.Subscribe("reply", 1)
	pub.Send(brokertest.Publish("call/1", "publish", 1, 1), brokertest.Publish("call/1", "deliver", 1, 2))
	pub.Expect(brokertest.Publish("reply", "published", 0, 0), brokertest.Publish("reply", "delivered", 1, 1), brokertest.Puback(1), brokertest.Puback(2))
	pub.Send(brokertest.Publish("call/1", "disconnect", 0, 0))
	pub.ExpectClosed()
	if e := b.Events.WaitFor(t, broker.Disconnected, "pub"); e.Reason != broker.Kicked || e.Detail != "as asked" {
		t.Errorf("event %+v", e)
	}
}
