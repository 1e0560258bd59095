package listen_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/cmd/internal/listen"
	"sampan/packet"
	"sampan/tlsconf/psk"
)

// The listeners of these tests. The last two want a proxy's header.
var hostileURLs = []string{"mqtt://127.0.0.1:0", "auto://127.0.0.1:0", "mqtts://127.0.0.1:0", "psk://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0"}

// recorder notes what a client writes.
type recorder struct {
	net.Conn
	mu      sync.Mutex // guards written
	written [][]byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	r.written = append(r.written, append([]byte(nil), b...))
	r.mu.Unlock()
	return r.Conn.Write(b)
}

// record returns what a good client sends to a listener, write by write, from the first byte to its CONNECT.
func (e *edge) record(t *testing.T, url string) [][]byte {
	t.Helper()
	r := &recorder{Conn: e.dial(t, url)}
	var conn net.Conn = r
	scheme, _, _ := strings.Cut(url, "://")
	switch scheme {
	case "mqtts", "wss":
		conn = tls.Client(conn, e.tls)
	case "psk":
		conn = psk.Client(conn, e.psk)
	}
	connect := brokertest.ConnectPacket("recorded").AppendTo(nil)
	answer := 4
	if scheme == "ws" || scheme == "wss" {
		io.WriteString(conn, upgradeRequest)
		readHead(t, conn)
		connect, answer = frame(connect), 2+4
	}
	if _, err := conn.Write(connect); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, answer)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.written
}

const upgradeRequest = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"

// manyHeaders is a request of 16,000 bytes whose headers do not end: as many as that can hold.
func manyHeaders() []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := []byte("GET / HTTP/1.1\n")
	for i := 0; len(b) < 16_000; i++ {
		b = append(b, letters[i%36], letters[i/36%36], letters[i/36/36], ':', '\n')
	}
	return b
}

// readHead reads an HTTP answer's head and nothing after it.
func readHead(t *testing.T, conn net.Conn) {
	t.Helper()
	var head []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); head = append(head, b...) {
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatal(err)
		}
	}
}

// frame is a short binary WebSocket message, masked with zeros.
func frame(b []byte) []byte { return append([]byte{0x82, 0x80 | byte(len(b)), 0, 0, 0, 0}, b...) }

// heap is the memory in use, goroutines' stacks included, after a collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// perLurker bounds the memory that one client can hold which has stopped in the middle of something, both ends
// of its connection together. It is several times what any takes.
const perLurker = 96 << 10

