package client

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sampan/packet"
)

// server is the broker's end of a connection, moved by hand.
type server struct {
	t      *testing.T
	conn   net.Conn
	reader *packet.Reader
}

// pipe connects a client to a server that has accepted it.
func pipe(t *testing.T, o Options) (*Client, *server) {
	t.Helper()
	s, connected := dial(t, o, packet.Connack{})
	if connected.err != nil {
		t.Fatal(connected.err)
	}
	return connected.client, s
}

type connected struct {
	client *Client
	err    error
}

func dial(t *testing.T, o Options, answer packet.Connack) (*server, connected) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	s := &server{t: t, conn: far, reader: packet.NewReader(far, nil)}
	o.Conn = near
	result := make(chan connected)
	go func() {
		c, err := Connect(context.Background(), o)
		result <- connected{c, err}
	}()
	s.expect(packet.TypeConnect)
	s.write(answer.AppendTo(nil))
	return s, <-result
}

func (s *server) expect(want packet.Type) packet.Frame {
	s.t.Helper()
	f, err := s.reader.Next()
	if err != nil {
		s.t.Fatalf("waiting for %s: %v", want, err)
	}
	if f.Type() != want {
		s.t.Fatalf("got %s, want %s", f.Type(), want)
	}
	return f
}

func (s *server) write(p []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(p); err != nil {
		s.t.Fatal(err)
	}
}

func TestConnectSaysWhoItIs(t *testing.T) {
	cases := []struct {
		name    string
		options Options
		want    packet.Connect
	}{
		{"anonymous", Options{ClientID: "c", Clean: true},
			packet.Connect{Level: packet.Level311, CleanSession: true, ClientID: []byte("c")}},
		{"signed, 3.1", Options{ClientID: "c", Username: "u", Password: []byte("p"), Level: packet.Level31, KeepAlive: time.Minute},
			packet.Connect{Level: packet.Level31, KeepAlive: 60, ClientID: []byte("c"), HasUsername: true, Username: []byte("u"), HasPassword: true, Password: []byte("p")}},
		{"empty password", Options{ClientID: "c", Username: "u", Password: []byte{}},
			packet.Connect{Level: packet.Level311, ClientID: []byte("c"), HasUsername: true, Username: []byte("u"), HasPassword: true, Password: []byte{}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			near, far := net.Pipe()
			c.options.Conn = near
			go func() {
				if client, err := Connect(context.Background(), c.options); err == nil {
					client.Close()
				}
			}()
			f, err := packet.NewReader(far, nil).Next()
			if err != nil {
				t.Fatal(err)
			}
			var got packet.Connect
			if err := got.Decode(f, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("CONNECT: (-want +got)\n%s", diff)
			}
			far.Close()
		})
	}
}

func TestConnectTellsWhatTheBrokerSaid(t *testing.T) {
	_, kept := dial(t, Options{ClientID: "c"}, packet.Connack{SessionPresent: true})
	if kept.err != nil || !kept.client.SessionPresent() {
		t.Errorf("session present: %v, %v", kept.client, kept.err)
	}
	_, refused := dial(t, Options{ClientID: "c"}, packet.Connack{Code: packet.RefusedCredentials})
	var code *RefusedError
	if !errors.As(refused.err, &code) || code.Code != packet.RefusedCredentials || !strings.Contains(refused.err.Error(), "code 4") {
		t.Errorf("refused: %v", refused.err)
	}
}

