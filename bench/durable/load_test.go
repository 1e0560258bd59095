package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sampan/broker"
	"sampan/packet"
)

func TestLoadMeasuresAcknowledgements(t *testing.T) {
	b, err := broker.New(broker.Options{Profile: broker.Open})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(ln) }() // ends with the broker
	got, err := load(t.Context(), ln.Addr().String(), 4, 100*time.Millisecond)
	if err != nil || got.rate <= 0 || got.p50 <= 0 || got.p99 < got.p50 {
		t.Errorf("%+v, %v", got, err)
	}
	if n := b.Stats().Sent[1]; float64(n) < got.rate/10 {
		t.Errorf("%d messages were sent on, at %.0f a second", n, got.rate)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, broker.ErrClosed) {
		t.Error(err)
	}
	if _, err := load(t.Context(), ln.Addr().String(), 1, time.Millisecond); err == nil {
		t.Error("a broker that is gone was measured")
	}
}

// A broker that takes long has its PUBACKs counted when they come: what was sent before the time that is measured, too.
func TestAPubackCountsWhenItComes(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now().Add(10 * time.Millisecond)
	go func() { // ends with the connection
		in := packet.NewReader(theirs, nil)
		if f, err := in.Next(); err == nil {
			var p packet.Publish
			p.Decode(f, nil)
			for !time.Now().After(began) {
				time.Sleep(time.Until(began))
			}
			cancel() // of one message
			theirs.Write(packet.AppendPuback(nil, p.ID))
		}
	}()
	c := &conn{ours, packet.NewReader(ours, &packet.Limits{Types: packet.FromServer})}
	times, err := c.publish(ctx, "a", began, began.Add(time.Hour), new(atomic.Int64))
	if err != nil || len(times) != 1 {
		t.Errorf("times %v, %v", times, err)
	}
}

// Without the session that receives, a broker has less to do than is said of it.
func TestNothingIsMeasuredWithoutTheReceiver(t *testing.T) {
	b, addr := serving(t)
	measured := make(chan error, 1)
	go func() {
		_, err := load(t.Context(), addr, 2, 5*time.Second)
		measured <- err
	}()
	for b.Stats().Sent[1] == 0 {
		time.Sleep(time.Millisecond)
	}
	other, err := dial(t.Context(), addr, "durable-receiver", false) // takes its place
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := <-measured; err == nil || !strings.Contains(err.Error(), "the session that receives has lost its connection") {
		t.Error(err)
	}
}

func TestWhatWasAcknowledgedMustArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var received atomic.Int64
		time.AfterFunc(patience/2, func() { received.Add(3) })
		time.AfterFunc(patience, func() { received.Add(1) })
		if err := arrive(t.Context(), &received, 4); err != nil {
			t.Error(err)
		}
		if err := arrive(t.Context(), &received, 5); err == nil {
			t.Error("a message is missing")
		}
	})
}

// serving is a broker that ends with the test, and where it listens.
func serving(t *testing.T) (b *broker.Broker, addr string) {
	t.Helper()
	b, err := broker.New(broker.Options{Profile: broker.Open})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go b.Serve(ln) // ends with the broker
	t.Cleanup(func() { b.Shutdown(context.Background()) })
	return b, ln.Addr().String()
}

// leave makes one of the sessions that are away.
func leave(t *testing.T, addr string, queue int) {
	t.Helper()
	c, err := dial(t.Context(), addr, fmt.Sprint("durable-away-", queue), false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.subscribe(fmt.Sprint("away/", queue)); err != nil {
		t.Fatal(err)
	}
}

func TestFillStoresForEveryQueue(t *testing.T) {
	b, addr := serving(t)
	leave(t, addr, 0)
	leave(t, addr, 999)
	if err := fill(t.Context(), addr, 5000); err != nil {
		t.Fatal(err)
	}
	if n := b.Stats().QueuedMessages; n != 10 {
		t.Errorf("%d messages wait, want 5 for each of two queues", n)
	}
	if err := comesBack(t.Context(), addr); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log"), make([]byte, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := evict(dir); err != nil {
		t.Error(err)
	}
	for queue, waiting := range map[int]int{0: 5, 999: 5} {
		if err := takeQueue(t.Context(), addr, queue, waiting); err != nil {
			t.Error(err)
		}
	}
	if n := b.Stats().QueuedMessages; n != 0 {
		t.Errorf("%d messages still wait", n)
	}
}

func TestDrainTakesEverythingWhileOthersPublish(t *testing.T) {
	_, addr := serving(t)
	const messages = queues + 7 // more in some queues
	for i := range queues {
		leave(t, addr, i)
	}
	if err := fill(t.Context(), addr, messages); err != nil {
		t.Fatal(err)
	}
	d, err := drain(t.Context(), addr, t.TempDir(), messages)
	if err != nil {
		t.Fatal(err)
	}
	if d.Messages != messages || d.Rate <= 0 || d.Before.P50 <= 0 || d.Before.P99 < d.Before.P50 || d.Meanwhile.P50 <= 0 {
		t.Errorf("got %+v", d)
	}
}
