package broker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// serve starts a broker without recorders on a loopback port.
func serve(b *testing.B, o broker.Options) (*broker.Broker, string) {
	b.Helper()
	o.Profile = broker.Open
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	br, err := broker.New(o)
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go br.Serve(ln) // ends with the broker
	b.Cleanup(func() { br.Shutdown(context.Background()) })
	return br, ln.Addr().String()
}

// BenchmarkFanOut measures delivered messages from one publisher to some subscribers over TCP loopback, all of
// it in one process, so that readers and writers share the processors with the broker. An operation is one
// published message; delivered/s is what counts. Messages carry 64 bytes and go out 64 in a write; at most
// that many are on their way, so nothing is dropped.
func BenchmarkFanOut(b *testing.B) {
	for _, qos := range []byte{0, 1} {
		for _, subscribers := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("QoS%d/%d", qos, subscribers), func(b *testing.B) { fanOut(b, qos, subscribers) })
		}
	}
}

func fanOut(b *testing.B, qos byte, subscribers int) {
	const run = 64
	const topic = "bench/fan/out"
	br, addr := serve(b, broker.Options{})
	size := brokertest.Publish(topic, string(make([]byte, 64)), qos, uint16(qos)).Size()
	arrived := make(chan struct{}, subscribers)
	for i := range subscribers {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		c := brokertest.NewClient(b, nc)
		c.Connect(fmt.Sprint("sub", i), brokertest.KeepAlive(0))
		c.Subscribe(topic, qos)
		nc.SetDeadline(time.Time{})
		go func() { // ends with the connection
			buf := make([]byte, run*size)
			acks := make([]byte, 0, 4*run)
			for next := uint16(0); ; {
				if _, err := io.ReadFull(nc, buf); err != nil {
					return
				}
				if qos > 0 {
					acks = acks[:0]
					for range run {
						if next++; next == 0 {
							next = 1
						}
						acks = packet.AppendPuback(acks, next)
					}
					nc.Write(acks)
				}
				arrived <- struct{}{}
			}
		}()
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	pub := brokertest.NewClient(b, nc)
	pub.Connect("pub", brokertest.KeepAlive(0))
	pub.Conn.SetDeadline(time.Time{})
	var script []byte
	for i := range run {
		script = brokertest.Publish(topic, string(make([]byte, 64)), qos, uint16(qos)*uint16(i+1)).AppendTo(script)
	}
	answers := make([]byte, 4*run*int(qos))
	b.ReportAllocs()
	b.ResetTimer()
	delivered := 0
	for n := 0; n < b.N; n += run {
		if _, err := pub.Conn.Write(script); err != nil {
			b.Fatal(err)
		}
		for range subscribers {
			<-arrived
		}
		if _, err := io.ReadFull(pub.Conn, answers); err != nil {
			b.Fatal(err)
		}
		delivered += run * subscribers
	}
	b.StopTimer()
	b.ReportMetric(float64(delivered)/b.Elapsed().Seconds(), "delivered/s")
	if s := br.Stats(); s.Dropped["outbound-full"] > 0 || s.Dropped["queue-full"] > 0 {
		b.Fatalf("dropped %v", s.Dropped)
	}
}

// BenchmarkPublishInProcess is the path of a message without sockets: from Publish to a handler.
func BenchmarkPublishInProcess(b *testing.B) {
	br, _ := serve(b, broker.Options{HandlerQueue: broker.Unlimited})
	handled := make(chan struct{}, 1)
	if _, err := br.Subscribe("bench/topic", func(m broker.Message) { handled <- struct{}{} }); err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := br.Publish(context.Background(), "bench/topic", payload, 0); err != nil {
			b.Fatal(err)
		}
		<-handled
	}
}

// BenchmarkIdleConnections reports what an idle connection costs in memory, the client's end in the same
// process included: bytes of objects and stacks for each of 10,000, or as many as the process may open.
func BenchmarkIdleConnections(b *testing.B) {
	const want = 10_000
	for b.Loop() {
		_, addr := serve(b, broker.Options{})
		hello := brokertest.ConnectPacket("", brokertest.KeepAlive(0)).AppendTo(nil)
		answer := make([]byte, 4)
		before := heap()
		var conns []net.Conn
		for range want {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				break // no more descriptors
			}
			nc.Write(hello)
			if _, err := io.ReadFull(nc, answer); err != nil {
				nc.Close()
				break
			}
			conns = append(conns, nc)
		}
		if len(conns) < want/10 {
			b.Skipf("only %d connections could be opened", len(conns))
		}
		b.ReportMetric(float64(heap()-before)/float64(len(conns)), "B/conn")
		b.ReportMetric(float64(len(conns)), "conns")
		for _, nc := range conns {
			nc.Close()
		}
	}
}
