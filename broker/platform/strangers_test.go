package platform_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
	"sampan/broker/platform"
	"sampan/packet"
)

// A million client identifiers that nobody knows leave nothing behind: no session, no device, no memory. With
// -short, and with the race detector, there are fewer of them.
func TestAMillionStrangersLeaveNothingBehind(t *testing.T) {
	strangers := int64(1_000_000)
	if testing.Short() || raceDetector {
		strangers = 10_000
	}
	quiet := slog.New(slog.DiscardHandler)
	registry := device.New(device.Options{})
	if _, err := registry.CreateProduct(device.ProductSpec{Key: productKey, Name: "vectors"}); err != nil {
		t.Fatal(err)
	}
	p := platform.New(platform.Options{Registry: registry, Logger: quiet})
	defer p.Close()
	b, err := p.Broker(broker.Options{ConnectionRatePerAddress: broker.Unlimited, MaxConnectionsPerAddress: broker.Unlimited, ConnectionRate: broker.Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		if err := b.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}()
	var next atomic.Int64
	come := func(upTo int64) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					n := next.Add(1)
					if n > upTo {
						return
					}
					if err := comeAsStranger(b, n); err != nil {
						t.Errorf("stranger %d: %v", n, err)
						return
					}
				}
			})
		}
		all.Wait()
		next.Store(upTo)
	}
	come(1000) // what everybody needs is there from now on
	before := heap()
	come(strangers)
	eventually(t, "the last has gone", func() bool { return b.Stats().Connections == 0 })
	const room = 4 << 20
	after := heap()
	t.Logf("%d strangers: %d KiB on the heap before, %d KiB after", strangers, before>>10, after>>10)
	if after > before+room {
		t.Errorf("the heap has grown by %d KiB", (after-before)>>10)
	}
	s := b.Stats()
	if s.Sessions != 0 || s.Clients != 0 || registry.Stats().Devices != 0 || s.Ended["connect-refused"] != uint64(strangers) {
		t.Errorf("%d sessions, %d clients, %d devices; %v", s.Sessions, s.Clients, registry.Stats().Devices, s.Ended)
	}
}

// undated is a pipe without deadlines for what is written. A pipe that is closed keeps the timer of its last one,
// and each timer that expires is a goroutine: thousands at once leave more behind than is looked for here.
type undated struct{ net.Conn }

func (undated) SetWriteDeadline(time.Time) error { return nil }

// comeAsStranger connects as somebody whom nobody knows, and wants to be refused.
func comeAsStranger(b *broker.Broker, n int64) error {
	near, far := net.Pipe()
	defer near.Close()
	if err := b.ServeConn(undated{far}); err != nil {
		return err
	}
	name, want := fmt.Sprint("stranger", n), packet.RefusedCredentials
	connect := login(productKey, name, "secret", "")
	switch n % 3 {
	case 1:
		connect = login(fmt.Sprint("product", n), name, "secret", "")
	case 2:
		connect.ClientID, want = []byte(name), packet.RefusedIdentifier
	}
	if _, err := near.Write(connect.AppendTo(nil)); err != nil {
		return err
	}
	var answer [4]byte
	if _, err := io.ReadFull(near, answer[:]); err != nil {
		return err
	}
	if got := packet.ReturnCode(answer[3]); got != want {
		return fmt.Errorf("answered with %v, want %v", got, want)
	}
	return nil
}

// heap is the memory that is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
