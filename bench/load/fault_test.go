package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"sampan/bench/fault"
	"sampan/bench/internal/fake"
	"sampan/packet"
)

func publishPacket(topic string, payload []byte) []byte {
	return (&packet.Publish{Topic: []byte(topic), Payload: payload}).AppendTo(nil)
}

// atQoS makes another packet of a QoS 0 PUBLISH.
func atQoS(qos byte, right []byte) []byte {
	var p packet.Publish
	f, _, _, _ := packet.Next(right, nil)
	if err := p.Decode(f, nil); err != nil {
		panic(err)
	}
	p.QoS, p.ID = qos, 7
	return p.AppendTo(nil)
}

// TestFaults shows that whatever a broker does wrong is reported as what it
// is, once the run is over, which is soon.
func TestFaults(t *testing.T) {
	nth := func(at int, f func(right []byte) []byte) func(int, []byte) []byte {
		return func(n int, right []byte) []byte {
			if n == at {
				return f(right)
			}
			return right
		}
	}
	var held []byte
	last := func(b []byte) []byte {
		b = slices.Clone(b)
		b[len(b)-1] ^= 1
		return b
	}
	cases := []struct {
		name string
		b    fake.Behaviour
		qos  byte
		want fault.Kind
		says string
		// filters is how many each subscriber has, if not one.
		filters int
	}{
		{name: "closes before CONNACK", want: fault.Closed, says: "waiting for CONNACK",
			b: fake.Behaviour{Accepted: func(net.Conn) bool { return false }}},
		{name: "never answers", want: fault.Stalled, says: "waiting for CONNACK",
			b: fake.Behaviour{Accepted: fake.Discard}},
		{name: "refuses", want: fault.Refused, says: "CONNACK 5",
			b: fake.Behaviour{Connack: func(*packet.Connect, []byte) []byte { return []byte{0x20, 2, 0, 5} }}},
		{name: "invents a session", want: fault.Violation, says: "session",
			b: fake.Behaviour{Connack: func(*packet.Connect, []byte) []byte { return []byte{0x20, 2, 1, 0} }}},
		{name: "speaks something else", want: fault.Garbage, says: "48 54 54 50",
			b: fake.Behaviour{Connack: func(*packet.Connect, []byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n") }}},
		{name: "sends a long CONNACK", want: fault.Garbage, says: "CONNACK",
			b: fake.Behaviour{Connack: func(*packet.Connect, []byte) []byte { return []byte{0x20, 3, 0, 0, 0} }}},
		{name: "announces a huge packet", want: fault.Garbage, says: "longer than any",
			b: fake.Behaviour{Connack: func(*packet.Connect, []byte) []byte { return []byte{0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f} }}},
		{name: "answers with CONNECT", want: fault.Violation, says: "CONNECT",
			b: fake.Behaviour{Connack: func(c *packet.Connect, _ []byte) []byte { return c.AppendTo(nil) }}},
		{name: "denies a filter", want: fault.Denied, says: "0x80",
			b: fake.Behaviour{Suback: func(r []byte) []byte { r[4] = 0x80; return r }}},
		{name: "grants less", qos: 1, want: fault.Denied, says: "asked for QoS 1, got 0x00",
			b: fake.Behaviour{Suback: func(r []byte) []byte { r[4] = 0; return r }}},
		{name: "answers for no filter", want: fault.Violation, says: "1 code(s) for 2 filter(s)",
			b: fake.Behaviour{Suback: func(r []byte) []byte { r[1] = 3; return r[:5] }}, filters: 2},
		{name: "never sends SUBACK", want: fault.Stalled, says: "waiting for SUBACK",
			b: fake.Behaviour{Suback: func([]byte) []byte { return nil }}},
		{name: "loses one at QoS 0", want: fault.Lost, says: `1 of 10 messages of topic "t/a"`,
			b: fake.Behaviour{Deliver: nth(3, func([]byte) []byte { return nil })}},
		{name: "loses the last", want: fault.Lost, says: "1 of 30",
			b: fake.Behaviour{Deliver: nth(30, func([]byte) []byte { return nil })}},
		{name: "loses one at QoS 1", qos: 1, want: fault.Lost,
			b: fake.Behaviour{Deliver: nth(3, func([]byte) []byte { return nil })}},
		{name: "loses a PUBACK", qos: 1, want: fault.Lost, says: "PUBACK",
			b: fake.Behaviour{Puback: nth(3, func([]byte) []byte { return nil })}},
		{name: "acknowledges twice", qos: 1, want: fault.Violation, says: "PUBACK with identifier",
			b: fake.Behaviour{Puback: nth(3, func(r []byte) []byte { return append(slices.Clone(r), r...) })}},
		{name: "doubles", want: fault.Doubled, says: "message 2",
			b: fake.Behaviour{Deliver: nth(3, func(r []byte) []byte { return append(slices.Clone(r), r...) })}},
		{name: "doubles with DUP without a reason", qos: 1, want: fault.Doubled, says: "message 2",
			b: fake.Behaviour{Deliver: nth(3, func(r []byte) []byte {
				again := slices.Clone(r)
				again[0] |= 8
				return append(slices.Clone(r), again...)
			})}},
		{name: "swaps two", want: fault.Reordered, says: "message 2",
			b: fake.Behaviour{Deliver: func(n int, r []byte) []byte {
				switch n {
				case 3:
					held = slices.Clone(r)
					return nil
				case 4:
					return append(slices.Clone(r), held...)
				}
				return r
			}}},
		{name: "changes the payload", want: fault.Corrupted, says: "payload",
			b: fake.Behaviour{Deliver: nth(3, last)}},
		{name: "cuts the payload", want: fault.Corrupted, says: "39 bytes instead of 40",
			b: fake.Behaviour{Deliver: nth(3, func(r []byte) []byte {
				r = slices.Clone(r[:len(r)-1])
				r[1]--
				return r
			})}},
		{name: "changes the topic", want: fault.Corrupted, says: "topic",
			b: fake.Behaviour{Deliver: nth(3, func(r []byte) []byte { return bytes.Replace(r, []byte("t/a"), []byte("t/b"), 1) })}},
		{name: "sends what nobody sent", want: fault.Foreign, says: "x/y",
			b: fake.Behaviour{Deliver: nth(3, func(r []byte) []byte { return append(publishPacket("x/y", []byte("hello")), r...) })}},
		{name: "raises the QoS", want: fault.Corrupted, says: "QoS 1 instead of 0",
			b: fake.Behaviour{Deliver: nth(3, func(r []byte) []byte {
				return atQoS(1, r)
			})}},
		{name: "delivers at QoS 2", want: fault.Violation, says: "QoS 2",
			b: fake.Behaviour{Deliver: nth(3, func(r []byte) []byte {
				return atQoS(2, r)
			})}},
		{name: "sends garbage among messages", want: fault.Garbage, says: "ff ff",
			b: fake.Behaviour{Deliver: nth(3, func([]byte) []byte { return []byte{0xff, 0xff} })}},
		{name: "sends a PUBLISH without a topic", want: fault.Garbage, says: "topic",
			b: fake.Behaviour{Deliver: nth(3, func([]byte) []byte { return []byte{0x30, 2, 0, 0} })}},
	}
	for _, c := range cases {
		for way, o := range ways {
			t.Run(c.name+", "+way, func(t *testing.T) {
				o.Addr = fake.Start(t, c.b).Addr
				o.StallTime = 200 * time.Millisecond
				if c.want == fault.Stalled {
					o.ConnectTime = 100 * time.Millisecond
				}
				p := fanout(1, c.qos)
				for n := 1; n < c.filters; n++ {
					p.Clients[0].Filters = append(p.Clients[0].Filters, fmt.Sprintf("other/%d", n))
				}
				e := start(t, p, o)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				began := time.Now()
				if err := e.Connect(ctx, 0, 2, Ramp{}); err == nil {
					if err := e.Publish(Pace{Window: 10, Each: 30}); err != nil {
						t.Fatal(err)
					}
					e.Settle(ctx)
				} else if !errors.Is(err, ErrAborted) {
					t.Fatal(err)
				}
				err := fault.Join(e.Faults())
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("reported as %v, want %q with %q", err, c.want, c.says)
				}
				if took := time.Since(began); took > patience/2 {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

// TestStopsInTheMiddle is a broker that takes everything and sends nothing
// more, not even PINGRESP.
func TestStopsInTheMiddle(t *testing.T) {
	for way, o := range ways {
		t.Run(way, func(t *testing.T) {
			release := make(chan struct{})
			o.Addr = fake.Start(t, fake.Behaviour{Deliver: func(n int, right []byte) []byte {
				if n == 5 {
					<-release
				}
				return right
			}}).Addr
			o.StallTime = 50 * time.Millisecond
			e, ctx := connected(t, fanout(1, 0), o)
			if err := e.Publish(Pace{Rate: 1000}); err != nil {
				t.Fatal(err)
			}
			e.Watch(ctx)
			e.Halt()
			close(release)
			if err := fault.Join(e.Faults()); !errors.Is(err, fault.Stalled) || errors.Is(err, fault.Lost) {
				t.Errorf("reported as %v, want stalled", err)
			}
			select {
			case <-e.Aborted():
			default:
				t.Error("the run goes on")
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	for way, o := range ways {
		t.Run(way, func(t *testing.T) {
			o.Addr = addr
			e := start(t, fanout(1, 0), o)
			if err := e.Connect(context.Background(), 0, 2, Ramp{}); !errors.Is(err, ErrAborted) {
				t.Errorf("Connect gave %v", err)
			}
			if err := fault.Join(e.Faults()); !errors.Is(err, fault.Unreachable) {
				t.Errorf("reported as %v, want unreachable", err)
			}
		})
	}
}

// TestBacklogIsBounded is a broker that does not read: what is due waits in
// the schedule and not in memory.
func TestBacklogIsBounded(t *testing.T) {
	for way, o := range ways {
		t.Run(way, func(t *testing.T) {
			release := make(chan struct{})
			o.Addr = fake.Start(t, fake.Behaviour{Deliver: func(int, []byte) []byte { <-release; return nil }}).Addr
			p := fanout(1, 0)
			p.Streams[0].Size = 100_000
			e, ctx := connected(t, p, o)
			if err := e.Publish(Pace{Rate: 2000, Each: 400}); err != nil {
				t.Fatal(err)
			}
			reach(t, ctx, e, func(c *Counters) bool { return c.Backlog > 50 })
			e.each(func(c *conn) {
				if n := c.wire.Backlog(); n > maxBacklog+outSize+200_000 {
					t.Errorf("%d bytes wait in memory", n)
				}
			})
			e.Halt()
			close(release)
		})
	}
}

func TestKeepsTheOlderConnection(t *testing.T) {
	b := fake.Start(t, fake.Behaviour{KeepOld: true})
	p := pairs(2, 1)
	p.Clients[0].Persistent, p.Clients[1].Persistent = true, true
	e, ctx := connected(t, p, Options{Addr: b.Addr, ConnectTime: 2 * time.Second})
	if err := e.Takeover(0, 2, 100); err != nil {
		t.Fatal(err)
	}
	e.Watch(ctx)
	if err := fault.Join(e.Faults()); !errors.Is(err, fault.Closed) || !strings.Contains(err.Error(), "older connection") {
		t.Errorf("reported as %v", err)
	}
}

func TestForgetsSessions(t *testing.T) {
	b := fake.Start(t, fake.Behaviour{Forget: true})
	p := pairs(2, 1)
	p.Clients[0].Persistent, p.Clients[1].Persistent = true, true
	e, ctx := connected(t, p, Options{Addr: b.Addr})
	e.Disconnect(0, 2)
	for len(b.Online()) > 2 {
		<-time.After(time.Millisecond)
	}
	if err := e.Connect(ctx, 0, 2, Ramp{}); !errors.Is(err, ErrAborted) {
		t.Errorf("Connect gave %v", err)
	}
	if err := fault.Join(e.Faults()); !errors.Is(err, fault.Lost) || !strings.Contains(err.Error(), "session") {
		t.Errorf("reported as %v", err)
	}
}

// TestFaultIsCountedOnce: what ends a connection is not told a second time for
// its being closed.
func TestFaultIsCountedOnce(t *testing.T) {
	for way, o := range ways {
		t.Run(way, func(t *testing.T) {
			o.Addr = fake.Start(t, fake.Behaviour{Puback: func(int, []byte) []byte { return []byte{0x40, 2, 0x12, 0x34} }}).Addr
			e, ctx := connected(t, fanout(1, 1), o)
			if err := e.Publish(Pace{Window: 1, Each: 1}); err != nil {
				t.Fatal(err)
			}
			e.Settle(ctx)
			if all := e.Faults(); len(all) != 1 || all[0].Kind != fault.Violation || all[0].Count != 1 {
				t.Errorf("one PUBACK for nothing is reported as %v", fault.Join(all))
			}
		})
	}
}

// TestConnackOfMQTT31: the byte before the code has no meaning there.
func TestConnackOfMQTT31(t *testing.T) {
	for _, flags := range []byte{0, 1, 0x80} {
		b := fake.Start(t, fake.Behaviour{Connack: func(*packet.Connect, []byte) []byte { return []byte{0x20, 2, flags, 0} }})
		connected(t, fanout(1, 0), Options{Addr: b.Addr, Level: packet.Level31, Lanes: 1})
	}
}