func TestConnectFailsWithoutAnAnswer(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		io.ReadFull(far, make([]byte, 2))
		far.Close()
	}()
	if _, err := Connect(context.Background(), Options{Conn: near, ClientID: "c", Clean: true}); err == nil {
		t.Error("a closed connection was taken for a welcome")
	}

	near, far = net.Pipe()
	defer far.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		packet.NewReader(far, nil).Next()
		cancel()
	}()
	if _, err := Connect(ctx, Options{Conn: near, ClientID: "c", Clean: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	near, _ = net.Pipe()
	if _, err := Connect(context.Background(), Options{Conn: near}); err == nil {
		t.Error("an empty client identifier with a persistent session was sent")
	}
}

func TestRequestsWaitForTheirOwnAnswers(t *testing.T) {
	c, s := pipe(t, Options{ClientID: "c", Clean: true})
	ctx := context.Background()
	published := make(chan error)
	go func() { published <- c.Publish(ctx, "t", []byte("x"), 1) }()
	var p packet.Publish
	if err := p.Decode(s.expect(packet.TypePublish), nil); err != nil || p.ID != 1 || p.QoS != 1 || string(p.Payload) != "x" {
		t.Fatalf("PUBLISH %+v, %v", p, err)
	}

	type granted struct {
		codes []byte
		err   error
	}
	subscribed := make(chan granted)
	go func() {
		codes, err := c.Subscribe(ctx, Subscription{"a/+", 1}, Subscription{"b", 0})
		subscribed <- granted{codes, err}
	}()
	var sub packet.Subscribe
	if err := sub.Decode(s.expect(packet.TypeSubscribe), nil); err != nil || sub.ID != 2 || sub.Len() != 2 {
		t.Fatalf("SUBSCRIBE %d with %d filters, %v", sub.ID, sub.Len(), err)
	}
	// Answered in the other order.
	s.write((&packet.Suback{ID: 2, Codes: []byte{1, packet.SubackFailure}}).AppendTo(nil))
	if got := <-subscribed; got.err != nil || !cmp.Equal(got.codes, []byte{1, 0x80}) {
		t.Errorf("subscribed %+v", got)
	}
	s.write(packet.AppendPuback(nil, 1))
	if err := <-published; err != nil {
		t.Error(err)
	}

	unsubscribed := make(chan error)
	go func() { unsubscribed <- c.Unsubscribe(ctx, "a/+") }()
	s.expect(packet.TypeUnsubscribe)
	s.write(packet.AppendUnsuback(nil, 3))
	if err := <-unsubscribed; err != nil {
		t.Error(err)
	}

	go func() { published <- c.Publish(ctx, "t", nil, 0) }()
	s.expect(packet.TypePublish)
	if err := <-published; err != nil {
		t.Error(err)
	}
	if err := c.Publish(ctx, "t/#", nil, 0); err == nil {
		t.Error("a wildcard was published")
	}
	if err := c.Publish(ctx, "t", nil, 2); err == nil {
		t.Error("QoS 2 was published")
	}
	c.Close()
}

func TestALostConnectionEndsEveryRequest(t *testing.T) {
	c, s := pipe(t, Options{ClientID: "c", Clean: true})
	published := make(chan error)
	go func() { published <- c.Publish(context.Background(), "t", nil, 1) }()
	s.expect(packet.TypePublish)
	s.conn.Close()
	if err := <-published; err == nil || !strings.Contains(err.Error(), "closed the connection") {
		t.Errorf("Publish: %v", err)
	}
	<-c.Done()
	if err := c.Publish(context.Background(), "t", nil, 1); err == nil {
		t.Error("published on a lost connection")
	}
	c.Close()
	if err := c.Err(); errors.Is(err, ErrClosed) {
		t.Errorf("the first reason was lost: %v", err)
	}
}

func TestARequestCanBeGivenUp(t *testing.T) {
	c, s := pipe(t, Options{ClientID: "c", Clean: true})
	ctx, cancel := context.WithCancel(context.Background())
	published := make(chan error)
	go func() { published <- c.Publish(ctx, "t", nil, 1) }()
	s.expect(packet.TypePublish)
	cancel()
	if err := <-published; !errors.Is(err, context.Canceled) {
		t.Errorf("Publish: %v", err)
	}
	s.write(packet.AppendPuback(nil, 1)) // late, and no violation
	go func() { published <- c.Publish(context.Background(), "t", nil, 1) }()
	s.expect(packet.TypePublish)
	s.write(packet.AppendPuback(nil, 2))
	if err := <-published; err != nil {
		t.Error(err)
	}
	c.Close()
}

func TestMessagesAreAcknowledgedAfterTheHandler(t *testing.T) {
	var handled atomic.Bool
	var got Message
	c, s := pipe(t, Options{ClientID: "c", Clean: true, OnMessage: func(m Message) bool { got = m; handled.Store(true); return true }})
	s.write((&packet.Publish{Topic: []byte("t"), Payload: []byte("x"), QoS: 1, ID: 7, Dup: true}).AppendTo(nil))
	var ack packet.Ack
	if err := ack.Decode(s.expect(packet.TypePuback), nil); err != nil || ack.ID != 7 || !handled.Load() {
		t.Errorf("PUBACK %d, %v; handled %v", ack.ID, err, handled.Load())
	}
	if diff := cmp.Diff(Message{Topic: "t", Payload: []byte("x"), QoS: 1, ID: 7, Dup: true}, got); diff != "" {
		t.Errorf("message: (-want +got)\n%s", diff)
	}
	c.Close()
}

func TestSeveralMessagesCanWaitForTheirAcknowledgements(t *testing.T) {
	c, s := pipe(t, Options{ClientID: "c", Clean: true})
	var waiting []*Pending
	for i := range 3 {
		sent := make(chan struct{})
		go func() { s.expect(packet.TypePublish); close(sent) }()
		p, err := c.Begin("t", []byte{byte(i)})
		if err != nil {
			t.Fatal(err)
		}
		<-sent
		waiting = append(waiting, p)
	}
	s.write(packet.AppendPuback(nil, 1))
	s.write(packet.AppendPuback(nil, 2))
	for _, p := range waiting[:2] {
		if err := p.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	c.Close()
	if err := waiting[2].Wait(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a message without an acknowledgement: %v", err)
	}
}

func TestManualAcknowledgements(t *testing.T) {
	received := make(chan Message, 1)
	c, s := pipe(t, Options{ClientID: "c", Clean: true, OnMessage: func(m Message) bool { received <- m; return false }})
	s.write((&packet.Publish{Topic: []byte("t"), QoS: 1, ID: 7}).AppendTo(nil))
	<-received
	published := make(chan error)
	go func() { published <- c.Publish(t.Context(), "t", nil, 0) }()
	s.expect(packet.TypePublish) // and no PUBACK before it
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	go func() { published <- c.Ack(7) }()
	var ack packet.Ack
	if err := ack.Decode(s.expect(packet.TypePuback), nil); err != nil || ack.ID != 7 {
		t.Errorf("PUBACK %d, %v", ack.ID, err)
	}
	if err := <-published; err != nil {
		t.Error(err)
	}
	c.Close()
}

func TestAnswersThatNobodyAskedForEndTheConnection(t *testing.T) {
	cases := []struct {
		name     string
		packet   []byte
		explains string
	}{
		{"PUBACK", packet.AppendPuback(nil, 9), "identifier 9"},
		{"PUBREL", packet.AppendPubrel(nil, 9), "nothing asked for"},
		{"CONNECT", []byte{0x10, 0}, "CONNECT"},
		{"QoS 2", (&packet.Publish{Topic: []byte("t"), QoS: 2, ID: 1}).AppendTo(nil), "QoS 2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, s := pipe(t, Options{ClientID: "c", Clean: true})
			s.write(c.packet)
			<-client.Done()
			if err := client.Err(); err == nil || !strings.Contains(err.Error(), c.explains) {
				t.Errorf("ended with %v, want %q", err, c.explains)
			}
		})
	}
}

func TestDisconnectTakesLeave(t *testing.T) {
	c, s := pipe(t, Options{ClientID: "c", Clean: true})
	left := make(chan error)
	go func() { left <- c.Disconnect() }()
	s.expect(packet.TypeDisconnect)
	if err := <-left; err != nil || !errors.Is(c.Err(), ErrClosed) {
		t.Errorf("Disconnect: %v, ended with %v", err, c.Err())
	}
}

// A message that is being handled when the client takes leave is acknowledged first: the broker would keep it.
func TestTheLastMessageIsAcknowledgedBeforeLeave(t *testing.T) {
	handling, goOn := make(chan bool), make(chan bool)
	c, s := pipe(t, Options{ClientID: "c", Clean: true, OnMessage: func(Message) bool {
		handling <- true
		<-goOn
		return true
	}})
	s.write((&packet.Publish{Topic: []byte("t"), QoS: 1, ID: 7}).AppendTo(nil))
	<-handling
	go c.Disconnect()
	for c.Err() == nil { // until it has begun
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	s.expect(packet.TypePuback)
	s.expect(packet.TypeDisconnect)
}

func TestKeepAlivePingsAndNoticesADeadBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pipe(t, Options{ClientID: "c", Clean: true, KeepAlive: 10 * time.Second})
		began := time.Now()
		for range 3 {
			s.expect(packet.TypePingreq)
			s.write(packet.AppendPingresp(nil))
		}
		if d := time.Since(began); d != 15*time.Second {
			t.Errorf("three PINGREQs took %v, want one each 5s", d)
		}
		for range 2 {
			s.expect(packet.TypePingreq) // and no answer
		}
		<-c.Done()
		if d := time.Since(began); d != 30*time.Second || !strings.Contains(c.Err().Error(), "for 15s") {
			t.Errorf("ended after %v with %v, want 1.5 keep-alives after the last answer", d, c.Err())
		}
		c.Close()
	})
}
