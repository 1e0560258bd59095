//go:build unix

package broker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// These tests run over real sockets, where the broker reads and writes descriptors itself.

// payload is n bytes that tell where they belong: number at the start, and behind it bytes that depend on it.
func payload(number uint64, n int) []byte {
	p := binary.BigEndian.AppendUint64(make([]byte, 0, max(n, 8)), number)
	for len(p) < n {
		p = append(p, byte(uint64(len(p))*31+number))
	}
	return p
}

// checkPayload returns the number of an undamaged payload.
func checkPayload(t *testing.T, p []byte) uint64 {
	t.Helper()
	if len(p) < 8 {
		t.Fatalf("a payload of %d bytes", len(p))
	}
	number := binary.BigEndian.Uint64(p)
	if want := payload(number, len(p)); !bytes.Equal(p, want) {
		t.Fatalf("message %d of %d bytes is damaged", number, len(p))
	}
	return number
}

// A topic with many subscribers: each gets every message, in order, undamaged, at its own QoS.
func TestTCPFanOut(t *testing.T) {
	const subscribers, messages = 100, 1000
	b := open(t)
	addr := b.Listen()
	pub := b.DialTCP(addr)
	pub.Connect("pub")
	var wg sync.WaitGroup
	for i := range subscribers {
		c := b.DialTCP(addr)
		c.Connect(fmt.Sprint("sub", i), func(p *packet.Connect) { p.CleanSession = i%3 > 0 })
		c.Subscribe([]string{"fan/out/topic", "fan/+/topic", "#"}[i%3], byte(i%2))
		wg.Go(func() {
			for n := range messages {
				p := c.NextPublish()
				if got := checkPayload(t, p.Payload); got != uint64(n) {
					t.Errorf("subscriber %d: message %d, want %d", i, got, n)
					return
				}
				if want := byte(n/10%2) & byte(i%2); p.QoS != want {
					t.Errorf("subscriber %d: message %d with QoS %d, want %d", i, n, p.QoS, want)
				}
				if p.QoS > 0 {
					c.TrySend(brokertest.Puback(p.ID))
				}
			}
			c.Sync()
		})
	}
	go func() { // ends when all is acknowledged
		for range messages / 2 {
			pub.Receive()
		}
	}()
	var script []brokertest.Packet
	for n := range messages {
		qos := byte(n / 10 % 2)
		script = append(script, &packet.Publish{Topic: []byte("fan/out/topic"), Payload: payload(uint64(n), 8+n%50), QoS: qos, ID: uint16(n+1) * uint16(qos)})
		if n%37 == 0 || n == messages-1 {
			pub.Send(script...)
			script = nil
		}
	}
	wg.Wait()
	if s := b.Stats(); s.Dropped["outbound-full"] != 0 || s.Dropped["queue-full"] != 0 {
		t.Errorf("dropped %v", s.Dropped)
	}
}

// small makes a socket's buffers so small that writes end in the middle of packets, but not so small that
// TCP waits for its own timers.
func small(_, _ string, c syscall.RawConn) error {
	const bytes = 16 << 10
	return c.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, bytes)
		syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, bytes)
	})
}

// narrow serves a listener whose connections have small buffers.
func narrow(t *testing.T, b *brokertest.Broker) string {
	t.Helper()
	ln, err := (&net.ListenConfig{Control: small}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(ln) }() // ends with the broker
	t.Cleanup(func() {
		b.Shutdown(context.Background())
		<-served
	})
	return ln.Addr().String()
}

func dialNarrow(t *testing.T, addr string) *brokertest.Client {
	t.Helper()
	nc, err := (&net.Dialer{Control: small}).Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return brokertest.NewClient(t, nc)
}

