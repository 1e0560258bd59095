package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"

	"sampan/broker"
	"sampan/packet"
	"sampan/session/logstore"
	"sampan/session/wal"
)

// A broker that keeps what it has acknowledged. Publish with QoS 1 returns when the message is on disk for
// every persistent session that waits for it; what a power cut leaves is there when the store is opened
// again. Level wal.OS does the same for the death of the process, without waiting for the disk.
func Example_durable() {
	dir, err := os.MkdirTemp("", "sampan-example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	start := func() (*broker.Broker, error) {
		// The directory is locked for this process. Open cuts off a tail that a power cut has torn, and
		// fails if anything else is wrong with the log.
		store, err := logstore.Open(dir, logstore.Options{Level: wal.Disk, SegmentBytes: 1 << 20})
		if err != nil {
			return nil, err
		}
		found := store.Report()
		fmt.Printf("recovered %d sessions, %d messages\n", found.Sessions, found.Messages)
		b, err := broker.New(broker.Options{Profile: broker.Open, Store: store, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			store.Close() // the broker owns it from New on, unless New fails
		}
		return b, err
	}

	b, err := start()
	if err != nil {
		fmt.Println(err)
		return
	}
	// go b.Serve(listener) would let devices in. This one has come and gone, and left a session.
	device := dialDevice(b, "boiler", "commands/boiler")
	device.Close()
	receivers, err := b.Publish(ctx, "commands/boiler", []byte("warmer"), 1)
	fmt.Println("published to", receivers, err)
	if err := b.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}

	if b, err = start(); err != nil {
		fmt.Println(err)
		return
	}
	defer b.Shutdown(ctx)
	info, known := b.Client("boiler")
	fmt.Println("the device is known:", known, "with", info.QueuedCount+info.InFlight, "message for it")

	// Output:
	// recovered 0 sessions, 0 messages
	// published to 1 <nil>
	// recovered 1 sessions, 1 messages
	// the device is known: true with 1 message for it
}

// dialDevice connects a client with a persistent session (CleanSession 0) and one subscription at QoS 1.
func dialDevice(b *broker.Broker, clientID, filter string) net.Conn {
	conn, err := b.Dial()
	if err != nil {
		panic(err)
	}
	connect := packet.Connect{Level: packet.Level311, ClientID: []byte(clientID)}
	subscribe := packet.Subscribe{ID: 1}
	subscribe.Add([]byte(filter), 1)
	answers := packet.NewReader(conn, nil)
	for _, request := range [][]byte{connect.AppendTo(nil), subscribe.AppendTo(nil)} {
		if _, err := conn.Write(request); err != nil {
			panic(err)
		}
		if _, err := answers.Next(); err != nil { // CONNACK, then SUBACK: both say that it holds on disk
			panic(err)
		}
	}
	return conn
}
