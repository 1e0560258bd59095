package listen_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/cmd/internal/listen"
	"sampan/tlsconf/psk"
)

// A client that sends a byte now and then gets no more time than one that sends nothing: what counts is CONNECT, and
// after it whole packets.
func TestDripFeed(t *testing.T) {
	const connectTimeout, keepAlive = 10 * time.Second, 60
	e := newEdge(t, broker.Options{ConnectTimeout: connectTimeout}, listen.Options{UnauthenticatedBytes: 64 << 10}, hostileURLs...)
	secured := e.record(t, "mqtts://127.0.0.1:0")[0]
	keyed := e.record(t, "psk://127.0.0.1:0")[0]
	connect := brokertest.ConnectPacket("drips", brokertest.KeepAlive(keepAlive)).AppendTo(nil)
	publish := append([]byte{0x30, 0x80, 0x80, 0x10, 0, 1, 'a'}, make([]byte, 100)...) // of 256 KB
	plain := func(t *testing.T, url string) net.Conn { return e.dial(t, url) }
	connected := func(t *testing.T, conn net.Conn) net.Conn {
		conn.Write(connect)
		if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for _, c := range []struct {
		name, url string
		conn      func(t *testing.T, url string) net.Conn
		send      []byte
		within    time.Duration
		reason    string
	}{
		{"CONNECT", "mqtt://127.0.0.1:0", plain, connect, connectTimeout, "connect-timeout"},
		{"CONNECT, any protocol", "auto://127.0.0.1:0", plain, connect, connectTimeout, "connect-timeout"},
		{"TLS ClientHello", "mqtts://127.0.0.1:0", plain, secured, connectTimeout, "connect-timeout"},
		{"TLS ClientHello, any protocol", "auto://127.0.0.1:0", plain, secured, connectTimeout, "connect-timeout"},
		{"PSK ClientHello", "psk://127.0.0.1:0", plain, keyed, connectTimeout, "connect-timeout"},
		{"WebSocket request", "ws://127.0.0.1:0", plain, []byte(upgradeRequest), connectTimeout, "connect-timeout"},
		{"CONNECT in WebSocket", "ws://127.0.0.1:0", func(t *testing.T, url string) net.Conn {
			conn := plain(t, url)
			io.WriteString(conn, upgradeRequest)
			readHead(t, conn)
			return conn
		}, frame(connect), connectTimeout, "connect-timeout"},
		{"CONNECT in TLS", "mqtts://127.0.0.1:0", func(t *testing.T, url string) net.Conn {
			return tls.Client(plain(t, url), e.tls)
		}, connect, connectTimeout, "connect-timeout"},
		{"PUBLISH", "mqtt://127.0.0.1:0", func(t *testing.T, url string) net.Conn {
			return connected(t, plain(t, url))
		}, publish, keepAlive * 3 / 2 * time.Second, "keep-alive-timeout"},
		{"PUBLISH in PSK", "psk://127.0.0.1:0", func(t *testing.T, url string) net.Conn {
			return connected(t, psk.Client(plain(t, url), e.psk))
		}, publish, keepAlive * 3 / 2 * time.Second, "keep-alive-timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eventually(t, "the others have gone", func() bool { return e.Stats().Connections == 0 })
			witness := newWitness(t, e)
			conn := c.conn(t, c.url)
			eventually(t, "it is there", func() bool { return e.Stats().Connections == 2 })
			witness.Sync()
			ended := e.Stats().Ended[c.reason]
			const drops = 9
			for i := range drops {
				before := e.Stats().BytesReceived
				if _, err := conn.Write(c.send[i : i+1]); err != nil {
					t.Fatalf("after %d bytes: %v", i, err)
				}
				if c.reason == "keep-alive-timeout" {
					eventually(t, "the byte has come", func() bool { return e.Stats().BytesReceived > before })
				}
				e.Clock.Advance(c.within / (drops + 1))
			}
			if n := e.Stats().Connections; n != 2 {
				t.Fatalf("%d connections before the time is over: %v", n, reasons(e.Stats()))
			}
			e.Clock.Advance(c.within/(drops+1) + time.Second)
			eventually(t, "it was disconnected", func() bool { return e.Stats().Connections == 1 })
			if n := e.Stats().Ended[c.reason] - ended; n != 1 {
				t.Errorf("%d connections ended with %s: %v", n, c.reason, reasons(e.Stats()))
			}
			conn.Close()
			stillHere(witness)
			witness.Disconnect()
		})
	}
}