// Sockets that take a few bytes at a time: what is written directly, by the writer goroutine and by other
// publishers in between is one stream of whole packets, whatever their size. QoS 0 may have gaps.
func TestTCPPartialWrites(t *testing.T) {
	const publishers, messages = 3, 250
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, OutboundBytes: 100_000, QueueMessages: broker.Unlimited, QueueBytes: broker.Unlimited})
	addr := narrow(t, b)
	var wg sync.WaitGroup
	for i := range 4 {
		c := dialNarrow(t, addr)
		c.Connect(fmt.Sprint("sub", i), func(p *packet.Connect) { p.CleanSession = i%2 == 0 })
		c.Subscribe("#", 1)
		wg.Go(func() {
			next := map[string]uint64{}
			last := map[string]uint64{}
			for left := publishers * messages; left > 0; {
				p := c.NextPublish()
				n, topic := checkPayload(t, p.Payload), string(p.Topic)
				if p.QoS == 0 {
					if n < last[topic] {
						t.Errorf("%s: QoS 0 message %d after %d", topic, n, last[topic])
					}
					last[topic] = n
					continue
				}
				if n != next[topic] {
					t.Errorf("%s: message %d, want %d", topic, n, next[topic])
					return
				}
				next[topic]++
				left--
				c.TrySend(brokertest.Puback(p.ID))
			}
		})
	}
	for i := range publishers {
		c := b.DialTCP(addr)
		c.Connect(fmt.Sprint("pub", i))
		wg.Go(func() {
			for range messages {
				if _, err := c.Receive(); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 0))
			for n := range messages {
				size := 8 + r.IntN(200)
				switch {
				case n%50 == 7:
					size = r.IntN(100_000)
				case n%10 == 3:
					size = r.IntN(10_000)
				}
				c.TrySend(
					&packet.Publish{Topic: fmt.Appendf(nil, "topic/of/%d", i), Payload: payload(uint64(n), size), QoS: 1, ID: uint16(n + 1)},
					&packet.Publish{Topic: fmt.Appendf(nil, "zero/of/%d", i), Payload: payload(uint64(n), 8+size/2)},
				)
			}
		})
	}
	wg.Wait()
}

// Many publishers to one subscriber: each one's messages in order.
func TestTCPFanIn(t *testing.T) {
	const publishers, messages = 20, 300
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, OutboundBytes: 10 << 20})
	addr := b.Listen()
	sub := b.DialTCP(addr)
	sub.Connect("sub")
	sub.Subscribe("in/#", 1)
	for i := range publishers {
		c := b.DialTCP(addr)
		c.Connect(fmt.Sprint("pub", i))
		go func() { // ends when all is sent
			var script []brokertest.Packet
			for n := range messages {
				script = append(script, &packet.Publish{Topic: fmt.Appendf(nil, "in/%d/x", i), Payload: payload(uint64(n), 20)})
				if n%(i+1) == 0 || n == messages-1 {
					c.TrySend(script...)
					script = nil
				}
			}
		}()
	}
	next := map[string]uint64{}
	for range publishers * messages {
		p := sub.NextPublish()
		if n := checkPayload(t, p.Payload); n != next[string(p.Topic)] {
			t.Fatalf("%s: message %d, want %d", p.Topic, n, next[string(p.Topic)])
		}
		next[string(p.Topic)]++
	}
	sub.Sync()
}

// However the stream is cut into reads, it means the same: every cut in two.
func TestTCPEverySplit(t *testing.T) {
	b := open(t)
	addr := b.Listen()
	var script []byte
	for _, p := range []brokertest.Packet{
		brokertest.Publish("split/topic", "first", 1, 1), brokertest.Publish("split/topic", "second", 1, 2),
		brokertest.Publish("split/topic", "zero", 0, 0), brokertest.Publish("split/other/topic", string(payload(0, 130)), 1, 3),
		brokertest.SubscribePacket(9, 0, "x"), brokertest.Publish("split/topic", "", 0, 0), brokertest.Puback(1),
	} {
		script = p.AppendTo(script)
	}
	sub := b.DialTCP(addr)
	sub.Connect("sub")
	sub.Subscribe("split/#", 0)
	pub := b.DialTCP(addr)
	pub.Connect("pub")
	pub.Sync()
	for cut := 1; cut < len(script); cut++ {
		before := b.Stats().BytesReceived
		pub.Send(brokertest.Bytes(script[:cut]))
		eventually(t, "the first part was read", func() bool { return b.Stats().BytesReceived == before+uint64(cut) })
		pub.Send(brokertest.Bytes(script[cut:]))
		acks := map[string]int{}
		for range 4 {
			acks[brokertest.Describe(pub.Next().Raw)]++
		}
		if len(acks) != 4 {
			t.Fatalf("cut at %d: answers %v", cut, acks)
		}
		sub.Expect(brokertest.Publish("split/topic", "first", 0, 0), brokertest.Publish("split/topic", "second", 0, 0),
			brokertest.Publish("split/topic", "zero", 0, 0), brokertest.Publish("split/other/topic", string(payload(0, 130)), 0, 0),
			brokertest.Publish("split/topic", "", 0, 0))
		pub.Sync()
	}
}

