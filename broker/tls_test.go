package broker_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// certificate makes a self-signed certificate for localhost.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func serveTLS(t *testing.T, b *brokertest.Broker) (addr string) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(ln) }() // ends with the broker
	t.Cleanup(func() {
		b.Shutdown(t.Context())
		if err := <-served; err != broker.ErrClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// A TLS connection is served like any other, and the authenticator sees what it is. Messages of every size
// around those of buffers and records get through, and their answers do not wait for more bytes.
func TestTLS(t *testing.T) {
	var channel broker.Channel
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Authenticator: authenticate(func(r *broker.ConnectRequest) (*broker.Principal, error) {
		channel = r.Channel
		return &broker.Principal{Key: r.ClientID}, nil
	})})
	addr := serveTLS(t, b)
	nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	c := brokertest.NewClient(t, nc)
	c.Connect("c")
	if channel.Security != broker.TLS || channel.TLS == nil || channel.TLS.ServerName != "localhost" ||
		channel.Listener != addr || channel.Remote.String() != nc.LocalAddr().String() {
		t.Errorf("channel %+v", channel)
	}
	c.Subscribe("a/b/c", 0)
	for _, size := range []int{2048, 4096, 16384, 16 << 10 * 2, 65536} {
		for d := -2; d <= 2; d++ {
			p := &packet.Publish{Topic: []byte("a/b/c"), QoS: 1, ID: 1}
			p.Payload = bytes.Repeat([]byte{'x'}, size+d-p.Size()-2)
			want := &packet.Publish{Topic: p.Topic, Payload: p.Payload}
			c.Send(p)
			c.Expect(want, brokertest.Puback(1))
		}
	}
	c.Disconnect()
}

// A client that does not come to the end of its handshake, or makes a mess of it, is gone in time and does
// not hold up others.
func TestTLSHandshake(t *testing.T) {
	b := open(t)
	addr := serveTLS(t, b)
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	garbage, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer garbage.Close()
	garbage.Write(brokertest.ConnectPacket("plain").AppendTo(nil))
	e := b.Events.WaitFor(t, broker.Refused, "")
	if e.Reason != broker.HandshakeFailed || e.Detail == "" || e.Addr != garbage.LocalAddr().String() {
		t.Errorf("event %+v", e)
	}
	eventually(t, "the silent one is left", func() bool { s := b.Stats(); return s.Connections == 1 && s.Deadlines == 1 })
	nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	c := brokertest.NewClient(t, nc)
	c.Connect("c", brokertest.KeepAlive(0))
	c.Sync()
	b.Clock.Advance(10 * time.Second)
	connections(t, b, 1)
	timeout := b.Events.Wait(t, "the silent one is refused", func(e broker.Event) bool {
		return e.Kind == broker.Refused && e.Addr == silent.LocalAddr().String()
	})
	if timeout.Reason != broker.ConnectTimeout {
		t.Errorf("event %+v", timeout)
	}
	c.Sync()
}

// reporter is a connection that knows what it is, such as one with a pre-shared key.
type reporter struct {
	net.Conn
	channel broker.Channel
}

func (r reporter) Channel() broker.Channel { return r.channel }

func TestChannelReporter(t *testing.T) {
	var channel broker.Channel
	b := brokertest.Start(t, broker.Options{Authenticator: authenticate(func(r *broker.ConnectRequest) (*broker.Principal, error) {
		channel = r.Channel
		return &broker.Principal{Key: r.ClientID}, nil
	})})
	ours, theirs := net.Pipe()
	if err := b.ServeConn(reporter{ours, broker.Channel{Security: broker.PSK, Identity: "device", WebSocket: true}}); err != nil {
		t.Fatal(err)
	}
	brokertest.NewClient(t, theirs).Connect("c")
	if channel.Security != broker.PSK || channel.Identity != "device" || !channel.WebSocket || channel.Remote != ours.RemoteAddr() {
		t.Errorf("channel %+v", channel)
	}
}

// A refusal reaches a client over TLS that has already sent much more, too: the connection is not reset over it.
func TestTLSRefusalIsNotReset(t *testing.T) {
	b := brokertest.Start(t, broker.Options{Profile: broker.Open, Authenticator: authenticate(func(*broker.ConnectRequest) (*broker.Principal, error) {
		return nil, &broker.Refusal{Code: packet.RefusedNotAuthorized, Rule: "no"}
	})})
	addr := serveTLS(t, b)
	for range 20 {
		nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		much := append(brokertest.ConnectPacket("c").AppendTo(nil), bytes.Repeat([]byte{0x30, 3, 0, 1, 'a'}, 4<<10)...)
		if _, err := nc.Write(much); err != nil {
			t.Fatal(err)
		}
		connack := packet.Connack{Code: packet.RefusedNotAuthorized}
		if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, connack.AppendTo(nil)) {
			t.Fatalf("got % x, %v", got, err)
		}
		nc.Close()
	}
}
