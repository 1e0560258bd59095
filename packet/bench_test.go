package packet_test

import (
	"bytes"
	"testing"

	"sampan/packet"
)

// The packets that the benchmarks share: a device's update, as the platform's
// devices send it, and what stands around it.
var (
	benchTopic  = []byte("/a1B2c3D4e5/dev1/update")
	benchClient = []byte("a1B2c3D4e5.dev1|timestamp=2524608000000,_ss=1,_v=sdk-c-4.2.0,securemode=3,signmethod=hmacsha256,ext=3,_conn=tcp_1|")
)

func benchPublish(qos byte, payload int) *packet.Publish {
	p := &packet.Publish{Topic: benchTopic, Payload: bytes.Repeat([]byte{'x'}, payload), QoS: qos}
	if qos > 0 {
		p.ID = 0x1234
	}
	return p
}

var benchPublishes = []struct {
	name string
	p    *packet.Publish
}{
	{"q0-64", benchPublish(0, 64)},
	{"q1-256", benchPublish(1, 256)},
	{"q1-1024", benchPublish(1, 1024)},
}

func BenchmarkPublishDecode(b *testing.B) {
	for _, c := range benchPublishes {
		raw := c.p.AppendTo(nil)
		b.Run(c.name, func(b *testing.B) {
			lim := packet.DefaultLimits()
			lim.Types = packet.FromClient
			var p packet.Publish
			b.ReportAllocs()
			for b.Loop() {
				f, _, _, err := packet.Next(raw, &lim)
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Decode(f, &lim); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPublishCut(b *testing.B) {
	for _, c := range benchPublishes {
		raw := c.p.AppendTo(nil)
		b.Run(c.name, func(b *testing.B) {
			lim := packet.DefaultLimits()
			lim.Types = packet.FromClient
			var p packet.Publish
			b.ReportAllocs()
			for b.Loop() {
				if p.Cut(raw, &lim) != len(raw) {
					b.Fatal("not cut")
				}
			}
		})
	}
}

func BenchmarkPublishCutSame(b *testing.B) {
	for _, c := range benchPublishes {
		raw := c.p.AppendTo(nil)
		topic := bytes.Clone(benchTopic)
		b.Run(c.name, func(b *testing.B) {
			lim := packet.DefaultLimits()
			lim.Types = packet.FromClient
			var p packet.Publish
			b.ReportAllocs()
			for b.Loop() {
				if p.CutSame(raw, topic, &lim) != len(raw) {
					b.Fatal("not cut")
				}
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	raw := benchPublish(1, 64).AppendTo(nil)
	lim := packet.DefaultLimits()
	lim.Types = packet.FromClient
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := packet.Next(raw, &lim); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublishEncode(b *testing.B) {
	for _, c := range benchPublishes {
		b.Run(c.name, func(b *testing.B) {
			dst := make([]byte, 0, c.p.Size())
			b.ReportAllocs()
			for b.Loop() {
				dst = c.p.AppendTo(dst[:0])
			}
		})
	}
}

func BenchmarkConnectDecode(b *testing.B) {
	raw := (&packet.Connect{
		CleanSession: true, KeepAlive: 60, ClientID: benchClient,
		HasUsername: true, Username: []byte("dev1&a1B2c3D4e5"),
		HasPassword: true, Password: bytes.Repeat([]byte{'A'}, 64),
	}).AppendTo(nil)
	lim := packet.DefaultLimits()
	var c packet.Connect
	b.ReportAllocs()
	for b.Loop() {
		f, _, _, _ := packet.Next(raw, &lim)
		if err := c.Decode(f, &lim); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSubscribeDecode(b *testing.B) {
	s := packet.Subscribe{ID: 7}
	s.Add([]byte("/sys/a1B2c3D4e5/dev1/rrpc/request/+"), 1)
	s.Add([]byte("/a1B2c3D4e5/dev1/get"), 0)
	raw := s.AppendTo(nil)
	lim := packet.DefaultLimits()
	b.ReportAllocs()
	for b.Loop() {
		f, _, _, _ := packet.Next(raw, &lim)
		if err := s.Decode(f, &lim); err != nil {
			b.Fatal(err)
		}
		for filter, qos := range s.All() {
			_, _ = filter, qos
		}
	}
}

func BenchmarkPubackDecode(b *testing.B) {
	raw := packet.AppendPuback(nil, 0x1234)
	lim := packet.DefaultLimits()
	lim.Types = packet.FromClient
	var a packet.Ack
	b.ReportAllocs()
	for b.Loop() {
		f, _, _, _ := packet.Next(raw, &lim)
		if err := a.Decode(f, &lim); err != nil {
			b.Fatal(err)
		}
	}
}