// Packets around the sizes of every buffer on their way, up to the largest, one by one and together.
func TestTCPLargePackets(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, OutboundBytes: 64 << 20})
	addr := b.Listen()
	for _, dial := range []func() *brokertest.Client{b.Dial, func() *brokertest.Client { return b.DialTCP(addr) }} {
		pub, sub := dial(), dial()
		pub.Connect("pub")
		sub.Connect("sub")
		sub.Subscribe("large/#", 1)
		var sizes []int
		for _, n := range []int{512, 2 << 10, 4 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10} {
			for d := -3; d <= 3; d++ {
				sizes = append(sizes, n-20+d, min(n+d, 256<<10))
			}
		}
		for i, n := range sizes {
			pub.Send(&packet.Publish{Topic: []byte("large/topic"), Payload: payload(uint64(i), n), QoS: 1, ID: uint16(i + 1)})
			pub.Expect(brokertest.Puback(uint16(i + 1)))
			p := sub.NextPublish()
			if got := checkPayload(t, p.Payload); got != uint64(i) || len(p.Payload) != n {
				t.Fatalf("message %d of %d bytes, want %d of %d", got, len(p.Payload), i, n)
			}
			sub.Send(brokertest.Puback(p.ID))
		}
		go func() { // ends when everything is sent
			for i, n := range sizes {
				pub.TrySend(&packet.Publish{Topic: []byte("large/topic"), Payload: payload(uint64(i), n)})
			}
		}()
		for i, n := range sizes {
			p := sub.NextPublish()
			if got := checkPayload(t, p.Payload); got != uint64(i) || len(p.Payload) != n {
				t.Fatalf("message %d of %d bytes, want %d of %d", got, len(p.Payload), i, n)
			}
		}
	}
}

// A refusal reaches a client that has already sent much more: the connection is not reset over it.
func TestTCPRefusalIsNotLost(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Authenticator: authenticate(func(*broker.ConnectRequest) (*broker.Principal, error) {
		return nil, &broker.Refusal{Code: packet.RefusedNotAuthorized, Rule: "no"}
	})})
	addr := b.Listen()
	for range 20 {
		c := b.DialTCP(addr)
		c.TrySend(brokertest.ConnectPacket("c"), brokertest.Bytes(make([]byte, 30_000)))
		c.Expect(&packet.Connack{Code: packet.RefusedNotAuthorized})
		c.ExpectClosed()
	}
}

// A client that closes only its sending side still gets what was on its way.
func TestTCPHalfClose(t *testing.T) {
	b := open(t)
	addr := b.Listen()
	sub := b.DialTCP(addr)
	sub.Connect("sub")
	sub.Subscribe("a", 0)
	c := b.DialTCP(addr)
	c.Connect("c")
	c.Send(brokertest.Publish("a", "x", 0, 0), brokertest.Disconnect)
	c.Conn.(*net.TCPConn).CloseWrite()
	c.ExpectClosed()
	sub.Expect(brokertest.Publish("a", "x", 0, 0))
	c = b.DialTCP(addr)
	c.Connect("c")
	c.Send(brokertest.Publish("a", "y", 0, 0))
	c.Conn.(*net.TCPConn).CloseWrite()
	sub.Expect(brokertest.Publish("a", "y", 0, 0))
	c.ExpectClosed()
}

// A stalled subscriber over a real socket costs its outbound and is cut off; the others notice nothing.
func TestTCPStalledSubscriber(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, OutboundBytes: 50_000, WriteStall: 100 * time.Millisecond})
	addr := narrow(t, b)
	stalled := dialNarrow(t, addr)
	stalled.Connect("stalled", brokertest.Persistent)
	stalled.Subscribe("a/b/c", 1)
	quick := b.DialTCP(addr)
	quick.Connect("quick")
	quick.Subscribe("a/b/c", 0)
	pub := b.DialTCP(addr)
	pub.Connect("pub")
	sent := 0
	for ; b.Stats().Ended["slow-consumer"] == 0; sent++ {
		pub.Publish("a/b/c", string(payload(uint64(sent), 2000)), 1)
		if got := checkPayload(t, quick.NextPublish().Payload); got != uint64(sent) {
			t.Fatalf("message %d, want %d", got, sent)
		}
	}
	e := b.Events.WaitFor(t, broker.Disconnected, "stalled")
	if e.Reason != broker.SlowConsumer || e.Limit != 100 {
		t.Errorf("event %+v", e)
	}
	eventually(t, "nothing waits", func() bool { return b.Stats().OutboundBytes == 0 })
	stalled.Close()
	// Nothing is lost: what was under way comes again.
	again := b.DialTCP(addr)
	again.Connect("stalled", brokertest.Persistent)
	for i := range min(sent, 1000) {
		p := again.NextPublish()
		if got := checkPayload(t, p.Payload); got != uint64(i) {
			t.Fatalf("message %d, want %d", got, i)
		}
		again.TrySend(brokertest.Puback(p.ID))
	}
}

