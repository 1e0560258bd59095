package main

import (
	"context"
	"testing"
	"time"

	"sampan/bench"
	"sampan/bench/scenario"
)

// TestServes has the broker deliver a large burst at QoS 1, which its limits must not cut.
func TestServes(t *testing.T) {
	server, addr, err := serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s, err := scenario.Find("fanout-10-qos1")
	if err != nil {
		t.Fatal(err)
	}
	s.Warmup, s.Duration, s.Cooldown = 0, 100*time.Millisecond, 0
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config := bench.Config{Scenario: s, Target: bench.Target{Addr: addr}}
	config.Load.StallTime = 30 * time.Second // of a busy machine, too
	r, err := bench.Run(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Rounds[0].Counters.Delivered; n == 0 {
		t.Error("nothing was delivered")
	}
}
