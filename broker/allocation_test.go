package broker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// From a PUBLISH that comes in to its copies that go out, over sockets, nothing is allocated for a message or
// for a delivery: at QoS 0, and at QoS 1 to sessions that end with their connections.
func TestDeliveryDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for qos := range byte(2) {
		for _, subscribers := range []int{1, 10} {
			t.Run(fmt.Sprintf("QoS %d to %d", qos, subscribers), func(t *testing.T) {
				const run = 50 // messages in one write
				b := open(t)
				addr := b.Listen()
				pub := b.DialTCP(addr)
				pub.Connect("pub")
				var read []func()
				for i := range subscribers {
					c := b.DialTCP(addr)
					c.Connect(fmt.Sprint("sub", i))
					c.Subscribe("allocation/topic", qos)
					one := packet.Publish{Topic: []byte("allocation/topic"), Payload: make([]byte, 64), QoS: qos, ID: uint16(qos)}
					buf := make([]byte, run*one.Size())
					acks := make([]byte, 0, 4*run)
					next := uint16(0)
					read = append(read, func() {
						if _, err := io.ReadFull(c.Conn, buf); err != nil {
							t.Fatal(err)
						}
						if qos == 0 {
							return
						}
						acks = acks[:0]
						for range run {
							if next++; next == 0 {
								next = 1
							}
							acks = packet.AppendPuback(acks, next)
						}
						c.Conn.Write(acks)
					})
				}
				var script []byte
				for i := range run {
					p := packet.Publish{Topic: []byte("allocation/topic"), Payload: make([]byte, 64), QoS: qos, ID: uint16(qos) * uint16(i+1)}
					script = p.AppendTo(script)
				}
				answers := make([]byte, 4*run*int(qos))
				step := func() {
					if _, err := pub.Conn.Write(script); err != nil {
						t.Fatal(err)
					}
					for _, r := range read {
						r()
					}
					if _, err := io.ReadFull(pub.Conn, answers); err != nil {
						t.Fatal(err)
					}
				}
				for range 200 {
					step()
				}
				allocations := testing.AllocsPerRun(200, step)
				// A pool that the collector has emptied is filled again now and then: that is all there may be.
				if perDelivery := allocations / float64(run*subscribers); perDelivery > 0.01 {
					t.Errorf("%.3f allocations for each delivered message", perDelivery)
				}
			})
		}
	}
}

// An idle connection holds no buffer: what it costs is bounded, also after it was busy.
func TestIdleConnectionsAreSmall(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector counts, too")
	}
	const n, most = 1000, 8 << 10
	b, err := broker.New(broker.Options{Profile: broker.Open, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go b.Serve(ln) // ends with the broker
	defer b.Shutdown(context.Background())
	addr := ln.Addr().String()
	before := heap()
	var conns []net.Conn
	hello := brokertest.ConnectPacket("").AppendTo(nil)
	busy := brokertest.Publish("a", string(make([]byte, 10_000)), 1, 1).AppendTo(nil)
	answer := make([]byte, 8)
	for range n {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.Write(hello)
		nc.Write(busy)
		if _, err := io.ReadFull(nc, answer); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, nc)
	}
	// Both ends are counted.
	if per := (heap() - before) / n; per > most {
		t.Errorf("%d bytes for each idle connection", per)
	} else {
		t.Logf("%d bytes for each idle connection, the client's end included", per)
	}
	runtime.KeepAlive(conns)
}

// heap is the memory in use for objects and stacks, in bytes.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
