package broker_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// from is a connection that says it comes from elsewhere.
type from struct {
	net.Conn
	remote net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.remote }

// dialFrom connects as from a host on the network.
func dialFrom(t *testing.T, b *brokertest.Broker, addr string) *brokertest.Client {
	t.Helper()
	ours, theirs := net.Pipe()
	if err := b.ServeConn(from{ours, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))}); err != nil {
		t.Fatal(err)
	}
	return brokertest.NewClient(t, theirs)
}

// An address, or a network of IPv6, has so many connections at one time and no more; the others are closed
// with a reason, those of other addresses and of exempt networks are not.
func TestConnectionsPerAddress(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MaxConnectionsPerAddress: 2,
		Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	first := dialFrom(t, b, "192.0.2.1:1")
	first.Connect("first")
	dialFrom(t, b, "192.0.2.1:2") // counts from the start
	dialFrom(t, b, "192.0.2.1:3").ExpectClosed()
	dialFrom(t, b, "192.0.2.2:3").Connect("elsewhere")
	dialFrom(t, b, "[2001:db8::1]:1").Connect("v6-1")
	dialFrom(t, b, "[2001:db8::2]:1").Connect("v6-2")
	dialFrom(t, b, "[2001:db8::3]:1").ExpectClosed()
	dialFrom(t, b, "[2001:db8:0:1::3]:1").Connect("v6-3")
	for i := range 5 {
		dialFrom(t, b, "10.1.1.1:1").Connect(fmt.Sprint("proxy", i))
		dialFrom(t, b, "127.0.0.1:1").Connect(fmt.Sprint("local", i))
	}
	shed := b.Events.Of(broker.ConnectionShed)
	if len(shed) != 2 || shed[0].Reason != broker.AddressLimit || shed[0].Rule != "max-connections-per-address" || shed[0].Limit != 2 || shed[0].Value != 3 || shed[0].Addr != "192.0.2.1:3" {
		t.Errorf("events %+v", shed)
	}
	if n := len(b.Log.Lines("connection shed", "reason=address-limit", "rule=max-connections-per-address", "limit=2")); n != 2 {
		t.Errorf("%d log lines", n)
	}
	if s := b.Stats(); s.Ended["address-limit"] != 2 || s.Bounds.AddressConnections != 2 || s.Addresses != 4 {
		t.Errorf("stats %+v", s)
	}
	first.Disconnect()
	eventually(t, "there is room", func() bool { return b.Stats().Ended["client-disconnected"] == 1 && b.Stats().Connections == 15 })
	dialFrom(t, b, "192.0.2.1:4").Connect("next")
}

// So many new connections in a second, five times as many at once.
func TestConnectionRatePerAddress(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, ConnectionRatePerAddress: 2})
	connect := func() *brokertest.Client {
		c := dialFrom(t, b, "192.0.2.1:1")
		c.Connect("c")
		return c
	}
	for range 10 {
		connect()
	}
	dialFrom(t, b, "192.0.2.1:3").ExpectClosed()
	b.Clock.Advance(time.Second)
	connect()
	connect()
	dialFrom(t, b, "192.0.2.1:3").ExpectClosed()
	if s := b.Stats(); s.Ended["address-limit"] != 2 || s.Bounds.AddressRate != 2 {
		t.Errorf("stats %+v", s)
	}
	if n := len(b.Log.Lines("connection shed", "rule=connection-rate-per-address", "limit=2")); n != 2 {
		t.Errorf("%d log lines", n)
	}
}

// A flood of strangers has some lines in the log and all of itself in the statistics; the line after the
// flood says how many had none.
func TestFloodDoesNotFloodTheLog(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MaxConnectionsPerAddress: 1})
	dialFrom(t, b, "192.0.2.1:1").Connect("first") // one that said nothing would lose its place in the minute below
	const flood = 1000
	for range flood {
		dialFrom(t, b, "192.0.2.1:2").ExpectClosed()
	}
	if n := len(b.Log.Lines("connection shed")); n != 100 {
		t.Errorf("%d lines for %d connections", n, flood)
	}
	b.Clock.Advance(time.Minute)
	dialFrom(t, b, "192.0.2.1:2").ExpectClosed()
	if n := len(b.Log.Lines("connection shed", fmt.Sprint("missed=", flood-100))); n != 1 {
		t.Errorf("nothing says how many lines there would have been: %v", b.Log.Lines("connection shed")[100:])
	}
	if n := b.Stats().Ended["address-limit"]; n != flood+1 {
		t.Errorf("%d counted", n)
	}
}

