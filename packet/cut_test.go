package packet_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"sampan/packet"
)

func samePublish(a, b *packet.Publish) bool {
	return bytes.Equal(a.Topic, b.Topic) && bytes.Equal(a.Payload, b.Payload) && a.ID == b.ID && a.QoS == b.QoS &&
		a.Dup == b.Dup && a.Retain == b.Retain && a.Ignored == b.Ignored
}

// agree compares Cut and CutSame with Next and Decode on b, and reports whether
// Cut took the packet.
func agree(t interface {
	Helper()
	Fatalf(string, ...any)
}, b []byte, lim *packet.Limits) bool {
	t.Helper()
	var slow packet.Publish
	f, n, _, err := packet.Next(b, lim)
	good := err == nil && n > 0 && f.Type() == packet.TypePublish && packet.DecodeByEveryRule(&slow, f, lim) == nil

	var fast packet.Publish
	cut := fast.Cut(b, lim)
	if cut != 0 {
		if !good || cut != n {
			t.Fatalf("%s: Cut takes %d bytes, Next and Decode %d (good: %v)", short(b), cut, n, good)
		}
		if !samePublish(&slow, &fast) {
			t.Fatalf("%s: Cut gives %+v, Decode %+v", short(b), fast, slow)
		}
		if cap(fast.Topic) != len(fast.Topic) || cap(fast.Payload) != len(fast.Payload) {
			t.Fatalf("%s: a view reaches beyond its field", short(b))
		}
	}
	if f.Type() == packet.TypePublish {
		var p packet.Publish
		if accepted := p.Decode(f, lim) == nil; accepted != good || good && !samePublish(&slow, &p) {
			t.Fatalf("%s: Decode gives %+v, by every rule %+v (good: %v)", short(b), p, slow, good)
		}
	}
	if good {
		var same packet.Publish
		topic := bytes.Clone(slow.Topic)
		if n := same.CutSame(b, topic, lim); n != 0 {
			if n != len(f.Raw) {
				t.Fatalf("%s: CutSame takes %d bytes, Next %d", short(b), n, len(f.Raw))
			}
			if !samePublish(&slow, &same) {
				t.Fatalf("%s: CutSame gives %+v, Decode %+v", short(b), same, slow)
			}
		} else if cut != 0 {
			t.Fatalf("%s: Cut takes it, CutSame with its topic does not", short(b))
		}
		topic[len(topic)-1] ^= 1
		if same.CutSame(b, topic, lim) != 0 || same.CutSame(b, topic[:len(topic)-1], lim) != 0 {
			t.Fatalf("%s: CutSame takes it for another topic", short(b))
		}
	}
	return cut != 0
}

// TestCutAgreesWithDecode: on any bytes and under any limits, what Cut and
// CutSame take, Next and Decode take with the same result.
func TestCutAgreesWithDecode(t *testing.T) {
	platform := packet.DefaultLimits()
	fromClient := packet.DefaultLimits()
	fromClient.Types = packet.FromClient
	noPublish := packet.Limits{Types: packet.FirstFromClient}
	tight := packet.Limits{Topic: 16, Slashes: 1, Payload: 8, Remaining: 30, Retain: packet.Refuse}
	old := packet.Limits{Level: packet.Level31}
	all := []*packet.Limits{nil, &platform, &fromClient, &noPublish, &tight, &old}
	rapid.Check(t, func(t *rapid.T) {
		raw := publishes().Draw(t, "publish").AppendTo(nil)
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			at := rapid.IntRange(0, min(len(raw)-1, 40)).Draw(t, "at")
			raw[at] = rapid.SampledFrom([]byte{0, 1, 2, '+', '#', '/', '\'', 0x31, 0x33, 0x38, 0x3f, 0x7f, 0x80, 0xff}).Draw(t, "byte")
		}
		raw = raw[:len(raw)-rapid.IntRange(0, min(len(raw), 3)).Draw(t, "cut off")]
		agree(t, raw, rapid.SampledFrom(all).Draw(t, "limits"))
	})
}

// TestCutOnVectors does the same with every vector.
func TestCutOnVectors(t *testing.T) {
	for _, v := range loadVectors(t) {
		agree(t, v.raw(t), v.limits(t))
	}
}

