package fuzz

import (
	"errors"
	"io"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/internal/ceiling"
	"sampan/packet"
)

// FuzzConnection gives a broker all the bytes that one client ever sends, over a connection in memory and by
// a clock that is moved by hand. Whatever they are, what the broker answers is a sequence of whole packets
// that begins with CONNACK, another client notices nothing, the connection ends and leaves nothing behind,
// and Shutdown finds every goroutine.
func FuzzConnection(f *testing.F) {
	f.Fuzz(func(t *testing.T, sent []byte) {
		defer ceiling.Bytes(ceiling.Lots + 64*len(sent)).Hold(t)()
		const most = 64 << 10
		if len(sent) > most {
			t.Skip("longer than a test needs")
		}
		b := brokertest.Start(t, broker.Options{
			Profile: broker.Open, Window: 3, QueueMessages: 10, MaxSubscriptions: 5, OutboundBytes: 1 << 20,
		})
		witness := b.Connect("\x01witness", brokertest.KeepAlive(0))
		witness.Subscribe("witness/only", 1)

		conn, err := b.Broker.Dial()
		if err != nil {
			t.Fatal(err)
		}
		answers := make(chan []byte)
		go func() { // ends with the connection
			all, _ := io.ReadAll(conn)
			answers <- all
		}()
		conn.SetWriteDeadline(time.Now().Add(brokertest.Patience))
		_, err = conn.Write(sent)
		if err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Fatalf("the broker neither reads nor closes: %v", err)
		}
		witness.Drain() // the broker goes on
		if s := b.Stats(); s.Connections > 2 || s.Connected > 2 || s.Sessions > 2 || s.Subscriptions > 6 || s.QueuedMessages > 10 {
			t.Errorf("beyond the bounds: %+v", s)
		}
		b.Clock.Advance(65535 * 2 * time.Second) // longer than any keep-alive
		conn.Close()
		checkAnswers(t, <-answers)
		witness.Drain()
		end, pause := time.Now().Add(brokertest.Patience), 10*time.Microsecond
		for s := b.Stats(); s.Connections > 1 || s.OutboundBytes > 0; s = b.Stats() {
			if time.Now().After(end) {
				t.Fatalf("the connection does not end: %+v", b.Stats())
			}
			time.Sleep(pause) // on a busy machine, to ask again and again would reach the ceiling
			pause = min(2*pause, 10*time.Millisecond)
		}
		b.Clock.Advance(8 * 24 * time.Hour) // a session that was kept expires
		s := b.Stats()
		if s.Connections != 1 || s.Connected != 1 || s.Sessions != 1 || s.Clients != 1 || s.Subscriptions != 1 ||
			s.QueuedMessages != 0 || s.QueuedBytes != 0 || s.OutboundBytes != 0 || s.Deadlines != 0 || s.Store.Sessions != 0 || s.Store.Queued != 0 {
			t.Errorf("left behind: %+v", s)
		}
		ended := uint64(0)
		for _, n := range s.Ended {
			ended += n
		}
		if ended != 1 {
			t.Errorf("one connection has ended, %d ends were counted: %v", ended, s.Ended)
		}
	})
}

// checkAnswers wants whole packets, of the types that a server sends, CONNACK first and once. The last one may
// have been cut off with the connection.
func checkAnswers(t *testing.T, answers []byte) {
	t.Helper()
	limits := &packet.Limits{Types: packet.FirstFromServer}
	for at := 0; at < len(answers); {
		frame, n, _, err := packet.Next(answers[at:], limits)
		if err != nil {
			t.Fatalf("the broker has sent % x: at %d: %v", answers, at, err)
		}
		if n == 0 {
			return
		}
		if frame.Type() == packet.TypePublish && frame.First&0x07 > 0x02 {
			t.Fatalf("the broker has sent a PUBLISH with QoS 2 or RETAIN: % x", frame.Raw)
		}
		limits.Types = packet.FromServer
		at += n
	}
}