// A client that stops in the middle of anything holds a bounded amount of memory for a bounded time. Then it is
// disconnected with a reason, no goroutine is left, and those who behave have noticed nothing.
func TestSlowLoris(t *testing.T) {
	clients := 200
	if testing.Short() {
		clients = 50
	}
	const connectTimeout, keepAlive = 10 * time.Second, 60
	options := broker.Options{ConnectTimeout: connectTimeout}
	direct := newEdge(t, options, listen.Options{UnauthenticatedBytes: 64 << 10}, hostileURLs...)
	proxy := newEdge(t, options, listen.Options{ProxyFrom: []netip.Prefix{netip.MustParsePrefix(local)}}, "mqtt://127.0.0.1:0")
	hello, keyed := direct.record(t, "mqtts://127.0.0.1:0"), direct.record(t, "psk://127.0.0.1:0")
	connect := brokertest.ConnectPacket("lurker", brokertest.KeepAlive(keepAlive)).AppendTo(nil)
	upgraded := func(t *testing.T, conn net.Conn) {
		io.WriteString(conn, upgradeRequest)
		readHead(t, conn)
	}
	connected := func(t *testing.T, conn net.Conn, i int) {
		conn.Write(brokertest.ConnectPacket(fmt.Sprint("lurker", i), brokertest.KeepAlive(keepAlive)).AppendTo(nil))
		io.ReadFull(conn, make([]byte, 4))
	}
	for _, c := range []struct {
		name   string
		on     *edge
		url    string
		lurk   func(t *testing.T, conn net.Conn, i int)
		reason string
		after  time.Duration
	}{
		{"before the first byte", direct, "mqtt://127.0.0.1:0", func(*testing.T, net.Conn, int) {}, "connect-timeout", connectTimeout},
		{"before the first byte, any protocol", direct, "auto://127.0.0.1:0", func(*testing.T, net.Conn, int) {}, "connect-timeout", connectTimeout},
		{"in the PROXY header", proxy, "mqtt://127.0.0.1:0", func(_ *testing.T, conn net.Conn, _ int) {
			conn.Write(header(2, "192.0.2.1:1")[:20])
		}, "connect-timeout", connectTimeout},
		{"in the TLS ClientHello", direct, "mqtts://127.0.0.1:0", func(_ *testing.T, conn net.Conn, _ int) {
			conn.Write(hello[0][:100])
		}, "connect-timeout", connectTimeout},
		{"after the TLS ClientHello", direct, "mqtts://127.0.0.1:0", func(_ *testing.T, conn net.Conn, _ int) {
			conn.Write(hello[0])
			conn.Read(make([]byte, 1))
		}, "connect-timeout", connectTimeout},
		{"in the PSK ClientHello", direct, "psk://127.0.0.1:0", func(_ *testing.T, conn net.Conn, _ int) {
			conn.Write(keyed[0][:len(keyed[0])/2])
		}, "connect-timeout", connectTimeout},
		{"after the PSK ClientHello", direct, "psk://127.0.0.1:0", func(_ *testing.T, conn net.Conn, _ int) {
			conn.Write(keyed[0])
			conn.Read(make([]byte, 1))
		}, "connect-timeout", connectTimeout},
		{"in the WebSocket request", direct, "ws://127.0.0.1:0", func(_ *testing.T, conn net.Conn, _ int) {
			io.WriteString(conn, upgradeRequest[:100])
		}, "connect-timeout", connectTimeout},
		{"in a WebSocket request of many headers", direct, "ws://127.0.0.1:0", func(_ *testing.T, conn net.Conn, _ int) {
			conn.Write(manyHeaders())
		}, "connect-timeout", connectTimeout},
		{"after the WebSocket request", direct, "ws://127.0.0.1:0", func(t *testing.T, conn net.Conn, _ int) {
			upgraded(t, conn)
		}, "connect-timeout", connectTimeout},
		{"in CONNECT", direct, "mqtt://127.0.0.1:0", func(_ *testing.T, conn net.Conn, _ int) {
			conn.Write(connect[:len(connect)-3])
		}, "connect-timeout", connectTimeout},
		{"in CONNECT in WebSocket", direct, "ws://127.0.0.1:0", func(t *testing.T, conn net.Conn, _ int) {
			upgraded(t, conn)
			conn.Write(frame(connect)[:20])
		}, "connect-timeout", connectTimeout},
		{"in a later packet's header", direct, "mqtt://127.0.0.1:0", func(t *testing.T, conn net.Conn, i int) {
			connected(t, conn, i)
			conn.Write([]byte{0x30, 0xff})
		}, "keep-alive-timeout", keepAlive * 3 / 2 * time.Second},
		{"in a later packet of 256 KB", direct, "mqtt://127.0.0.1:0", func(t *testing.T, conn net.Conn, i int) {
			connected(t, conn, i)
			conn.Write([]byte{0x30, 0x80, 0x80, 0x10, 0, 1, 'a'})
		}, "keep-alive-timeout", keepAlive * 3 / 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := c.on
			e.warm(t, c.url, c.lurk)
			witness := newWitness(t, e)
			ended, goroutines, before := e.Stats().Ended[c.reason], runtime.NumGoroutine(), heap()
			conns := make([]net.Conn, clients)
			for i := range conns {
				conns[i] = e.dial(t, c.url)
				c.lurk(t, conns[i], i)
			}
			eventually(t, "all are there", func() bool { return e.Stats().Connections == int64(clients)+1 })
			each := (heap() - before) / int64(clients)
			t.Logf("%s: %d bytes for each of %d clients", c.name, each, clients)
			if each > perLurker {
				t.Errorf("%d bytes for each client, more than %d", each, perLurker)
			}
			stillHere(witness)
			e.Clock.Advance(c.after + time.Second)
			eventually(t, "all were disconnected", func() bool { return e.Stats().Connections == 1 })
			if n := e.Stats().Ended[c.reason] - ended; n != uint64(clients) {
				t.Errorf("%d connections ended with %s: %v", n, c.reason, e.Stats().Ended)
			}
			if len(e.Log.Lines("reason="+c.reason)) == 0 {
				t.Error("nothing in the log")
			}
			for _, conn := range conns {
				conn.Close()
			}
			eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
			stillHere(witness)
			witness.Disconnect()
		})
	}
}

