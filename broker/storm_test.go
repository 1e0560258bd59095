package broker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// Everything at once, on sockets and pipes: connects, takeovers, publications, subscriptions, acknowledgements
// or none, bytes that make no sense, kills, discards and finally Shutdown in the middle of it. It is for the
// race detector, and for what must be true in the end: nobody is left, nothing is held, every goroutine has
// gone.
func TestStorm(t *testing.T) {
	for _, store := range []string{"memory", "slow", "failing"} {
		t.Run(store, func(t *testing.T) { storm(t, store) })
	}
}

func storm(t *testing.T, kind string) {
	before := runtime.NumGoroutine()
	opts := broker.Options{
		Profile: broker.Open, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		OutboundBytes: 20_000, OutboundTotalBytes: 200_000, Window: 5, QueueMessages: 50, MaxSessions: 40, MaxConnections: 60,
		WriteStall: 200 * time.Millisecond, HandlerQueue: 10, SessionExpiry: 50 * time.Millisecond, MessageExpiry: 30 * time.Millisecond,
	}
	var held *brokertest.Store
	if kind != "memory" {
		held = brokertest.NewStore()
		opts.Store = held
	}
	b, err := broker.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(ln) }() // ends with the broker

	const workers = 12
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for {
				select {
				case <-stop:
					return
				default:
				}
				var nc net.Conn
				var err error
				if r.IntN(2) == 0 {
					nc, err = net.Dial("tcp", ln.Addr().String())
				} else {
					nc, err = b.Dial()
				}
				if err != nil {
					return // the broker is closed
				}
				rampage(nc, r)
				nc.Close()
			}
		})
	}
	wg.Go(func() {
		r := rand.New(rand.NewPCG(99, 7))
		for {
			select {
			case <-stop:
				return
			default:
			}
			key := fmt.Sprint("c", r.IntN(8))
			over, cancel := context.WithCancel(context.Background())
			cancel()
			switch r.IntN(10) {
			case 0:
				b.Disconnect(key, "storm")
			case 1:
				b.Discard(key, "storm")
			case 2:
				b.Deliver(over, key, "a/b", make([]byte, r.IntN(5000)), byte(r.IntN(2)))
			case 3:
				b.Reauthorize(key)
			case 4:
				b.AddSubscription(key, "a/#", 1)
			case 5:
				b.Clients(func(broker.ClientInfo) bool { return true })
				b.Stats()
			case 6:
				if s, err := b.Subscribe("a/+", func(broker.Message) { runtime.Gosched() }); err == nil {
					defer s.Close()
				}
			case 7:
				if held != nil && kind == "slow" {
					held.Hold()
					b.Publish(over, "a/b", nil, 1)
					held.Release()
				}
			default:
				b.Publish(over, "a/b", make([]byte, r.IntN(500)), byte(r.IntN(2)))
			}
			runtime.Gosched()
		}
	})
	length := 1500 * time.Millisecond
	if testing.Short() {
		length = 500 * time.Millisecond
	}
	if kind == "failing" {
		<-time.After(length / 2)
		held.Fail(io.ErrShortWrite)
		length /= 2
	}
	<-time.After(length)
	if kind != "failing" {
		// A busy machine takes longer to make a storm.
		eventually(t, "a storm", func() bool {
			s := b.Stats()
			return s.Ended["taken-over"] > 0 && s.Ended["kicked"] > 0 && s.Ended["protocol-violation"] > 0 && s.Redelivered > 0
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
	defer cancel()
	for range 3 {
		wg.Go(func() {
			if err := b.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
	}
	if err := b.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	close(stop)
	wg.Wait()
	if err := <-served; err != broker.ErrClosed {
		t.Errorf("Serve: %v", err)
	}
	s := b.Stats()
	if s.Connections != 0 || s.Connected != 0 || s.OutboundBytes != 0 || s.Deadlines != 0 {
		t.Errorf("left behind: %+v", s)
	}
	var sum uint64
	for _, n := range s.Ended {
		sum += n
	}
	if sum != s.Accepted+s.Ended["too-many-connections"] {
		t.Errorf("%d connections were accepted and %d shed, %d ended: %v", s.Accepted, s.Ended["too-many-connections"], sum, s.Ended)
	}
	eventually(t, "every goroutine has gone", func() bool { return runtime.NumGoroutine() <= before })
	if buf := make([]byte, 1<<20); strings.Contains(string(buf[:runtime.Stack(buf, true)]), "sampan/broker.(*") {
		t.Errorf("goroutines of the broker are left:\n%s", buf)
	}
}

// rampage is the short life of one client.
func rampage(nc net.Conn, r *rand.Rand) {
	nc.SetDeadline(time.Now().Add(time.Second))
	p := brokertest.ConnectPacket(fmt.Sprint("c", r.IntN(8)), func(p *packet.Connect) {
		p.CleanSession = r.IntN(2) == 0
		p.Level = byte(3 + r.IntN(2))
	})
	script := p.AppendTo(nil)
	if r.IntN(20) == 0 {
		script = script[:r.IntN(len(script))]
	}
	for range r.IntN(20) {
		topic := []string{"a/b", "a/c", "a", "x/y/z"}[r.IntN(4)]
		switch r.IntN(8) {
		case 0:
			script = brokertest.SubscribePacket(1, byte(r.IntN(2)), "a/#", topic).AppendTo(script)
		case 1:
			u := packet.Unsubscribe{ID: 1}
			u.Add([]byte(topic))
			script = u.AppendTo(script)
		case 2:
			script = brokertest.Puback(uint16(r.IntN(8))).AppendTo(script)
		case 3:
			script = brokertest.Pingreq.AppendTo(script)
		case 4:
			script = append(script, byte(r.IntN(256)))
		default:
			qos := byte(r.IntN(2))
			m := packet.Publish{Topic: []byte(topic), Payload: make([]byte, r.IntN(3000)), QoS: qos, ID: uint16(qos)}
			script = m.AppendTo(script)
		}
	}
	if r.IntN(3) == 0 {
		script = brokertest.Disconnect.AppendTo(script)
	}
	reads := r.IntN(8)
	sent := make(chan struct{})
	go func() { // ends when it is read, or with the connection
		defer close(sent)
		for len(script) > 0 {
			n, err := nc.Write(script[:min(len(script), 1+r.IntN(2000))])
			if err != nil {
				return
			}
			script = script[n:]
		}
	}()
	buf := make([]byte, 4096)
	for range reads {
		if _, err := nc.Read(buf); err != nil {
			break
		}
	}
	nc.Close()
	<-sent
}