// A socket that was full for a moment is written to directly again, also after the time that a write may take.
func TestTCPAfterAFullSocket(t *testing.T) {
	const stall = 400 * time.Millisecond
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, WriteStall: stall})
	addr := narrow(t, b)
	sub := dialNarrow(t, addr)
	sub.Connect("sub")
	sub.Subscribe("a", 0)
	pub := b.DialTCP(addr)
	pub.Connect("pub")
	received := make(chan struct{})
	go func() { // ends with the large message
		defer close(received)
		sub.NextPublish()
	}()
	pub.Publish("a", string(make([]byte, 200_000)), 0)
	<-received
	eventually(t, "everything is written", func() bool { return b.Stats().OutboundBytes == 0 })
	for end := time.Now().Add(stall + stall/2); time.Now().Before(end); {
		pub.Sync()
	}
	for i := range 10 {
		pub.Publish("a", fmt.Sprint(i), 0)
		sub.Expect(brokertest.Publish("a", fmt.Sprint(i), 0, 0))
	}
	sub.Sync()
}

// Unix sockets are served like TCP.
func TestUnixSocket(t *testing.T) {
	b := open(t)
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(ln) }() // ends with the broker
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c := brokertest.NewClient(t, nc)
	c.Connect("c")
	c.Subscribe("a", 1)
	c.Send(brokertest.Publish("a", "x", 1, 1))
	c.Expect(brokertest.Publish("a", "x", 1, 1), brokertest.Puback(1))
	b.Shutdown(t.Context())
	if _, err := c.Receive(); err != io.EOF {
		t.Errorf("after Shutdown: %v", err)
	}
	if err := <-served; err != broker.ErrClosed {
		t.Errorf("Serve: %v", err)
	}
}

// MQTT-3.1.2-24: a client that pings in time is not silent because the broker, which waits for the store, does not read
// what it sends.
func TestTCPKeepAliveWhileTheReaderWaitsForTheStore(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	defer store.Release()
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	sub.Disconnect()
	pub := b.DialTCP(b.Listen())
	pub.Connect("pub", brokertest.KeepAlive(10))
	store.Hold()
	const answers = 128 // more may not wait
	for i := range answers {
		pub.Send(brokertest.Publish("a", "", 1, uint16(i+1)))
		eventually(t, "it was read", func() bool { return b.Stats().Received[1] == uint64(i+1) })
	}
	eventually(t, "it is held up", func() bool { i, _ := b.Client("pub"); return i.HeldUp })
	for range 2 {
		b.Clock.Advance(9 * time.Second)
		pub.TrySend(brokertest.Pingreq)
	}
	store.Release()
	for range answers + 2 {
		pub.Next()
	}
	b.Clock.Advance(14 * time.Second)
	pub.Sync()
	b.Clock.Advance(15 * time.Second)
	pub.ExpectClosed()
}

// MQTT-3.1.2-24: nor because the broker waits for the client to take what it has for it, which is another rule's affair.
func TestTCPKeepAliveWhileTheReaderWaitsForTheClient(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, OutboundBytes: 50_000})
	c := dialNarrow(t, narrow(t, b))
	c.Connect("c", brokertest.KeepAlive(10))
	c.Subscribe("a", 0)
	pub := b.Connect("pub", brokertest.KeepAlive(0))
	for b.Stats().Dropped["outbound-full"] < 2000 { // until nothing of it is on its way into the socket any more
		pub.Publish("a", strings.Repeat("x", 100), 0)
	}
	for range 200 {
		c.TrySend(brokertest.Pingreq) // each answer has to wait
	}
	eventually(t, "it is held up", func() bool { i, _ := b.Client("c"); return i.HeldUp })
	for range 2 {
		b.Clock.Advance(9 * time.Second)
	}
	for pongs := 0; pongs < 200; {
		if c.Next().Type() == packet.TypePingresp {
			pongs++
		}
	}
	c.Sync()
}