// Clients that say nothing keep their places while nobody wants them. Then the oldest go, not before a quarter
// of the time they have, and whoever waits comes in.
func TestSilentClientsDoNotKeepOthersOut(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MaxPending: 2, ConnectTimeout: 8 * time.Second})
	addr := b.Listen()
	one := b.DialTCP(addr)
	eventually(t, "the first is there", func() bool { return b.Stats().Pending == 1 })
	b.Clock.Advance(time.Second)
	two := b.DialTCP(addr)
	eventually(t, "the second is there", func() bool { return b.Stats().Pending == 2 })
	three := b.DialTCP(addr)
	eventually(t, "the third waits", func() bool { return b.Stats().Delayed == 1 })
	if s := b.Stats(); s.Connections != 2 || s.Ended["displaced"] != 0 || s.Bounds.Pending != 2 {
		t.Errorf("stats %+v", s)
	}
	eventually(t, "there is a timer", func() bool { return b.Clock.Timers() > 1 })
	b.Clock.Advance(time.Second)
	one.ExpectClosed()
	three.Connect("three")
	two.Connect("two") // still welcome
	e := b.Events.WaitFor(t, broker.Refused, "")
	if e.Reason != broker.Displaced || e.Rule != "max-pending" || e.Limit != 2 {
		t.Errorf("event %+v", e)
	}
	if n := len(b.Log.Lines("connections wait to be accepted", "rule=max-pending", "limit=2")); n != 1 {
		t.Errorf("%d log lines", n)
	}
	if n := b.Stats().Pending; n != 0 {
		t.Errorf("%d are pending", n)
	}
}

// A client that has sent its CONNECT waits for the broker, and is not displaced however long that takes.
func TestAuthenticationIsNotDisplaced(t *testing.T) {
	var slow atomic.Bool
	slow.Store(true)
	release := make(chan struct{})
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MaxPending: 1, ConnectTimeout: time.Minute,
		Authenticator: broker.AuthenticatorFunc(func(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
			if slow.Swap(false) {
				<-release
			}
			return &broker.Principal{Key: r.ClientID}, nil
		})})
	addr := b.Listen()
	one := b.DialTCP(addr)
	one.Send(brokertest.ConnectPacket("one"))
	eventually(t, "it is being authenticated", func() bool { return !slow.Load() })
	two := b.DialTCP(addr)
	eventually(t, "the second waits", func() bool { return b.Stats().Delayed == 1 })
	b.Clock.Advance(50 * time.Second)
	close(release)
	one.Expect(&packet.Connack{})
	two.Connect("two")
	if n := b.Stats().Ended["displaced"]; n != 0 {
		t.Errorf("%d were displaced", n)
	}
}

// The pace of all connections together: what comes faster waits and is served later, nobody is refused.
func TestConnectionRate(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, ConnectionRate: 2})
	addr := b.Listen()
	var clients []*brokertest.Client
	for range 5 {
		clients = append(clients, b.DialTCP(addr))
	}
	eventually(t, "two are in, one waits", func() bool { return b.Stats().Accepted == 2 && b.Stats().Delayed == 1 })
	for n := range uint64(3) {
		eventually(t, "there is a timer", func() bool { return b.Stats().Delayed == n+1 && b.Clock.Timers() > 1 })
		b.Clock.Advance(500 * time.Millisecond)
		eventually(t, "one more is in", func() bool { return b.Stats().Accepted == 3+n })
	}
	for i, c := range clients {
		c.Connect(fmt.Sprint(i))
	}
	if n := len(b.Log.Lines("connections wait to be accepted", "rule=connection-rate", "limit=2")); n == 0 {
		t.Error("no log line")
	}
}

// After a restart all clients come at once. There are never more on their way in than there are places, and
// every one of them gets in at its first attempt.
func TestStormOfConnections(t *testing.T) {
	clients, places := 3000, 64
	if testing.Short() {
		clients = 500
	}
	before := runtime.NumGoroutine()
	most := atomic.Int64{}
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, MaxPending: places, Clock: broker.SystemClock, ConnectTimeout: time.Hour,
		Authenticator: broker.AuthenticatorFunc(func(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
			return &broker.Principal{Key: r.ClientID}, nil
		})})
	addr := b.Listen()
	var wg sync.WaitGroup
	failed := make(chan error, clients)
	conns := make(chan net.Conn, clients)
	for i := range clients {
		wg.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				failed <- err
				return
			}
			conns <- conn
			conn.SetDeadline(time.Now().Add(4 * brokertest.Patience))
			conn.Write(brokertest.ConnectPacket(fmt.Sprint("c", i)).AppendTo(nil))
			var answer [4]byte
			if _, err := conn.Read(answer[:]); err != nil || answer != [4]byte{0x20, 2, 0, 0} {
				failed <- fmt.Errorf("client %d: % x, %v", i, answer, err)
			}
			if n := b.Stats().Pending; n > most.Load() {
				most.Store(n)
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	s := b.Stats()
	if s.Connected != int64(clients) || s.Pending != 0 || most.Load() > int64(places) {
		t.Errorf("%d of %d came in, %d are pending, %d were at one time", s.Connected, clients, s.Pending, most.Load())
	}
	t.Logf("%d clients, %d places: %d connections waited in the kernel's queue", clients, places, s.Delayed)
	close(conns)
	for conn := range conns {
		conn.Close()
	}
	eventually(t, "all have gone", func() bool { return b.Stats().Connections == 0 })
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+5 })
}