// warm lets a few clients come and go. The goroutines that the broker has for all plain sockets together, one for
// each processor, are there afterwards and not counted as left by others.
func (e *edge) warm(t *testing.T, url string, lurk func(*testing.T, net.Conn, int)) {
	t.Helper()
	connections := func(n int64) func() bool { return func() bool { return e.Stats().Connections == n } }
	eventually(t, "the others have gone", connections(0))
	conns := make([]net.Conn, runtime.GOMAXPROCS(0))
	for i := range conns {
		conns[i] = e.dial(t, url)
		lurk(t, conns[i], i)
	}
	eventually(t, "a few have come", connections(int64(len(conns))))
	for _, conn := range conns {
		conn.Close()
	}
	eventually(t, "they have gone", connections(0))
}

// newWitness returns a client that behaves.
func newWitness(t *testing.T, e *edge) *brokertest.Client {
	t.Helper()
	nc, err := e.Broker.Broker.Dial()
	if err != nil {
		t.Fatal(err)
	}
	witness := brokertest.NewClient(t, nc)
	witness.Connect("witness", brokertest.KeepAlive(60_000))
	witness.Subscribe("witness", 1)
	return witness
}

// stillHere shows that the witness is served.
func stillHere(witness *brokertest.Client) {
	m := brokertest.Publish("witness", "still here", 0, 0)
	witness.Send(m)
	witness.Expect(m)
}

// Floods of what is no good: each connection ends with a reason, memory is what it was, no goroutine is left, and
// those who behave have noticed nothing.
func TestFloods(t *testing.T) {
	clients := 2000
	if testing.Short() {
		clients = 300
	}
	e := newEdge(t, broker.Options{}, listen.Options{UnauthenticatedBytes: 64 << 10}, hostileURLs...)
	recorded := map[string][]byte{}
	for _, url := range hostileURLs {
		if strings.HasPrefix(url, "auto") {
			continue
		}
		for _, b := range e.record(t, url) {
			recorded[url] = append(recorded[url], b...)
		}
	}
	e.warm(t, "mqtt://127.0.0.1:0", func(*testing.T, net.Conn, int) {})
	oversize := map[string][]byte{
		"mqtt://127.0.0.1:0":  {0x10, 0xff, 0xff, 0xff, 0x7f},
		"auto://127.0.0.1:0":  {0x10, 0xff, 0xff, 0xff, 0x7f},
		"mqtts://127.0.0.1:0": append([]byte{0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff}, make([]byte, 16<<10)...),
		"psk://127.0.0.1:0":   append([]byte{0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff}, make([]byte, 16<<10)...),
		"ws://127.0.0.1:0":    []byte("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 20_000)),
		"wss://127.0.0.1:0":   append([]byte{0x16, 3, 1, 0xff, 0xff}, make([]byte, 20<<10)...),
	}
	for _, c := range []struct {
		name string
		sent func(url string, r *rand.Rand) []byte
	}{
		{"garbage", func(_ string, r *rand.Rand) []byte {
			b := make([]byte, 1+r.IntN(2000))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return b
		}},
		{"truncated", func(url string, r *rand.Rand) []byte {
			b := recorded[url]
			if len(b) == 0 {
				b = recorded["mqtts://127.0.0.1:0"]
			}
			return b[:r.IntN(len(b))]
		}},
		{"replayed", func(url string, _ *rand.Rand) []byte { return recorded[url] }},
		{"oversize", func(url string, _ *rand.Rand) []byte { return oversize[url] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			witness := newWitness(t, e)
			eventually(t, "the others have gone", func() bool { return e.Stats().Connections == 1 })
			accepted, goroutines, before := e.Stats().Accepted, runtime.NumGoroutine(), heap()
			lines := len(e.Log.Lines("refused"))
			const at = 8
			var wg sync.WaitGroup
			for w := range at {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(uint64(w), 1))
					for i := range clients / at {
						url := hostileURLs[i%len(hostileURLs)]
						if c.name == "replayed" && (url == "mqtt://127.0.0.1:0" || url == "ws://127.0.0.1:0" || url == "auto://127.0.0.1:0") {
							url = "psk://127.0.0.1:0" // where nothing is secret there is nothing to replay
						}
						u := e.urls[url]
						conn, err := net.Dial("tcp", u.HostPort())
						if err != nil {
							t.Error(err)
							return
						}
						conn.SetDeadline(time.Now().Add(brokertest.Patience))
						conn.Write(c.sent(url, r))
						conn.(*net.TCPConn).CloseWrite()
						io.Copy(io.Discard, conn) // until the broker closes
						conn.Close()
					}
				})
			}
			wg.Wait()
			eventually(t, "all have gone", func() bool { return e.Stats().Connections == 1 })
			s := e.Stats()
			if n := s.Accepted - accepted; n != uint64(clients/at*at) {
				t.Errorf("%d connections", n)
			}
			for _, ev := range e.Events.Of(broker.Connected) {
				if ev.Client != "witness" && ev.Client != "recorded" {
					t.Errorf("somebody came in: %+v", ev)
				}
			}
			eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
			told := len(e.Log.Lines("refused")) - lines
			if told == 0 || told > 500 {
				t.Errorf("%d log lines for %d connections", told, clients)
			}
			t.Logf("%s: %d connections, memory grew by %d KiB with the events of the test, %d log lines, reasons %v", c.name, clients, (heap()-before)>>10, told, reasons(s))
			stillHere(witness)
			witness.Disconnect()
			e.Clock.Advance(time.Minute)
		})
	}
	if n := e.Stats().Received[0]; n != 4 {
		t.Errorf("%d messages received", n)
	}
}

