package broker_test

import (
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// A keep-alive is accepted, refused or clamped exactly at its bounds.
func TestKeepAliveBounds(t *testing.T) {
	cases := []struct {
		name    string
		opts    broker.Options
		seconds uint16
		want    time.Duration // in force; -1: refused
		rule    string
		limit   int64
	}{
		{"open 0", broker.Options{Profile: broker.Open}, 0, 0, "", 0},
		{"open 1", broker.Options{Profile: broker.Open}, 1, time.Second, "", 0},
		{"open 65535", broker.Options{Profile: broker.Open}, 65535, 65535 * time.Second, "", 0},
		{"platform 0", broker.Options{}, 0, -1, "keep-alive-min", 30},
		{"platform 1", broker.Options{}, 1, -1, "keep-alive-min", 30},
		{"platform 29", broker.Options{}, 29, -1, "keep-alive-min", 30},
		{"platform 30", broker.Options{}, 30, 30 * time.Second, "", 0},
		{"platform 60", broker.Options{}, 60, time.Minute, "", 0},
		{"platform 1200", broker.Options{}, 1200, 20 * time.Minute, "", 0},
		{"platform 1201", broker.Options{}, 1201, -1, "keep-alive-max", 1200},
		{"platform 65535", broker.Options{}, 65535, -1, "keep-alive-max", 1200},
		{"clamp 1200", broker.Options{ClampKeepAlive: true}, 1200, 20 * time.Minute, "", 0},
		{"clamp 1201", broker.Options{ClampKeepAlive: true}, 1201, 20 * time.Minute, "", 0},
		{"clamp 65535", broker.Options{ClampKeepAlive: true}, 65535, 20 * time.Minute, "", 0},
		{"clamp 29", broker.Options{ClampKeepAlive: true}, 29, -1, "keep-alive-min", 30},
		{"allow 0", broker.Options{AllowNoKeepAlive: true}, 0, 0, "", 0},
		{"allow 29", broker.Options{AllowNoKeepAlive: true}, 29, -1, "keep-alive-min", 30},
		{"no minimum 0", broker.Options{KeepAliveMin: broker.Unlimited}, 0, 0, "", 0},
		{"no minimum 1", broker.Options{KeepAliveMin: broker.Unlimited}, 1, time.Second, "", 0},
		{"no maximum", broker.Options{KeepAliveMax: broker.Unlimited}, 65535, 65535 * time.Second, "", 0},
		{"2018", broker.Options{KeepAliveMin: time.Minute, KeepAliveMax: 5 * time.Minute}, 59, -1, "keep-alive-min", 60},
		{"2018", broker.Options{KeepAliveMin: time.Minute, KeepAliveMax: 5 * time.Minute}, 301, -1, "keep-alive-max", 300},
		{"open with bounds", broker.Options{Profile: broker.Open, KeepAliveMin: 10 * time.Second}, 0, -1, "keep-alive-min", 10},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			k.opts.Authenticator = believe(nil)
			b := brokertest.Start(t, k.opts)
			c := b.Dial()
			ack := c.TryConnect(brokertest.ConnectPacket("c", brokertest.KeepAlive(k.seconds)))
			if k.want < 0 {
				if ack.Code != packet.RefusedIdentifier {
					t.Fatalf("CONNACK %+v", ack)
				}
				c.ExpectClosed()
				e := b.Events.WaitFor(t, broker.Refused, "")
				if e.Rule != k.rule || e.Limit != k.limit || e.Value != int64(k.seconds) {
					t.Errorf("event %+v", e)
				}
				return
			}
			if ack.Code != packet.Accepted {
				t.Fatalf("CONNACK %+v", ack)
			}
			c.Sync()
			if i, _ := b.Client("c"); i.KeepAlive != k.want {
				t.Errorf("the keep-alive in force is %v, want %v", i.KeepAlive, k.want)
			}
			if e := b.Events.WaitFor(t, broker.Connected, "c"); e.KeepAlive != k.want {
				t.Errorf("event %+v", e)
			}
		})
	}
	if _, err := broker.New(broker.Options{Authenticator: believe(nil), KeepAliveMin: 2 * time.Hour}); err == nil {
		t.Error("a minimum above the maximum was accepted")
	}
}

