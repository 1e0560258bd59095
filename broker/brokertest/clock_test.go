package brokertest

import (
	"fmt"
	"testing"
	"time"
)

// Advance calls what is due on the way, in order, at its time, also what is set meanwhile, and nothing else.
func TestClock(t *testing.T) {
	c := NewClock()
	start := c.Now()
	var log []string
	note := func(name string) func() {
		return func() { log = append(log, fmt.Sprint(name, c.Now().Sub(start))) }
	}
	c.AfterFunc(3*time.Second, note("c"))
	c.AfterFunc(time.Second, func() {
		note("a")()
		c.AfterFunc(time.Second, note("b"))
		c.AfterFunc(time.Hour, note("never"))
	})
	stopped := c.AfterFunc(2*time.Second, note("stopped"))
	c.AfterFunc(-1, note("now"))
	if len(log) != 0 {
		t.Fatal("a function was called before Advance")
	}
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop is wrong about whether it has prevented the call")
	}
	c.Advance(0)
	c.Advance(3*time.Second - 1)
	c.Advance(1)
	if got := fmt.Sprint(log); got != "[now0s a1s b2s c3s]" {
		t.Errorf("called %s", got)
	}
	if c.Timers() != 1 || c.Now().Sub(start) != 3*time.Second {
		t.Errorf("%d timers at %v", c.Timers(), c.Now().Sub(start))
	}
}

func TestDescribe(t *testing.T) {
	for want, p := range map[string]Packet{
		`CONNECT level 4 id "c" clean true keep-alive 60 [10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 63]`: ConnectPacket("c"),
		`PUBLISH "a" QoS 1 id 7 DUP "x" [3a 06 00 01 61 00 07 78]`:                                       Again("a", "x", 7),
		`SUBSCRIBE id 1 "a" QoS 1 "b" QoS 1 [82 0a 00 01 00 01 61 01 00 01 62 01]`:                       SubscribePacket(1, 1, "a", "b"),
		`PUBACK id 7 [40 02 00 07]`:               Puback(7),
		`PINGREQ [c0 00]`:                         Pingreq,
		`PINGRESP and 2 bytes more [d0 00 01 02]`: Bytes{0xd0, 0, 1, 2},
		`no packet [ff]`:                          Bytes{0xff},
		`no packet []`:                            Bytes{},
	} {
		if got := Describe(p.AppendTo(nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
