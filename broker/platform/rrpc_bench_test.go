package platform_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
	"sampan/broker/platform"
	"sampan/broker/quota"
	"sampan/packet"
)

// BenchmarkRRPC measures calls of devices that are connected over TCP loopback, as many at a time as there are
// devices, all of it in one process. An operation is one round trip: from RRPC to the device's answer. What the
// HTTP API adds is in `sampan bench rrpc-100`.
func BenchmarkRRPC(b *testing.B) {
	for _, devices := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(devices), func(b *testing.B) { roundTrips(b, devices) })
	}
}

func roundTrips(b *testing.B, devices int) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	registry := device.New(device.Options{})
	if _, err := registry.CreateProduct(device.ProductSpec{Key: productKey, Name: "bench"}); err != nil {
		b.Fatal(err)
	}
	unlimited := quota.Platform()
	for i := range unlimited.Rates {
		unlimited.Rates[i] = quota.Rate{}
	}
	p := platform.New(platform.Options{Registry: registry, Quantities: unlimited, Logger: log})
	br, err := p.Broker(broker.Options{Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go br.Serve(ln) // ends with the broker
	defer p.Close()
	defer br.Shutdown(context.Background())
	names := make([]string, devices)
	for i := range names {
		names[i] = fmt.Sprint("device", i)
		if _, err := registry.CreateDevice(productKey, device.DeviceSpec{Name: names[i], Secret: deviceSecret}); err != nil {
			b.Fatal(err)
		}
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		c := brokertest.NewClient(b, conn)
		if ack := c.TryConnect(login(productKey, names[i], deviceSecret, "")); ack.Code != packet.Accepted {
			b.Fatalf("CONNECT was answered with %q", ack.Code)
		}
		c.Subscribe(fmt.Sprintf("/sys/%s/%s/rrpc/request/+", productKey, names[i]), 0)
		conn.SetDeadline(time.Time{})
		go echo(conn) // ends with the connection
	}
	took := make([]time.Duration, b.N)
	var begun atomic.Int64
	var calling sync.WaitGroup
	request := make([]byte, 64)
	b.ReportAllocs()
	b.ResetTimer()
	for _, name := range names {
		calling.Go(func() {
			for {
				n := begun.Add(1) - 1
				if n >= int64(b.N) {
					return
				}
				start := time.Now()
				if answer, err := p.RRPC(context.Background(), productKey, name, request, "", 0); err != nil || !bytes.Equal(answer.Payload, request) {
					b.Errorf("%s answered %q, %v", name, answer.Payload, err)
					return
				}
				took[n] = time.Since(start)
			}
		})
	}
	calling.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-µs")
}

// echo is a device that answers every request with itself.
func echo(conn net.Conn) {
	var have, out []byte
	buf := make([]byte, 4<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		have, out = append(have, buf[:n]...), out[:0]
		for {
			f, used, _, err := packet.Next(have, nil)
			if err != nil {
				return
			}
			if used == 0 {
				break
			}
			var p packet.Publish
			if f.Type() == packet.TypePublish && p.Decode(f, nil) == nil {
				answer := packet.Publish{Topic: bytes.Replace(p.Topic, []byte("/request/"), []byte("/response/"), 1), Payload: p.Payload}
				out = answer.AppendTo(out)
			}
			have = have[used:]
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}
