package packet_test

import (
	"bytes"
	"testing"

	"sampan/packet"
)

// TestAllocs: decoding allocates nothing, encoding nothing while there is room.
func TestAllocs(t *testing.T) {
	lim := packet.DefaultLimits()
	lim.Will = packet.Accept
	connect := packet.Connect{
		CleanSession: true, ClientID: []byte("client"), Will: true, WillTopic: []byte("w"), WillMessage: []byte("m"),
		HasUsername: true, Username: []byte("用户"), HasPassword: true, Password: []byte("p"),
	}
	publish := packet.Publish{Topic: []byte("/pk/dn/update"), Payload: make([]byte, 1000), QoS: 1, ID: 1}
	chinese := packet.Publish{Topic: []byte("/设备/数据"), Payload: []byte("x"), Retain: true}
	subscribe := packet.Subscribe{ID: 1}
	subscribe.Add([]byte("/sys/pk/dn/rrpc/request/+"), 2)
	subscribe.Add(bytes.Repeat([]byte("a"), 129), 1)
	unsubscribe := packet.Unsubscribe{ID: 1}
	unsubscribe.Add([]byte("/sys/#"))
	suback := packet.Suback{ID: 1, Codes: []byte{0, 1, packet.SubackFailure}}
	ack := packet.Ack{Type: packet.TypePubrel, ID: 1}

	dst := make([]byte, 0, 4096)
	for _, p := range []coder{&connect, &packet.Connack{}, &publish, &chinese, &subscribe, &suback, &unsubscribe, &ack} {
		raw := p.AppendTo(nil)
		f, _, _, err := packet.Next(raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		into := newPacket(f.Type())
		if n := testing.AllocsPerRun(100, func() {
			f, _, _, err := packet.Next(raw, &lim)
			if err != nil || into.Decode(f, &lim) != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("decoding %v allocates %v times", f.Type(), n)
		}
		if n := testing.AllocsPerRun(100, func() { dst = p.AppendTo(dst[:0]) }); n != 0 {
			t.Errorf("encoding %v allocates %v times", f.Type(), n)
		}
	}
	for name, do := range map[string]func(){
		"Cut":         func() { publish.Cut(dst, &lim) },
		"AppendHead":  func() { dst = publish.AppendHead(dst[:0]) },
		"Check":       func() { _ = publish.Check(&lim) },
		"bodyless":    func() { dst = packet.AppendDisconnect(packet.AppendPingresp(packet.AppendPingreq(dst[:0]))) },
		"incomplete":  func() { packet.Next([]byte{0x30, 0xff, 0x7f}, &lim) },
		"valid topic": func() { _ = packet.ValidTopicName(publish.Topic, &lim) },
		"SUBSCRIBE, all filters": func() {
			var longest []byte
			highest := byte(0)
			for filter, qos := range subscribe.All() {
				if highest = max(highest, qos); len(filter) > len(longest) {
					longest = filter
				}
			}
			if highest == 0 || longest == nil {
				t.Fatal("no filter")
			}
		},
		"SUBSCRIBE, QoS asked for": func() {
			highest := byte(0)
			for _, qos := range subscribe.Asked() {
				highest = max(highest, qos)
			}
			if highest == 0 {
				t.Fatal("no filter")
			}
		},
		"UNSUBSCRIBE, all filters": func() {
			var longest []byte
			for filter := range unsubscribe.All() {
				if len(filter) > len(longest) {
					longest = filter
				}
			}
			if longest == nil {
				t.Fatal("no filter")
			}
		},
	} {
		if n := testing.AllocsPerRun(100, do); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// A Reader on a source that always has bytes allocates nothing once its buffer
// has grown.
func TestReaderAllocs(t *testing.T) {
	raw := (&packet.Publish{Topic: []byte("/pk/dn/update"), Payload: make([]byte, 300)}).AppendTo(nil)
	r := packet.NewReader(&endless{raw: raw}, nil)
	read := func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		read()
	}
	if n := testing.AllocsPerRun(5000, read); n != 0 {
		t.Errorf("Next allocates %v times", n)
	}
}

// endless repeats its bytes for ever.
type endless struct {
	raw []byte
	at  int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.raw[e.at:])
		n, e.at = n+c, (e.at+c)%len(e.raw)
	}
	return n, nil
}

// An error is one allocation, however long the hostile packet is.
func TestErrorAllocs(t *testing.T) {
	raw := (&packet.Publish{Topic: bytes.Repeat([]byte("+"), 60_000)}).AppendTo(nil)
	var p packet.Publish
	if n := testing.AllocsPerRun(100, func() {
		f, _, _, _ := packet.Next(raw, nil)
		if p.Decode(f, nil) == nil {
			t.Fatal("accepted")
		}
	}); n > 1 {
		t.Errorf("a refused packet allocates %v times", n)
	}
}