// MQTT-3.1.2-24: silence of one and a half times the keep-alive ends the connection, and nothing shorter
// does, to the millisecond, whatever the keep-alive.
func TestKeepAliveTimeout(t *testing.T) {
	for _, seconds := range []uint16{1, 2, 3, 5, 30, 60, 1199, 1200, 65535} {
		b := open(t)
		c := b.Connect("c", brokertest.KeepAlive(seconds))
		c.Sync()
		k := time.Duration(seconds) * time.Second
		for _, pause := range []time.Duration{k - time.Millisecond, k, k + time.Millisecond, k*3/2 - time.Millisecond, k*3/2 - 1} {
			b.Clock.Advance(pause)
			c.Sync() // the packet that starts the time again
		}
		b.Clock.Advance(k * 3 / 2)
		c.ExpectClosed()
		e := b.Events.WaitFor(t, broker.Disconnected, "c")
		if e.Reason != broker.KeepAliveTimeout || e.Rule != "MQTT-3.1.2-24" || e.Limit != (k*3/2).Milliseconds() ||
			e.Value != e.Limit || e.Idle != k*3/2 || e.LastPacket != packet.TypePingreq || e.KeepAlive != k {
			t.Errorf("keep-alive %v: event %+v", k, e)
		}
	}
}

// Every packet counts, but only whole ones: half a packet is not a sign of life.
func TestKeepAliveIsResetByEveryPacket(t *testing.T) {
	b := open(t)
	c := b.Connect("c", brokertest.KeepAlive(10))
	other := b.Connect("other", brokertest.KeepAlive(0))
	c.Subscribe("a", 1)
	for range 3 {
		for _, p := range []brokertest.Packet{
			brokertest.Publish("x", "", 0, 0), brokertest.Publish("x", "", 1, 5), brokertest.SubscribePacket(9, 0, "y"),
			brokertest.Puback(99), brokertest.Pingreq,
		} {
			b.Clock.Advance(14999 * time.Millisecond)
			c.Send(p)
			eventually(t, "the packet was handled", func() bool { i, _ := b.Client("c"); return i.LastPacket == 0 })
		}
		c.Expect(brokertest.Puback(5), suback(9, 0), brokertest.Pingresp)
	}
	// What the broker sends does not count.
	b.Clock.Advance(14 * time.Second)
	other.Publish("a", "news", 0)
	c.Expect(brokertest.Publish("a", "news", 0, 0))
	before := b.Stats().BytesReceived
	c.Send(brokertest.Bytes{0xc0})
	eventually(t, "half a packet was read", func() bool { return b.Stats().BytesReceived == before+1 })
	b.Clock.Advance(time.Second)
	c.ExpectClosed()
	// Without a keep-alive there is no end.
	b.Clock.Advance(10 * 365 * 24 * time.Hour)
	other.Sync()
	if i, _ := b.Client("other"); i.KeepAlive != 0 {
		t.Errorf("client %+v", i)
	}
}

// Many connections share one timer, which is set again once per keep-alive and not once per packet.
func TestKeepAlivesShareOneTimer(t *testing.T) {
	b := open(t)
	var clients []*brokertest.Client
	for range 50 {
		clients = append(clients, b.Connect("", brokertest.KeepAlive(60)))
	}
	if n := b.Stats().Deadlines; n != 50 {
		t.Errorf("%d deadlines for 50 connections", n)
	}
	if n := b.Clock.Timers(); n > 2 {
		t.Errorf("%d timers", n)
	}
	b.Clock.Advance(89 * time.Second)
	for i, c := range clients {
		if i%2 == 0 {
			c.Sync()
		}
	}
	b.Clock.Advance(time.Second)
	for i, c := range clients {
		if i%2 == 0 {
			c.Sync()
		} else {
			c.ExpectClosed()
		}
	}
	eventually(t, "the silent ones are gone", func() bool { return b.Stats().Connections == 25 && b.Stats().Deadlines == 25 })
}

// Principal.Lifetime ends a connection however lively it is.
func TestLifetime(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: believe(&broker.Principal{Lifetime: 15 * time.Second, KeepAlive: -1})})
	c := b.Connect("c")
	for range 14 {
		b.Clock.Advance(time.Second)
		c.Sync()
	}
	b.Clock.Advance(time.Second)
	c.ExpectClosed()
	if e := b.Events.WaitFor(t, broker.Disconnected, "c"); e.Reason != broker.Kicked || e.Rule != "lifetime" || e.Limit != 15000 {
		t.Errorf("event %+v", e)
	}
}
