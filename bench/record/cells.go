package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sampan/bench"
	"sampan/bench/scenario"
)

// cell is a load of the page.
type cell struct {
	name  string // of the scenario
	title string // how the page calls it
	table table
	// metric is the figure in the table, goal what Sampan is to reach on the machine of the first measurements.
	metric string
	goal   float64
	// ceilings are the ceiling programs that can carry the load.
	ceilings []string
	// cores are the runs: 1, 2 or both.
	cores []int
	// only is the one program that is measured; empty: all of them.
	only string
}

// table is where in the page a load stands.
type table string

const (
	costs   table = "costs"   // deliveries for each second of the broker's processor time
	latency table = "latency" // at a fixed rate
	flat    table = "flat"    // what must not matter
	memory  table = "memory"
	calls   table = "calls"
)

const (
	perCPU     = "deliveries_per_cpu_second"
	connectCPU = "connects_per_cpu_second"
	callCPU    = "calls_per_cpu_second"
	perIdle    = "kb_per_connection"
)

var (
	one    = []int{1}
	both   = []int{1, 2}
	shared = []string{sharedEpoll, sharedNetconn, copiedNetconn}
	copied = []string{copiedNetconn} // at QoS 1 subscribers have identifiers of their own
	single = []string{sharedEpoll, sharedNetconn}
)

const million = 1e6

// cells lists the loads in the order of the page.
var cells = []cell{
	{"fanout-10", "1 to 10, QoS 0, window 1,024", costs, perCPU, 12 * million, shared, both, ""},
	{"fanout-100", "1 to 100, QoS 0, window 200", costs, perCPU, 20 * million, shared, both, ""},
	{"fanout-1000", "1 to 1,000, QoS 0, window 20", costs, perCPU, 4.5 * million, shared, both, ""},
	{"fanout-100-1KiB", "1 to 100, QoS 0, 1 KiB, window 200", costs, perCPU, 4 * million, shared, both, ""},
	{"fanout-100-single", "1 to 100, QoS 0, one message at a time", costs, perCPU, 0.30 * million, shared, both, ""},
	{"fanout-1000-single", "1 to 1,000, QoS 0, one message at a time", costs, perCPU, 0.29 * million, shared, both, ""},
	{"fanout-10-qos1", "1 to 10, QoS 1, window 1,024", costs, perCPU, 7 * million, copied, both, ""},
	{"fanout-100-qos1", "1 to 100, QoS 1, window 200", costs, perCPU, 8 * million, copied, both, ""},
	{"fanout-1000-qos1", "1 to 1,000, QoS 1, window 20", costs, perCPU, 2.5 * million, copied, both, ""},
	{"fanin-100", "100 to 1, QoS 0, window 20", costs, perCPU, 3 * million, single, both, ""},
	{"fanin-100-qos1", "100 to 1, QoS 1, window 20", costs, perCPU, 2 * million, nil, both, ""},
	{"pairs-500", "500 pairs, QoS 0, window 8", costs, perCPU, 0.9 * million, single, both, ""},
	{"pairs-500-qos1", "500 pairs, QoS 1, window 8", costs, perCPU, 0.6 * million, nil, both, ""},
	{"wildcard-1000", "1 to 1,000 by wildcard among 50,000 filters, one message at a time", costs, perCPU, 0.3 * million, nil, both, ""},
	{"everyday", "500 pairs, QoS 0, 10,000 single messages a second in all", costs, perCPU, 0.055 * million, single, both, ""},
	{"fanout-10-after", "1 to 10, QoS 0, window 1,024, after 3,300 earlier subscribers", costs, perCPU, 12 * million, nil, both, ""},
	{"connect-clean", "connects with clean session", costs, connectCPU, 45_000, single, both, ""},
	{"fanout-100-200", "1 to 100, QoS 0, 200 messages a second", latency, "latency_p99", 0, single, both, ""},
	{"fanout-100-filters", "1 to 100, QoS 0, window 200, among 50,000 filters of others", flat, perCPU, 0, nil, one, ""},
	{"fanout-100-idle", "1 to 100, QoS 0, window 200, beside 10,000 idle connections", flat, perCPU, 0, nil, one, ""},
	{"idle-10000", "10,000 connections that do nothing", memory, perIdle, 5, nil, one, ""},
	{"rrpc-1", "1 device, one call at a time", calls, callCPU, 0, nil, one, sampan},
	{"rrpc-100", "100 devices, 100 calls at a time", calls, callCPU, 0, nil, one, sampan},
	{"rrpc-1000", "1,000 devices, 1,000 calls at a time", calls, callCPU, 0, nil, one, sampan},
}

// timed reports whether the load also stands in the table of latencies.
func (c *cell) timed() bool { return c.table == latency || c.name == "everyday" }

// chosen finds the cells of a list of names by commas; empty: all.
func chosen(names string) ([]cell, error) {
	if names == "" {
		return cells, nil
	}
	var some []cell
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(cells, func(c cell) bool { return c.name == name })
		if i < 0 {
			var all []string
			for _, c := range cells {
				all = append(all, c.name)
			}
			return nil, fmt.Errorf("no load %q; there are %s", name, strings.Join(all, ", "))
		}
		some = append(some, cells[i])
	}
	return some, nil
}

// pace is how long and how often each program is measured.
type pace struct {
	rounds   int           // on one core
	rounds2  int           // on two
	warmup   time.Duration // of each measurement
	duration time.Duration
	timed    time.Duration // duration of a load with a rate, whose p99.9 needs many messages
}

var (
	whole = pace{rounds: 5, rounds2: 3, warmup: time.Second, duration: 2 * time.Second, timed: 5 * time.Second}
	quick = pace{rounds: 2, rounds2: 1, warmup: 300 * time.Millisecond, duration: 700 * time.Millisecond, timed: 2 * time.Second}
)

// overhead is about what a measurement takes besides: to start, connect, settle and stop.
const overhead = 700 * time.Millisecond

// config makes the measurement of a cell, but for the processors.
func (p pace) config(c *cell, cores int) (bench.Config, error) {
	s, err := scenario.Find(c.name)
	if err != nil {
		return bench.Config{}, err
	}
	s.Warmup, s.Duration, s.Cooldown = p.warmup, p.duration, p.warmup/5
	if s.Rate > 0 {
		s.Duration = p.timed
	}
	return bench.Config{Scenario: s, Repeats: p.repeats(c, cores)}, nil
}

// repeats is how many rounds there are. Memory hardly differs from one to the next, and takes long to fill.
func (p pace) repeats(c *cell, cores int) int {
	switch {
	case c.table == memory:
		return min(p.rounds, 2)
	case cores == 2:
		return p.rounds2
	}
	return p.rounds
}

// takes is about how long a cell with some programs takes.
func (p pace) takes(c *cell, cores, programs int) time.Duration {
	each := p.warmup + p.warmup/5 + p.duration + overhead
	if c.timed() {
		each += p.timed - p.duration
	}
	switch { // what has much to connect
	case c.name == "idle-10000", c.name == "fanout-100-idle":
		each += 4 * time.Second
	case c.name == "wildcard-1000", c.name == "fanout-100-filters", c.name == "fanout-10-after":
		each += time.Second
	}
	return time.Duration(p.repeats(c, cores)*programs) * each
}
