package ceiling

import (
	"bytes"
	"testing"

	"sampan/packet"
)

// recorder is a subscriber that keeps what it is sent.
type recorder struct{ bytes.Buffer }

func (r *recorder) Send(b []byte) { r.Write(b) }

func publishes(qos byte, ids ...uint16) (b []byte) {
	for _, id := range ids {
		p := packet.Publish{Topic: []byte("a/b"), Payload: []byte{1, 2, byte(id)}, QoS: qos, ID: id}
		b = p.AppendTo(b)
	}
	return b
}

// TestHub lets a client subscribe and another publish, the bytes cut at every
// place, in both forms.
func TestHub(t *testing.T) {
	var sub packet.Subscribe
	sub.ID = 9
	sub.Add([]byte("a/b"), 1)
	sub.Add([]byte("x/#"), 0)
	for _, c := range []struct {
		copied bool
		qos    byte
		want   []byte
		acks   string
	}{
		{false, 0, publishes(0, 5, 7), ""},
		{true, 0, publishes(0, 5, 7), ""},
		{false, 1, publishes(1, 5, 7), "\x40\x02\x00\x05\x40\x02\x00\x07"},
		{true, 1, func() []byte {
			b := publishes(1, 5, 7)
			b[8], b[len(b)/2+8] = 1, 2
			return b
		}(), "\x40\x02\x00\x05\x40\x02\x00\x07"},
	} {
		in := publishes(c.qos, 5, 7)
		for cut := range len(in) + 1 {
			h := NewHub()
			var subscriber, publisher recorder
			s, p := h.NewClient(&subscriber, c.copied), h.NewClient(&publisher, c.copied)
			s.Feed((&packet.Connect{ClientID: []byte("s")}).AppendTo(nil))
			s.Feed(sub.AppendTo(nil))
			if want := "\x20\x02\x00\x00\x90\x04\x00\x09\x01\x00"; subscriber.String() != want {
				t.Fatalf("answers % x, want % x", subscriber.Bytes(), want)
			}
			subscriber.Reset()
			used, err := p.Feed(in[:cut])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Feed(in[used:]); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(subscriber.Bytes(), c.want) {
				t.Errorf("copied %v, QoS %d, cut at %d: % x, want % x", c.copied, c.qos, cut, subscriber.Bytes(), c.want)
			}
			if publisher.String() != c.acks {
				t.Errorf("copied %v, QoS %d, cut at %d: acks % x", c.copied, c.qos, cut, publisher.Bytes())
			}
		}
	}
}

func TestSubscribersComeAndGo(t *testing.T) {
	h := NewHub()
	var one, two, from recorder
	a, b, p := h.NewClient(&one, false), h.NewClient(&two, false), h.NewClient(&from, false)
	var sub packet.Subscribe
	sub.ID = 1
	sub.Add([]byte("a/#"), 0)
	a.Feed(sub.AppendTo(nil))
	p.Feed(publishes(0, 1))
	b.Feed(sub.AppendTo(nil))
	p.Feed(publishes(0, 2))
	a.Close()
	p.Feed(publishes(0, 3))
	const suback = 5
	if got, want := one.Bytes()[suback:], publishes(0, 1, 2); !bytes.Equal(got, want) {
		t.Errorf("the first got % x, want % x", got, want)
	}
	if got, want := two.Bytes()[suback:], publishes(0, 2, 3); !bytes.Equal(got, want) {
		t.Errorf("the second got % x, want % x", got, want)
	}
	if _, err := p.Feed(packet.AppendDisconnect(nil)); err != ErrEnd {
		t.Errorf("DISCONNECT gave %v", err)
	}
}