// reasons are those that have occurred.
func reasons(s broker.Stats) map[string]uint64 {
	found := map[string]uint64{}
	for reason, n := range s.Ended {
		if n > 0 {
			found[reason] = n
		}
	}
	return found
}

// After a restart all clients come at once, over TLS. They are let in one after the other at the pace of the
// machine, each at its first attempt, although more shake hands than may at one time.
func TestStormOfHandshakes(t *testing.T) {
	clients, handshakes := 1000, 16
	if testing.Short() {
		clients = 200
	}
	e := newEdge(t, broker.Options{MaxHandshakes: handshakes, MaxPending: 128, Clock: broker.SystemClock, ConnectTimeout: time.Hour}, listen.Options{}, "mqtts://127.0.0.1:0", "psk://127.0.0.1:0")
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			url := []string{"mqtts://127.0.0.1:0", "psk://127.0.0.1:0"}[i%2]
			u := e.urls[url]
			below, err := net.Dial("tcp", u.HostPort())
			if err != nil {
				t.Error(err)
				return
			}
			defer below.Close()
			below.SetDeadline(time.Now().Add(6 * brokertest.Patience))
			conn := net.Conn(tls.Client(below, e.tls))
			if i%2 == 1 {
				conn = psk.Client(below, e.psk)
			}
			answer := make([]byte, 4)
			if _, err := conn.Write(brokertest.ConnectPacket(fmt.Sprint(i)).AppendTo(nil)); err != nil {
				t.Errorf("client %d: %v", i, err)
			} else if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != byte(packet.TypeConnack)<<4 || answer[3] != 0 {
				t.Errorf("client %d: % x, %v", i, answer, err)
			}
			if n := e.Stats().Handshakes; n > int64(handshakes) {
				t.Errorf("%d handshakes at one time", n)
			}
		})
	}
	wg.Wait()
	s := e.Stats()
	if s.Ended["displaced"] > 0 || s.Ended["handshake-failed"] > 0 {
		t.Errorf("ended: %v", reasons(s))
	}
	t.Logf("%d clients: %d connections waited to be accepted, %d for their handshake", clients, s.Delayed, s.HandshakeDelays)
}

// Handshakes that do not go on do not keep others from theirs.
func TestStalledHandshakesDoNotKeepOthersOut(t *testing.T) {
	e := newEdge(t, broker.Options{MaxHandshakes: 3, ConnectTimeout: 8 * time.Second}, listen.Options{}, "mqtts://127.0.0.1:0")
	hello := e.record(t, "mqtts://127.0.0.1:0")[0]
	for range 3 {
		e.dial(t, "mqtts://127.0.0.1:0").Write(hello[:20])
	}
	eventually(t, "three shake hands", func() bool { return e.Stats().Handshakes == 3 })
	done := make(chan struct{})
	client := brokertest.NewClient(t, tls.Client(e.dial(t, "mqtts://127.0.0.1:0"), e.tls))
	go func() { // ends when the fourth is served
		defer close(done)
		client.TrySend(brokertest.ConnectPacket("fourth"))
	}()
	eventually(t, "the fourth waits", func() bool { return e.Stats().HandshakesQueued == 1 })
	e.Clock.Advance(2 * time.Second)
	<-done
	client.Expect(&packet.Connack{})
	ev := e.Events.WaitFor(t, broker.Refused, "")
	if ev.Reason != broker.Displaced || ev.Rule != "max-handshakes" || ev.Limit != 3 {
		t.Errorf("event %+v", ev)
	}
}

// eventually waits for what other goroutines bring about.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(brokertest.Patience); !done(); {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("not in time: %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}
