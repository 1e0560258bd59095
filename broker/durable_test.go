package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// These tests are about a broker on the log: what a client and an operator see when the disk fails.

// onDisk starts a broker of the Open profile on a simulated disk.
func onDisk(t *testing.T, d *simdisk.Disk) *brokertest.Broker {
	t.Helper()
	store, err := logstore.Open("", logstore.Options{FS: d.FS(), SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return brokertest.Start(t, broker.Options{Profile: broker.Open, Store: store})
}

// away makes a persistent session that waits for everything below a/, without a connection.
func away(b *brokertest.Broker) {
	c := b.Connect("away", brokertest.Persistent)
	c.Subscribe("a/#", 1)
	c.Disconnect()
}

// receiveAll connects the session again and compares what it gets with the payloads that it should get. What
// was published without being acknowledged may come too, at the end.
func receiveAll(t *testing.T, b *brokertest.Broker, want []string, mayFollow int) {
	t.Helper()
	c := b.Dial()
	if !c.Connect("away", brokertest.Persistent) {
		t.Fatal("the session is gone")
	}
	got := c.Drain()
	if len(got) < len(want) || len(got) > len(want)+mayFollow {
		t.Fatalf("%d messages came back, want %d, and at most %d more", len(got), len(want), mayFollow)
	}
	for i, payload := range want {
		if string(got[i].Payload) != payload {
			t.Fatalf("message %d is %q, want %q", i, got[i].Payload, payload)
		}
	}
}

// A disk that is full, read-only, or does not sync: from then on nothing is acknowledged that needs it, also
// when the disk is well again, since what the failed call did is not known. Clients that need no disk go on.
// What was acknowledged before is there after a restart.
func TestDiskFails(t *testing.T) {
	fails := func(op simdisk.Op, err error) func(simdisk.Op, string) error {
		return func(at simdisk.Op, _ string) error {
			if at == op {
				return err
			}
			return nil
		}
	}
	cases := []struct {
		name  string
		fault func(simdisk.Op, string) error
		says  error
	}{
		{"full", fails(simdisk.Write, syscall.ENOSPC), wal.ErrFull},
		{"read-only", fails(simdisk.Write, syscall.EROFS), wal.ErrReadOnly},
		{"write error", fails(simdisk.Write, syscall.EIO), wal.ErrIO},
		{"fsync error", fails(simdisk.Sync, syscall.EIO), wal.ErrIO},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := simdisk.New()
			b := onDisk(t, d)
			away(b)
			clean := b.Connect("clean")
			clean.Subscribe("b", 1)
			pub := b.Connect("pub")
			var acknowledged []string
			for i := range 20 {
				payload := fmt.Sprint("message ", i)
				pub.Publish("a/x", payload, 1)
				acknowledged = append(acknowledged, payload)
			}

			d.Fault(c.fault)
			pub.Send(brokertest.Publish("a/x", "not acknowledged", 1, 1000))
			pub.ExpectClosed()
			e := b.Events.WaitFor(t, broker.Disconnected, "pub")
			if e.Reason != broker.StoreFailed || !strings.Contains(e.Detail, c.says.Error()) {
				t.Errorf("the client was told goodbye with %+v, want %q in it", e, c.says)
			}
			if lines := b.Log.Lines("level=ERROR", "the session store has failed", c.says.Error()); len(lines) != 1 {
				t.Errorf("%d lines for the operator in\n%s", len(lines), b.Log)
			}

			d.Fault(nil) // well again: too late
			pub = b.Connect("pub")
			pub.Send(brokertest.Publish("a/x", "not acknowledged either", 1, 1001))
			pub.ExpectClosed()
			for _, name := range []string{"away", "somebody new"} {
				late := b.Dial()
				late.Send(brokertest.ConnectPacket(name, brokertest.Persistent))
				late.Expect(&packet.Connack{Code: packet.RefusedUnavailable})
				late.ExpectClosed()
				e := b.Events.Wait(t, "refused "+name, func(e broker.Event) bool { return e.Kind == broker.Refused && e.ClientID == name })
				if e.Rule != "store" || e.Reason != broker.ConnectRefused {
					t.Errorf("%s was refused with %+v", name, e)
				}
			}
			// Who needs no disk goes on, at QoS 1 too.
			pub = b.Connect("pub")
			pub.Publish("b", "still here", 1)
			clean.Expect(brokertest.Publish("b", "still here", 1, 1))

			if err := b.Shutdown(t.Context()); !errors.Is(err, c.says) {
				t.Errorf("Shutdown: %v", err)
			}
			receiveAll(t, onDisk(t, d), acknowledged, 1)
		})
	}
}

// A store that cannot be opened says why, and changes nothing.
func TestStoreDoesNotOpen(t *testing.T) {
	d := simdisk.New()
	b := onDisk(t, d)
	away(b)
	pub := b.Connect("pub")
	pub.Publish("a/x", "kept", 1)
	pub.Publish("a/x", "last", 1) // proves that what is before it was synced: its damage is no torn tail

	open := func() error {
		store, err := logstore.Open("", logstore.Options{FS: d.FS(), SegmentBytes: 1 << 20})
		if err == nil {
			store.Close()
		}
		return err
	}
	if err := open(); !errors.Is(err, wal.ErrLocked) {
		t.Errorf("a second broker on the directory: %v", err)
	}
	d.Kill()
	b.Shutdown(t.Context()) // fails like any process that lives on without its disk
	d.Fault(func(simdisk.Op, string) error { return syscall.EROFS })
	if err := open(); !errors.Is(err, wal.ErrReadOnly) {
		t.Errorf("a directory that cannot be written: %v", err)
	}
	d.Fault(nil)
	for name, data := range d.Files() {
		if at := strings.Index(string(data), "kept"); at >= 0 {
			data[at] ^= 1
			d.Put(name, data)
		}
	}
	var damage *wal.Corrupt
	if err := open(); !errors.As(err, &damage) || damage.File == "" {
		t.Errorf("a bit that has flipped: %v", err)
	}
	for name, data := range d.Files() {
		if at := strings.Index(string(data), "jept"); at >= 0 {
			data[at] ^= 1
			d.Put(name, data)
		}
	}
	receiveAll(t, onDisk(t, d), []string{"kept", "last"}, 0)
}
