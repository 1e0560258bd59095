package main

import (
	"errors"
	"net"
	"testing"
	"time"

	"sampan/broker"
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

func TestFillStoresForEveryQueue(t *testing.T) {
	b, err := broker.New(broker.Options{Profile: broker.Open})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go b.Serve(ln) // ends with the broker
	defer b.Shutdown(t.Context())
	for _, name := range []string{"durable-away-0", "durable-away-999"} {
		c, err := dial(t.Context(), ln.Addr().String(), name, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.subscribe("away/" + name[len("durable-away-"):]); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if err := fill(t.Context(), ln.Addr().String(), 5000); err != nil {
		t.Fatal(err)
	}
	if n := b.Stats().QueuedMessages; n != 10 {
		t.Errorf("%d messages wait, want 5 for each of two queues", n)
	}
	if err := comesBack(t.Context(), ln.Addr().String()); err != nil {
		t.Error(err)
	}
}

func TestMedian(t *testing.T) {
	if m := median([]turn{{rate: 3}, {rate: 1}, {rate: 2}}, func(t turn) float64 { return t.rate }); m != 2 {
		t.Errorf("median %v", m)
	}
	if m := median(nil, func(t turn) float64 { return t.rate }); m != 0 {
		t.Errorf("median of nothing %v", m)
	}
}