// TestCutTakesTheCommonForms: a fast path that takes nothing agrees with
// everything, so these it must take.
func TestCutTakesTheCommonForms(t *testing.T) {
	platform := packet.DefaultLimits()
	platform.Types = packet.FromClient &^ packet.QoS2Types
	for topic := 8; topic <= 128; topic++ {
		for _, payload := range []int{0, 1, 100, 128, 16_383, 16_384, packet.PlatformPayload} {
			p := packet.Publish{Topic: bytes.Repeat([]byte{'t'}, topic), Payload: make([]byte, payload)}
			p.Topic[0], p.Topic[topic/2] = '/', '/'
			for qos := range byte(2) {
				p.QoS, p.ID = qos, uint16(qos)
				for _, lim := range []*packet.Limits{nil, &platform} {
					if b := p.AppendTo(nil); !agree(t, b, lim) {
						t.Fatalf("not taken: topic of %d bytes, payload of %d, QoS %d", topic, payload, qos)
					}
				}
			}
		}
	}
}

// TestCutAtTheBorders tries every first byte and every length around the limits,
// where a fast path goes wrong first.
func TestCutAtTheBorders(t *testing.T) {
	platform := packet.DefaultLimits()
	lim := packet.Limits{Topic: 20, Slashes: 3, Payload: 200, Remaining: 215}
	limits := []*packet.Limits{nil, {Level: packet.Level31}, &platform, &lim, {Retain: packet.Refuse}, {Payload: 200}, {Remaining: 215}}
	for first := range 256 {
		for id := range 2 {
			raw := packet.AppendFrame(nil, byte(first), []byte{0, 9, '/', 'p', 'k', '/', 'd', 'n', '/', 'u', 'p', 0, byte(id), 'x'})
			for _, lim := range limits {
				agree(t, raw, lim)
				for i := range len(raw) - 1 {
					agree(t, raw[:i], lim)
					agree(t, packet.AppendFrame(nil, byte(first), raw[2:2+i]), lim)
				}
			}
		}
	}
	for topic := 1; topic < 40; topic++ {
		for payload := 180; payload < 220; payload++ {
			for qos := range byte(2) {
				p := packet.Publish{Topic: bytes.Repeat([]byte("abc/"), 10)[:topic], Payload: make([]byte, payload), QoS: qos, ID: uint16(qos)}
				raw := p.AppendTo(nil)
				for _, lim := range limits {
					agree(t, raw, lim)
				}
			}
		}
	}
}

// TestCutRun walks a read buffer of packets, as a broker does.
func TestCutRun(t *testing.T) {
	lim := packet.DefaultLimits()
	var b []byte
	for i := range 5 {
		b = (&packet.Publish{Topic: []byte("/pk/dn/update"), QoS: 1, ID: uint16(i + 1)}).AppendTo(b)
	}
	b = packet.AppendPingreq(b)
	var p packet.Publish
	got := 0
	for {
		n := p.Cut(b, &lim)
		if n == 0 {
			break
		}
		if got++; int(p.ID) != got {
			t.Errorf("packet %d has the identifier %d", got, p.ID)
		}
		b = b[n:]
	}
	if got != 5 || len(b) != 2 {
		t.Errorf("%d packets, %d bytes left", got, len(b))
	}
}

func TestCutSameNeedsATopic(t *testing.T) {
	b := (&packet.Publish{Topic: []byte("/pk/dn/update")}).AppendTo(nil)
	if n := new(packet.Publish).CutSame(b, nil, nil); n != 0 {
		t.Errorf("%d bytes taken on no topic", n)
	}
}

func TestCutPuback(t *testing.T) {
	for _, tt := range []struct {
		b  []byte
		id uint16
		n  int
	}{
		{packet.AppendPuback(nil, 1), 1, 4},
		{packet.AppendPuback(packet.AppendPuback(nil, 0xfffe), 2), 0xfffe, 4},
		{packet.AppendPuback(nil, 0), 0, 0},
		{[]byte{0x40, 2, 0}, 0, 0},
		{[]byte{0x40, 3, 0, 1, 0}, 0, 0},
		{[]byte{0x42, 2, 0, 1}, 0, 0},
		{packet.AppendPubrec(nil, 1), 0, 0},
		{nil, 0, 0},
	} {
		if id, n := packet.CutPuback(tt.b); id != tt.id || n != tt.n {
			t.Errorf("%x: %d, %d, want %d, %d", tt.b, id, n, tt.id, tt.n)
		}
	}
}
