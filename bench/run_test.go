package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sampan/bench/fault"
	"sampan/bench/internal/fake"
	"sampan/bench/load"
	"sampan/bench/scenario"
	"sampan/packet"
)

// patience bounds every run of these tests; none takes that long unless it
// fails.
const patience = time.Minute

// small makes a scenario that a test has time for.
func small(kind scenario.Kind) scenario.Scenario {
	s := scenario.Of(kind)
	s.Warmup, s.Duration, s.Cooldown = 50*time.Millisecond, 300*time.Millisecond, 20*time.Millisecond
	s.Publishers, s.Subscribers = min(s.Publishers, 5), min(s.Subscribers, 10)
	s.Clients, s.Unrelated = min(s.Clients, 30), min(s.Unrelated, 200)
	s.Messages = min(s.Messages, 20)
	if s.Rate > 0 {
		s.Rate = min(max(s.Rate, 50), 500)
	}
	return s
}

// try runs a scenario against a fake broker.
func try(t *testing.T, s scenario.Scenario, b fake.Behaviour, change ...func(*Config)) (*Result, error) {
	t.Helper()
	cfg := Config{Scenario: s, Target: Target{Name: "fake", Addr: fake.Start(t, b).Addr, PIDs: []int{os.Getpid()}}, trusting: true}
	cfg.Load.StallTime = time.Second
	for _, f := range change {
		f(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return Run(ctx, cfg)
}

// TestEveryKind runs each kind and some variants against a right broker and
// checks that each phase has measured something and nothing went wrong.
func TestEveryKind(t *testing.T) {
	type variant struct {
		scenario.Scenario
		phases []string
		units  []string
	}
	var all []variant
	for _, kind := range scenario.Kinds {
		v := variant{Scenario: small(kind), phases: []string{"load"}, units: []string{"deliveries"}}
		switch kind {
		case scenario.Connect:
			v.units = []string{"connects"}
		case scenario.Idle:
			v.phases, v.units = []string{"hold"}, []string{"connections"}
		case scenario.RRPC:
			v.units = []string{"calls"}
		case scenario.Churn:
			v.units = []string{"cycles"}
		case scenario.Takeover:
			v.units = []string{"takeovers"}
		case scenario.Offline:
			v.phases, v.units = []string{"queue", "drain"}, []string{"queued", "deliveries"}
		}
		all = append(all, v)
	}
	add := func(v variant, name string, change func(*scenario.Scenario)) {
		v.Name = name
		change(&v.Scenario)
		all = append(all, v)
	}
	fanout := all[slices.Index(scenario.Kinds, scenario.Fanout)]
	pairs := all[slices.Index(scenario.Kinds, scenario.Pairs)]
	fanin := all[slices.Index(scenario.Kinds, scenario.Fanin)]
	connect := all[slices.Index(scenario.Kinds, scenario.Connect)]
	add(fanout, "closed, among others", func(s *scenario.Scenario) {
		s.Rate, s.Window, s.QoS = 0, 5, 1
		s.Unrelated, s.IdleClients, s.Earlier = 30, 5, 20
	})
	add(fanout, "several topics", func(s *scenario.Scenario) { s.Publishers = 3 })
	add(pairs, "self", func(s *scenario.Scenario) { s.Self, s.QoS = true, 1 })
	add(pairs, "templates", func(s *scenario.Scenario) {
		s.Topic, s.Filter = "/{pk}/{dn}/user/{run}/get", "/{pk}/{dn}/user/+/get"
	})
	add(fanin, "several subscribers", func(s *scenario.Scenario) { s.Publishers, s.Subscribers = 10, 3 })
	connect.phases, connect.units = []string{"connect", "hold"}, []string{"connects", "connections"}
	add(connect, "stay", func(s *scenario.Scenario) { s.Stay, s.Rate = true, 300 })
	for _, v := range all {
		t.Run(string(v.Kind)+" "+v.Name, func(t *testing.T) {
			t.Parallel()
			r, err := try(t, v.Scenario, fake.Behaviour{})
			if err != nil {
				t.Fatal(err)
			}
			m := r.Rounds[0]
			if len(m.Phases) != len(v.phases) {
				t.Fatalf("%d phases, want %v", len(m.Phases), v.phases)
			}
			for i, p := range m.Phases {
				if p.Name != v.phases[i] || p.Unit != v.units[i] || p.Count == 0 || p.Seconds <= 0 {
					t.Errorf("phase %s: %d %s in %v s, want %s of %s", p.Name, p.Count, p.Unit, p.Seconds, v.units[i], v.phases[i])
				}
				if p.Broker == nil || p.Broker.RSS == 0 {
					t.Errorf("phase %s: broker %+v", p.Name, p.Broker)
				}
			}
			wanted := map[scenario.Kind]string{
				scenario.Connect: "connect_p99", scenario.Churn: "cycle_p99", scenario.Takeover: "cycle_p99",
				scenario.Idle: "kb_per_connection", scenario.Offline: "ack_p99",
			}[v.Kind]
			if wanted == "" {
				wanted = "latency_p99"
			}
			if f, ok := r.Figure(wanted); !ok || f.Median <= 0 {
				t.Errorf("%s is %+v; there are %v", wanted, f, r.Summary)
			}
			if len(m.Series) == 0 {
				t.Error("no series")
			}
		})
	}
}

// Those who are to come and go before the load do so once, and those who are connected all the time connect once.
// Without either of the groups that are connected before them, too.
func TestEarlierComeOnce(t *testing.T) {
	for _, others := range []int{0, 3} {
		s := small(scenario.Fanout)
		s.Earlier, s.Unrelated, s.UnrelatedClients, s.IdleClients = 200, others, others, others
		r, err := try(t, s, fake.Behaviour{})
		if err != nil {
			t.Fatal(err)
		}
		c := r.Rounds[0].Counters
		if want := uint64(200 + 2*others + s.Publishers + s.Subscribers); c.Connects != want || c.Cycles != 200 {
			t.Errorf("%d connects and %d cycles, want %d and 200", c.Connects, c.Cycles, want)
		}
	}
}

// TestFunctionsInsteadOfClients publishes and calls through functions, as a
// server's HTTP interface would.
func TestFunctionsInsteadOfClients(t *testing.T) {
	s := small(scenario.Broadcast)
	s.Rate = 200
	r, err := try(t, s, fake.Behaviour{}, func(c *Config) {
		conn := dial(t, c.Target.Addr)
		c.Load.Publish = func(_ context.Context, topic string, payload []byte) error {
			_, err := conn.Write((&packet.Publish{Topic: []byte(topic), Payload: payload}).AppendTo(nil))
			return err
		}
	})
	if err != nil || r.Rounds[0].Main().Count == 0 {
		t.Errorf("broadcast: %+v, %v", r, err)
	}
	var called sync.Map
	r, err = try(t, small(scenario.RRPC), fake.Behaviour{}, func(c *Config) {
		c.Call = func(_ context.Context, device load.Credentials, payload []byte) ([]byte, error) {
			called.Store(device.DeviceName, true)
			return payload, nil
		}
	})
	if _, ok := called.Load("d29"); !ok || err != nil || r.Rounds[0].Main().Count == 0 {
		t.Errorf("rrpc: %+v, %v", r, err)
	}
	_, err = try(t, small(scenario.RRPC), fake.Behaviour{}, func(c *Config) {
		c.Call = func(context.Context, load.Credentials, []byte) ([]byte, error) { return nil, errors.New("offline") }
	})
	if !errors.Is(err, fault.Failed) || !strings.Contains(err.Error(), "offline") {
		t.Errorf("a failing call: %v", err)
	}
}

// Those who call have a turn of the Go scheduler beside those of the lanes, which keep theirs while they wait.
func TestCallersDoNotWaitForLanes(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	seen := make(chan int, 1)
	call := func(_ context.Context, _ load.Credentials, payload []byte) ([]byte, error) {
		select {
		case seen <- runtime.GOMAXPROCS(0):
		default:
		}
		return payload, nil
	}
	for _, lanes := range []int{0, procs + 2} {
		_, err := try(t, small(scenario.RRPC), fake.Behaviour{}, func(c *Config) { c.Call, c.Load.Lanes = call, lanes })
		if err != nil {
			t.Fatal(err)
		}
		if got, want := <-seen, max(procs, lanes)+1; got != want {
			t.Errorf("%d turns for %d lanes, want %d", got, lanes, want)
		}
		if got := runtime.GOMAXPROCS(0); got != procs {
			t.Errorf("%d turns afterwards, want %d", got, procs)
		}
	}
}

// dial connects a bare client.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.Write((&packet.Connect{ClientID: []byte("function"), CleanSession: true}).AppendTo(nil))
	io.ReadFull(c, make([]byte, 4))
	return c
}

// TestFaultsFailTheRun shows how the error of a run tells what was wrong, and
// that a result is there all the same.
func TestFaultsFailTheRun(t *testing.T) {
	lossy := fake.Behaviour{Deliver: func(n int, right []byte) []byte {
		if n%10 == 0 {
			return nil
		}
		return right
	}}
	s := small(scenario.Fanout)
	r, err := try(t, s, lossy)
	if !errors.Is(err, fault.Lost) || r == nil {
		t.Fatalf("lossy: %v", err)
	}
	m := r.Rounds[0]
	if m.Lost == 0 || len(m.Metrics(&s)) != 0 || len(r.Faults) != 1 {
		t.Errorf("lossy: %d lost, metrics %v, faults %v", m.Lost, m.Metrics(&s), r.Faults)
	}
	if r, err = try(t, s, lossy, func(c *Config) { c.LossAllowed = 0.2 }); err != nil {
		t.Errorf("losses that are allowed: %v", err)
	} else if _, ok := r.Figure("latency_p99"); !ok || len(r.Rounds[0].Notes) == 0 {
		t.Errorf("losses that are allowed: %v, notes %v", r.Summary, r.Rounds[0].Notes)
	}
	s.QoS = 1
	if _, err = try(t, s, lossy, func(c *Config) { c.LossAllowed = 0.2 }); !errors.Is(err, fault.Lost) {
		t.Errorf("losses at QoS 1: %v", err)
	}
	refuses := fake.Behaviour{Connack: func(*packet.Connect, []byte) []byte { return []byte{0x20, 2, 0, 4} }}
	began := time.Now()
	if _, err := try(t, s, refuses, func(c *Config) { c.Repeats = 5 }); !errors.Is(err, fault.Refused) {
		t.Errorf("refused: %v", err)
	}
	if took := time.Since(began); took > patience/4 {
		t.Errorf("took %v to be refused", took)
	}
}

// TestEndsInTime stops runs in every way from outside.
func TestEndsInTime(t *testing.T) {
	s := small(scenario.Fanout)
	s.Duration = time.Hour
	b := fake.Start(t, fake.Behaviour{})
	ctx, cancel := context.WithCancel(context.Background())
	r, err := Run(ctx, Config{Scenario: s, Target: Target{Addr: b.Addr}, Progress: func(tick Tick) {
		if tick.Phase == "load" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || r == nil || len(r.Rounds) != 1 || r.Rounds[0].Main() == nil {
		t.Errorf("cancelled: %+v, %v", r, err)
	}
	time.AfterFunc(300*time.Millisecond, b.Stop)
	r, err = Run(context.Background(), Config{Scenario: s, Target: Target{Addr: b.Addr}})
	if !errors.Is(err, fault.Closed) || r == nil {
		t.Errorf("broker gone: %+v, %v", r, err)
	}
}

func TestConfigRefuses(t *testing.T) {
	good := Config{Scenario: small(scenario.Fanout), Target: Target{Addr: "127.0.0.1:1"}}
	for name, change := range map[string]func(*Config){
		"no target":   func(c *Config) { c.Target = Target{} },
		"two targets": func(c *Config) { c.Target.Command = []string{"x"} },
		"scenario":    func(c *Config) { c.Scenario.Subscribers = 0 },
		"loss":        func(c *Config) { c.LossAllowed = 2 },
		"address":     func(c *Config) { c.Target.Addr = "nowhere" },
		"process":     func(c *Config) { c.Target.PIDs = []int{1 << 30} },
		"command":     func(c *Config) { c.Target = Target{Command: []string{"/nonexistent"}} },
	} {
		c := good
		change(&c)
		if r, err := Run(context.Background(), c); err == nil || r != nil {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// The test binary is also a broker that the tests start as a command.
func TestMain(m *testing.M) {
	if addr := os.Getenv("BENCH_TEST_BROKER"); addr != "" {
		if _, err := fake.Listen(os.Args[1], fake.Behaviour{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

func TestCommandIsStartedForEachRound(t *testing.T) {
	t.Setenv("BENCH_TEST_BROKER", "yes")
	s := small(scenario.Pairs)
	var pids sync.Map
	r, err := Run(context.Background(), Config{
		Scenario: s, Repeats: 2, trusting: true,
		Target: Target{Name: "started", Command: []string{os.Args[0], "{addr}"}},
		Load: load.Options{Identity: func(i int) load.Credentials {
			return load.Credentials{ClientID: fmt.Sprint("c", i), Username: "u", Password: "p"}
		}},
		Progress: func(tick Tick) { pids.Store(tick.Phase, tick) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rounds) != 2 || r.Rounds[0].Main().Broker.RSS == 0 {
		t.Errorf("%d rounds, %+v", len(r.Rounds), r.Rounds[0].Main().Broker)
	}
	if f, ok := r.Figure("deliveries_per_cpu_second"); !ok || f.N != 2 || f.Median <= 0 {
		t.Errorf("figure %+v", f)
	}
}

func TestCompare(t *testing.T) {
	t.Setenv("BENCH_TEST_BROKER", "yes")
	s := small(scenario.Fanout)
	s.Rate, s.Window = 0, 5
	command := []string{os.Args[0], "{addr}"}
	var order []string
	var mu sync.Mutex
	c, err := Compare(context.Background(), Config{Scenario: s, Repeats: 3, trusting: true, Progress: func(tick Tick) {
		if tick.Phase == "start" {
			mu.Lock()
			order = append(order, tick.Target)
			mu.Unlock()
		}
	}}, Target{Name: "a", Command: command}, Target{Name: "b", Command: command})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abbaab" {
		t.Errorf("measured in the order %s", got)
	}
	i := slices.IndexFunc(c.Ratios, func(r Ratio) bool { return r.Name == "deliveries_per_cpu_second" })
	if i < 0 {
		t.Fatalf("ratios %v", c.Ratios)
	}
	if r := c.Ratios[i]; r.Target != "b" || r.Base != "a" || r.Ratio.Ratio < 0.3 || r.Ratio.Ratio > 3 || r.Low > r.High {
		t.Errorf("a broker against itself: %v", r)
	}
	if _, err := Compare(context.Background(), Config{Scenario: s}, Target{Addr: "x:1"}); err == nil {
		t.Error("a comparison of one was taken")
	}
	// A ratio is found by the target's name.
	x, same := Target{Name: "x", Addr: "127.0.0.1:1"}, Target{Name: "a", Addr: "127.0.0.1:1"}
	if _, err := Compare(context.Background(), Config{Scenario: s}, x, same, same); err == nil || errors.Is(err, fault.Unreachable) {
		t.Errorf("two targets of one name were taken: %v", err)
	}
}

// TestCompareLeavesOutTheBroken has one right broker and one that refuses.
func TestCompareLeavesOutTheBroken(t *testing.T) {
	s := small(scenario.Pairs)
	s.Duration = 100 * time.Millisecond
	var refused atomic.Int64
	good := fake.Start(t, fake.Behaviour{})
	bad := fake.Start(t, fake.Behaviour{Connack: func(*packet.Connect, []byte) []byte {
		refused.Add(1)
		return []byte{0x20, 2, 0, 5}
	}})
	c, err := Compare(context.Background(), Config{Scenario: s, Repeats: 3},
		Target{Name: "good", Addr: good.Addr}, Target{Name: "bad", Addr: bad.Addr})
	if !errors.Is(err, fault.Refused) {
		t.Errorf("error %v", err)
	}
	if len(c.Results[0].Rounds) != 3 || len(c.Results[1].Rounds) != 1 || len(c.Ratios) != 0 {
		t.Errorf("%d and %d rounds, ratios %v", len(c.Results[0].Rounds), len(c.Results[1].Rounds), c.Ratios)
	}
}

func TestSearch(t *testing.T) {
	s := small(scenario.Pairs)
	s.Warmup, s.Duration, s.Cooldown = 20*time.Millisecond, 100*time.Millisecond, 0
	s.Rate = 200
	b := fake.Start(t, fake.Behaviour{})
	cfg := Config{Scenario: s, Target: Target{Addr: b.Addr}, trusting: true}
	cfg.Load.StallTime = 100 * time.Millisecond
	h, err := Search(context.Background(), cfg, Bound{P99: time.Minute, Most: 800})
	if err != nil || h.Rate != 800 || h.Limit != "most" || len(h.Steps) != 3 {
		t.Errorf("without a limit: %+v, %v", h, err)
	}
	h, err = Search(context.Background(), cfg, Bound{P99: time.Nanosecond, From: 3})
	if err != nil || h.Rate != 0 || h.Limit != "latency" {
		t.Errorf("an impossible bound: %+v, %v", h, err)
	}
	lossy := fake.Start(t, fake.Behaviour{Deliver: func(n int, right []byte) []byte {
		if n > 7 {
			return nil
		}
		return right
	}})
	cfg.Target.Addr = lossy.Addr
	h, err = Search(context.Background(), cfg, Bound{P99: time.Minute, From: 100, Precision: 0.2})
	if err != nil || h.Rate == 0 || h.Limit != "loss" {
		t.Errorf("a broker that loses when there is much: rate %v, limit %s, %v", h.Rate, h.Limit, err)
	}
	for _, b := range []Bound{{}, {P99: 1, From: -1}} {
		if _, err := Search(context.Background(), cfg, b); err == nil {
			t.Errorf("%+v was taken", b)
		}
	}
}

// TestResultIsAValue writes a result as JSON and reads it back.
func TestResultIsAValue(t *testing.T) {
	r, err := try(t, small(scenario.Fanout), fake.Behaviour{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&back)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(text) {
		t.Errorf("the second writing differs:\n%s\n%s", again, text)
	}
	if back.Schema != Schema || back.Rounds[0].Main().Times.Delivery.Count() == 0 {
		t.Errorf("read back %+v", back.Rounds[0].Main())
	}
}
