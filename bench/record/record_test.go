package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sampan/bench/internal/fake"
	"sampan/bench/scenario"
)

// The test binary is also a broker that the tests start as a command.
func TestMain(m *testing.M) {
	if os.Getenv("RECORD_TEST_BROKER") != "" && len(os.Args) == 2 {
		if _, err := fake.Listen(os.Args[1], fake.Behaviour{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

// Every cell is a scenario and has its place; ceilings and programs that it names exist.
func TestCells(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cells {
		s, err := scenario.Find(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if seen[c.name] || c.title == "" || c.metric == "" || len(c.cores) == 0 {
			t.Errorf("%+v", c)
		}
		seen[c.name] = true
		if c.table == costs && c.goal == 0 {
			t.Errorf("%s has no goal", c.name)
		}
		if (s.Rate > 0) != c.timed() {
			t.Errorf("%s: a rate of %v, in the table of latencies: %v", c.name, s.Rate, c.timed())
		}
		for _, p := range []pace{whole, quick} {
			config, err := p.config(&c, c.cores[0])
			if err != nil || config.Scenario.Check() != nil || config.Repeats < 1 {
				t.Errorf("%s: %+v, %v", c.name, config, err)
			}
		}
	}
	if some, err := chosen("everyday,fanout-10"); err != nil || len(some) != 2 || some[0].name != "everyday" {
		t.Errorf("chosen %v, %v", some, err)
	}
	if _, err := chosen("nothing"); err == nil || !strings.Contains(err.Error(), "wildcard-1000") {
		t.Errorf("an unknown load: %v", err)
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		allowed           []int
		cores             int
		broker, generator []int
		shared            bool
	}{
		{[]int{0, 1}, 1, []int{1}, []int{0}, false},
		{[]int{0, 1}, 2, []int{0, 1}, []int{0, 1}, true},
		{[]int{0, 1, 2, 3}, 1, []int{3}, []int{0, 1, 2}, false},
		{[]int{0, 1, 2, 3}, 2, []int{2, 3}, []int{0, 1}, false},
		{nil, 2, nil, nil, false},
	} {
		got, err := share(c.allowed, c.cores)
		if err != nil || !slices.Equal(got.broker, c.broker) || !slices.Equal(got.generator, c.generator) || got.shared != c.shared {
			t.Errorf("%v for %d: %+v, %v", c.allowed, c.cores, got, err)
		}
	}
	if _, err := share([]int{0}, 1); err == nil {
		t.Error("one processor was shared out")
	}
}

// A cell is measured with every program; one that cannot be started does not end it.
func TestRunGoesOnOverAFailure(t *testing.T) {
	t.Setenv("RECORD_TEST_BROKER", "yes")
	good := func(int) []string { return []string{os.Args[0], "{addr}"} }
	programs := []program{
		{name: sampan, command: good},
		{name: mosquitto, command: func(int) []string { return []string{"/nonexistent/mosquitto"} }},
		{name: mochi, command: good},
	}
	c := cellOf("fanout-10")
	p := pace{rounds: 2, rounds2: 1, warmup: 10 * time.Millisecond, duration: 50 * time.Millisecond}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	entries, err := run(ctx, c, 1, p, processors{}, programs, nil)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%+v, %v", entries, err)
	}
	for i, e := range entries {
		if broken := i == 1; broken != (e.Trouble != "") || e.Program != programs[i].name || e.Cell != "fanout-10" {
			t.Errorf("%+v", e)
		}
	}
	if n := entries[0].of(perCPU).N; n == 0 {
		t.Errorf("no figure: %+v", entries[0])
	}
	if text := outcome(c, entries); !strings.Contains(text, "mosquitto FAILED: ") || !strings.Contains(text, "no such file") {
		t.Errorf("told as %s", text)
	}
}

// sample are figures with everything that a page can show.
func sample() *figures {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	f := &figures{Schema: schema}
	versions := map[string]string{sampan: "abc", mosquitto: "2.0.11", nats: "2.15.2"}
	f.Machine.Processor, f.Machine.Processors, f.Machine.OS, f.Machine.Kernel, f.Machine.Go = "Test", 2, "linux", "6.1", "go1.26"
	add := func(cell, program string, cores int, change func(*entry), metric string, values ...float64) {
		e := entry{Cell: cell, Cores: cores, Program: program, Version: versions[program], Measured: at, Warmup: 1, Duration: 2, Values: map[string][]float64{metric: values}}
		if change != nil {
			change(&e)
		}
		f.put(append(others(f, cell, cores), e))
	}
	add("fanout-100", sampan, 1, nil, perCPU, 19e6, 20e6, 21e6)
	add("fanout-100", mosquitto, 1, nil, perCPU, 250e3, 250e3, 260e3)
	add("fanout-100", nats, 1, func(e *entry) { e.Trouble = "lost 3 times" }, perCPU)
	add("fanout-100", sharedEpoll, 1, nil, perCPU, 40e6)
	add("fanout-100", sampan, 2, func(e *entry) { e.Bottleneck = "the generator was busy" }, perCPU, 22e6)
	for i, program := range []string{sampan, mosquitto, sharedEpoll} {
		add("everyday", program, 1, func(e *entry) {
			e.Realtime = true
			e.Values["latency_p50"] = []float64{150}
			e.Values["latency_p99"] = []float64{400 * float64(i+1)}
			e.Values["latency_p99.9"] = []float64{1200}
		}, perCPU, 50e3, 55e3)
	}
	add("fanout-100-idle", sampan, 1, func(e *entry) { e.Version, e.Measured = "older", at.Add(-time.Hour) }, perCPU, 19e6)
	add("idle-10000", sampan, 1, nil, perIdle, 4.2)
	add("rrpc-100", sampan, 1, func(e *entry) {
		e.Values["calls_per_second"], e.Values["latency_p50"], e.Values["latency_p99"] = []float64{9000}, []float64{8000}, []float64{15_000}
	}, callCPU, 12_000)
	return f
}

// others are the entries that put would replace.
func others(f *figures, cell string, cores int) (same []entry) {
	for _, e := range f.Entries {
		if e.Cell == cell && e.Cores == cores {
			same = append(same, e)
		}
	}
	return same
}

// The page is made of the file of figures alone.
func TestPage(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "benchmarks.json")
	if err := sample().write(name); err != nil {
		t.Fatal(err)
	}
	if err := record(context.Background(), []string{"--render", "--out", filepath.Join(dir, "benchmarks.md")}, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Measured on 4 May 2026: Test, 2 processors, linux 6.1, go1.26.\nSampan abc and older, mosquitto 2.0.11, nats-server 2.15.2.",
		"| load | Sampan | goal | mosquitto | nats-server | shared, epoll | shared, net.Conn | copied, net.Conn |",
		"| 1 to 100, QoS 0, window 200 | **20 M** ±5 % | 20 M | 250 k ±2 %, **× 80** | – <sup>1</sup> | 40 M, 50 % | – | – |",
		"| 1 to 100, QoS 0, window 200 | **22 M** <sup>2</sup> | – | – |",
		"in all, one core, real-time priority** |",
		"| mosquitto | 150 µs | 800 µs | 1.20 ms | 1.50 |\n| ceiling shared, epoll | 150 µs | 1.20 ms | 1.20 ms | 1 |",
		"beside 10,000 idle connections | 19 M, 95 % |",
		"| Sampan | 4.20 |",
		"| 100 devices, 100 calls at a time | 9000 | 12 k | 8 ms | 15 ms |",
		"1. nats-server, 1 to 100, QoS 0, window 200: lost 3 times\n2. The generator was the bottleneck",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", page)
	}
}

// Figures survive writing and reading; measuring a cell again replaces its entries only.
func TestFigures(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f.json")
	f := sample()
	if err := f.write(name); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(name)
	back, err := readFigures(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := back.write(name); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(name); !bytes.Equal(first, again) {
		t.Errorf("the second writing differs:\n%s\n%s", first, again)
	}
	n := len(back.Entries)
	back.put([]entry{{Cell: "fanout-100", Cores: 1, Program: sampan}})
	if len(back.Entries) != n-3 || back.find("fanout-100", 1, mosquitto) != nil || back.find("fanout-100", 2, sampan) == nil {
		t.Errorf("%d entries of %d are left: %+v", len(back.Entries), n, back.Entries)
	}
	if none, err := readFigures(filepath.Join(dir, "none.json")); err != nil || len(none.Entries) != 0 {
		t.Errorf("no file: %+v, %v", none, err)
	}
	for text, says := range map[string]string{"{": "unexpected end", `{"schema":99}`: "schema 99"} {
		os.WriteFile(name, []byte(text), 0o600)
		if _, err := readFigures(name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", text, err, says)
		}
	}
}

func TestPlan(t *testing.T) {
	all := []program{{name: sampan}, {name: mosquitto}, {name: sharedEpoll}, {name: copiedNetconn}}
	plan := func(words ...string) (steps []string, err error) {
		var s settings
		if err := s.parse(words, new(bytes.Buffer)); err != nil {
			return nil, err
		}
		made, err := s.plan(slices.Clone(all))
		for _, m := range made {
			steps = append(steps, fmt.Sprint(m.name, " ", m.cores, " ", len(m.programs)))
			if m.takes <= 0 {
				t.Errorf("%s takes no time", m.name)
			}
		}
		return steps, err
	}
	got, err := plan("--cells", "fanout-10,fanout-10-qos1,rrpc-1")
	if want := "fanout-10 1 4, fanout-10-qos1 1 3, rrpc-1 1 1, fanout-10 2 2, fanout-10-qos1 2 2"; err != nil || strings.Join(got, ", ") != want {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := plan("--cells", "fanout-10", "--cores", "1", "--programs", mosquitto); err != nil || fmt.Sprint(got) != "[fanout-10 1 2]" {
		t.Errorf("%v, %v", got, err)
	}
	for _, words := range [][]string{{"--cells", "x"}, {"--cores", "3"}, {"--programs", "x"}, {"word"}, {"--flag"}} {
		if got, err := plan(words...); err == nil {
			t.Errorf("%v was taken: %v", words, got)
		}
	}
	var s settings
	if err := s.parse([]string{"--quick", "--rounds", "7"}, new(bytes.Buffer)); err != nil || s.rounds != 7 || s.duration != quick.duration || s.rounds2 != quick.rounds2 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A Sampan that is not built by the command is called by the commit that Go has written into it.
func TestVersionOfABinary(t *testing.T) {
	if got := stamp("some/sampan"); got != "sampan" {
		t.Errorf("no binary: %q", got)
	}
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got := stamp(own); got != filepath.Base(own) { // test binaries bear no commit
		t.Errorf("this test: %q", got)
	}
}
