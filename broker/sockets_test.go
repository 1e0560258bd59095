//go:build linux

package broker_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"sampan/broker/brokertest"
)

// notOverSockets are the tests that are about connections within the process: their address, that they hold
// nothing while nobody reads, or time that stands still meanwhile.
var notOverSockets = []string{
	"TestOverSockets",
	// The address is that of a pipe.
	"TestConnectRequest", "TestClientInfo", "TestLogLines", "TestEvents",
	// What is sent is received: nothing is on its way.
	"TestSlowConsumerQoS0", "TestSlowConsumerQoS1", "TestOutboundTotalBytes", "TestPublisherThatDoesNotRead",
	"TestReaderWaitsForTheStore", "TestTakeoverKeepsThePublishersOrder",
	// They change a quota behind an answer, which a socket takes before the quota is asked.
	"TestReadQuota", "TestReadQuotaOfAClientThatIsGone",
	// It makes its own connections, within the process.
	"TestFloodDoesNotFloodTheLog",
	// It looks at what the broker's goroutine has written, which the race detector does not see pass a socket.
	"TestInterceptor",
	// testing/synctest.
	"TestBandwidthTowardsAClient", "TestConnectionsThatBlockInClose", "TestShutdown", "TestShutdownClosesTheStore",
	"TestShutdownDuringAuthentication", "TestShutdownWithAStuckHandler", "TestShutdownWithStuckClients",
	"TestShutdownWithoutADeadline", "TestUnacknowledgedMessagesAreBounded", "TestWriteStall",
}

// Everything that holds for connections with a goroutine of their own holds for those that the poller watches:
// this package's tests once more, over TCP.
func TestOverSockets(t *testing.T) {
	if os.Getenv("SAMPAN_TEST_SOCKETS") != "" {
		t.Skip("this is that run")
	}
	args := []string{"-test.short", "-test.skip=^(" + strings.Join(notOverSockets, "|") + ")$"}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SAMPAN_TEST_SOCKETS=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A client that has to wait for the store, or that takes nothing, holds up nobody else, although one goroutine
// serves many.
func TestPollerGoesOnWhileClientsWait(t *testing.T) {
	store := brokertest.NewStore()
	b := with(t, store)
	addr := b.Listen()
	sub := b.DialTCP(addr)
	sub.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	pub := b.DialTCP(addr)
	pub.Connect("pub")
	others := make([]*brokertest.Client, 8) // connections are given to the loops in turn
	for i := range others {
		others[i] = b.DialTCP(addr)
		others[i].Connect("other" + string(rune('0'+i)))
	}
	store.Hold()
	const most = 128
	for i := range most {
		pub.Send(brokertest.Publish("a", "", 1, uint16(i+1)))
		eventually(t, "it waits for the store", func() bool { return store.Waiting() == i+1 })
	}
	// From here on nothing of it is read.
	before := b.Stats().Received[1]
	pub.Send(brokertest.Publish("a", "", 1, most+1))
	late := b.DialTCP(addr) // its CONNECT waits, too
	late.Send(brokertest.ConnectPacket("late", brokertest.Persistent))
	for range 20 {
		for _, c := range others {
			c.Sync()
		}
	}
	if n := b.Stats().Received[1]; n != before {
		t.Errorf("%d messages received while %d answers wait", n, most)
	}
	store.Release()
	for i := range most + 1 {
		pub.Expect(brokertest.Puback(uint16(i + 1)))
	}
	late.Next()
	late.Sync()
	// A connection that ends while it is held up ends.
	store.Hold()
	waiting := store.Waiting()
	for i := range most {
		pub.Send(brokertest.Publish("a", "", 1, uint16(i+1)))
		eventually(t, "it waits for the store", func() bool { return store.Waiting() == waiting+i+1 })
	}
	b.Broker.Disconnect("pub", "test")
	connections(t, b, int64(len(others)+2))
	store.Release()
}
