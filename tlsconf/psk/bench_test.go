package psk

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// BenchmarkHandshake is a whole handshake, both sides in this process: the
// figure for a server alone is about half. Over memory, so without the
// kernel's share.
func BenchmarkHandshake(b *testing.B) {
	for _, id := range CipherSuites() {
		b.Run(CipherSuiteName(id), func(b *testing.B) {
			server := serverConfig()
			client := variant{id, true, true}.client()
			b.ReportAllocs()
			for b.Loop() {
				connected(b, client, server)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
		})
	}
}

// BenchmarkRefusal is what a client could measure to tell an unknown identity
// from a wrong key: the two figures should agree within the noise.
func BenchmarkRefusal(b *testing.B) {
	for _, c := range []struct{ name, identity, key string }{
		{"unknown identity", "D" + testIdentity[1:], string(testKey)},
		{"wrong key", testIdentity, "wrong" + string(testKey[5:])},
	} {
		b.Run(c.name, func(b *testing.B) {
			server := serverConfig()
			client := &Config{Identity: []byte(c.identity), PSK: []byte(c.key), CipherSuites: []uint16{TLS_PSK_WITH_AES_128_CBC_SHA}}
			for b.Loop() {
				if _, _, _, err := pair(client, server); err == nil {
					b.Fatal("let in")
				}
			}
		})
	}
}

// BenchmarkData is throughput over loopback TCP, one writer and one reader.
func BenchmarkData(b *testing.B) {
	for _, id := range []uint16{TLS_PSK_WITH_AES_128_GCM_SHA256, TLS_PSK_WITH_AES_128_CBC_SHA, TLS_PSK_WITH_AES_128_CBC_SHA256} {
		for _, etm := range []bool{false, true} {
			if etm && suiteByID(id).aead() {
				continue
			}
			for _, size := range []int{100, 16384} {
				b.Run(fmt.Sprintf("%s/etm=%v/%d", CipherSuiteName(id), etm, size), func(b *testing.B) {
					client, server := loopback(b, variant{id, etm, true}.client())
					done := make(chan struct{})
					go func() {
						defer close(done)
						io.Copy(io.Discard, server)
					}()
					data := make([]byte, size)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for b.Loop() {
						if _, err := client.Write(data); err != nil {
							b.Fatal(err)
						}
					}
					client.Close()
					<-done
					server.Close()
				})
			}
		}
	}
}

func loopback(b *testing.B, config *Config) (client, server *Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	client, server = Client(c, config), Server(s, serverConfig())
	failed := make(chan error, 1)
	go func() { failed <- client.HandshakeContext(context.Background()) }()
	if err := server.Handshake(); err != nil {
		b.Fatal(err)
	}
	if err := <-failed; err != nil {
		b.Fatal(err)
	}
	return client, server
}

// BenchmarkIdleConnection reports the heap one established server end keeps,
// the connection underneath not counted.
func BenchmarkIdleConnection(b *testing.B) {
	for _, id := range []uint16{TLS_PSK_WITH_AES_128_GCM_SHA256, TLS_PSK_WITH_AES_128_CBC_SHA} {
		for _, etm := range []bool{false, true} {
			if etm && suiteByID(id).aead() {
				continue
			}
			b.Run(fmt.Sprintf("%s/etm=%v", CipherSuiteName(id), etm), func(b *testing.B) {
				const n = 500
				server, client := serverConfig(), variant{id, etm, true}.client()
				heap := func() uint64 {
					runtime.GC()
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					return m.HeapAlloc
				}
				for b.Loop() {
					kept := make([]*Conn, n)
					before := heap()
					for i := range kept {
						c, s := connected(b, client, server)
						c.Write([]byte("ping"))
						s.Read(make([]byte, 4))
						s.conn = nil
						kept[i] = s
					}
					b.ReportMetric(float64(heap()-before)/n, "B/conn")
					runtime.KeepAlive(kept)
				}
			})
		}
	}
}

// BenchmarkHalfOpen reports the heap that a client makes the server hold which
// announces a long ClientHello, sends its first 100 bytes and stops. The
// goroutine's stack and the connection underneath are not counted.
func BenchmarkHalfOpen(b *testing.B) {
	const n = 500
	config := serverConfig()
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		var inHandshake, ended sync.WaitGroup
		inHandshake.Add(n)
		release := make(chan struct{})
		before := heap()
		for range n {
			ended.Go(func() {
				Server(&stuck{reached: inHandshake.Done, release: release}, config).Handshake()
			})
		}
		inHandshake.Wait()
		b.ReportMetric(float64(heap()-before)/n, "B/conn")
		close(release)
		ended.Wait()
	}
}

// stuck is a client that begins a long hello and stops.
type stuck struct {
	pipeEnd
	reached func()
	release chan struct{}
	step    int
}

func (s *stuck) Read(b []byte) (int, error) {
	if s.step++; s.step == 1 {
		n := copy(b, []byte{recordHandshake, 3, 1, 0x20, 0, 1, 0, 0x1f, 0xfc})
		return n + copy(b[n:], make([]byte, 100)), nil
	}
	s.reached()
	<-s.release
	return 0, io.EOF
}

func (s *stuck) Write(b []byte) (int, error)      { return len(b), nil }
func (s *stuck) SetWriteDeadline(time.Time) error { return nil }
