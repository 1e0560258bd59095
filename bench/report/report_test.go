package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sampan/bench"
	"sampan/bench/fault"
	"sampan/bench/load"
	"sampan/bench/scenario"
	"sampan/bench/stat"
)

// result makes up what a target gave in some rounds, speed times as fast as
// another.
func result(t *testing.T, name, target string, speed float64, rounds int) *bench.Result {
	t.Helper()
	s, err := scenario.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	r := &bench.Result{
		Schema: bench.Schema, Target: target, Scenario: s, Began: time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC),
		Machine: bench.Machine{OS: "linux", Kernel: "6.1", Arch: "amd64", Processor: "Test <CPU>", Processors: 2, Go: "go1.26"},
	}
	rng := rand.New(rand.NewPCG(1, uint64(speed*1000)))
	for n := range rounds {
		p := bench.Phase{
			Name: "load", Unit: "deliveries", Count: uint64(1e6 * speed), Seconds: 3, Times: load.NewTimes(),
			Broker: &bench.Use{CPU: 2.5 + 0.2*float64(n), Processors: 1, RSS: 20 << 20},
		}
		for range 20_000 {
			p.Times.Delivery.Record(time.Duration(rng.ExpFloat64() / speed * 3e5))
		}
		m := bench.Measurement{Phases: []bench.Phase{p}, Counters: load.Counters{Sent: 1000, Delivered: 123_456, Connects: 101}}
		for i := range 40 {
			phase := "load"
			if i < 10 {
				phase = "warm-up"
			}
			m.Series = append(m.Series, bench.Point{
				At: float64(i) / 10, Phase: phase, Online: 101, Sent: 100, Delivered: 3e5 * speed * (1 + 0.1*rng.Float64()),
				P50: 200 / speed, P99: 1500 / speed * (1 + rng.Float64()), CPU: 0.9, RSS: uint64(20+i/4) << 20,
			})
		}
		r.Rounds = append(r.Rounds, m)
	}
	for _, v := range r.Rounds[0].Metrics(&s) {
		var values []float64
		for i := range r.Rounds {
			for _, w := range r.Rounds[i].Metrics(&s) {
				if w.Name == v.Name {
					values = append(values, w.Value)
				}
			}
		}
		r.Summary = append(r.Summary, bench.Figure{Metric: v.Metric, Summary: stat.Of(values...)})
	}
	return r
}

// sample is a report with everything that there is to show.
func sample(t *testing.T) *Report {
	a, b, c := result(t, "fanout-100", "mosquitto", 1, 3), result(t, "fanout-100", "sampan", 8, 3), result(t, "fanout-100", "<broken>", 2, 1)
	c.Summary = nil
	c.Rounds[0].Lost, c.Rounds[0].Err = 7, "lost: 7"
	c.Rounds[0].Notes = []string{"a note"}
	c.Rounds[0].Phases[0].Broker.Waited = 0.4
	c.Faults = []*fault.Fault{{Kind: fault.Lost, Count: 7, First: `topic "a<b"`}}
	d := result(t, "everyday", "sampan", 3, 1)
	d.Rounds[0].Bottleneck = "it was late"
	d.Summary = d.Summary[:1]
	r := &Report{Results: []*bench.Result{a, b, c, d}}
	for _, f := range b.Summary {
		r.Ratios = append(r.Ratios, bench.Ratio{
			Metric: f.Metric, Scenario: b.Scenario.Name, Target: "sampan", Base: "mosquitto",
			Ratio: stat.Ratio{Ratio: 8, Low: 7.5, High: 8.4},
		})
	}
	r.Searches = []*bench.Highest{{
		Schema: bench.Schema, Target: "sampan", P99: 1000, Rate: 20_000, Limit: "latency",
		Steps: []bench.Step{
			{Rate: 10_000, Good: true, Result: result(t, "everyday", "sampan", 4, 1)},
			{Rate: 20_000, Good: true, Result: result(t, "everyday", "sampan", 2, 1)},
			{Rate: 40_000, Limit: "latency", Result: result(t, "everyday", "sampan", 0.5, 1)},
		},
	}}
	return r
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := sample(t).WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"fanout-100: 1 to 100, QoS 0, 64 bytes, window 200",
		"median of 3 rounds of 3s after 1s of warm-up",
		"deliveries per CPU second", "370 k/CPU-s", "±7 %", "× 8", "7.50 to 8.40",
		"latency p99.99",
		"mosquitto: 303 connections, 3,000 sent, 370,368 delivered, 0 lost, 0 doubled, 0 reordered, 0 wrong",
		`<broken>: FAULT lost 7 times, first: topic "a<b"`,
		"<broken>: note, round 1: a note",
		"<broken>: crowded machine: others had the processors for up to 40 %",
		"sampan: NO BROKER FIGURE: the generator was the bottleneck: it was late",
		"20 k/s; the next rate fails by latency",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	// Columns are aligned: lines of a table have the same length.
	var width int
	for line := range strings.Lines(text) {
		if strings.Contains(line, " per CPU second") || strings.Contains(line, " latency p") {
			n := len([]rune(line))
			if width == 0 || strings.Contains(line, "CPU second") {
				width = n
			} else if n != width {
				t.Errorf("a line of %d characters among those of %d:\n%s", n, width, line)
			}
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	full := errors.New("full")
	if err := sample(t).WriteTable(writer(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) {
		t.Errorf("a writer's error became %v", err)
	}
}

// writer is a function that is written to.
type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestHTML checks that the page is well-formed, needs nothing from outside,
// and escapes what brokers and users named.
func TestHTML(t *testing.T) {
	var b bytes.Buffer
	if err := sample(t).WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	plots, depth := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			if e.Name.Local == "svg" {
				plots++
			}
			if e.Name.Local == "script" || e.Name.Local == "link" || e.Name.Local == "img" {
				t.Errorf("the page has a <%s>", e.Name.Local)
			}
			for _, a := range e.Attr {
				if a.Name.Local == "src" || a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#") {
					t.Errorf("the page refers to %s", a.Value)
				}
			}
		case xml.EndElement:
			depth--
		}
	}
	if plots < 8 {
		t.Errorf("%d plots", plots)
	}
	if strings.Contains(text, "<broken>") || !strings.Contains(text, "&lt;broken&gt;") {
		t.Error("a target's name is not escaped")
	}
	if bad := regexp.MustCompile(`NaN|Inf|%!`).FindString(text); bad != "" {
		t.Errorf("the page contains %s", bad)
	}
	for _, want := range []string{"fanout-100", "everyday", "× 8 (7.50 to 8.40)", "no figure of this broker", "generator was the bottleneck", "not measured"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if name := os.Getenv("REPORT_TEST_PAGE"); name != "" {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Error(err)
		}
	}
	if err := new(Report).WriteHTML(io.Discard); err != nil {
		t.Errorf("a page of nothing: %v", err)
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := sample(t).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	back, err := ReadJSON(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := back.WriteJSON(&again); err != nil {
		t.Fatal(err)
	}
	if again.String() != b.String() {
		t.Error("the second writing differs")
	}
	var schema struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(b.Bytes(), &schema); err != nil || schema.Schema != bench.Schema {
		t.Errorf("schema %d, %v", schema.Schema, err)
	}
	for _, bad := range []string{"", "{}", `{"schema":999}`} {
		if _, err := ReadJSON(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestCSV(t *testing.T) {
	r := sample(t)
	for name, write := range map[string]func(io.Writer) error{"metrics": r.WriteCSV, "series": r.WriteSeriesCSV} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll() // refuses rows of different lengths
		if err != nil || len(rows) < 50 {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
		}
	}
	if err := r.WriteCSV(writer(func([]byte) (int, error) { return 0, io.ErrShortWrite })); err == nil {
		t.Error("a writer's error is lost")
	}
}

func TestHgrm(t *testing.T) {
	dir := t.TempDir()
	names, err := sample(t).WriteHgrm(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 2 { // not of the round in which the generator was the bottleneck, nor of the broken one
		t.Errorf("files %v", names)
	}
	text, err := os.ReadFile(names[0])
	if err != nil || !strings.Contains(string(text), "1/(1-Percentile)") || !strings.Contains(string(text), "=        60000]") {
		t.Errorf("%s: %v\n%s", names[0], err, text)
	}
	if _, err := sample(t).WriteHgrm(dir + "/none"); err == nil {
		t.Error("wrote into a folder that is not there")
	}
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b)
	now := time.Unix(0, 0)
	p.now = func() time.Time { return now }
	tick := bench.Tick{
		Scenario: "fanout", Target: "x", Phase: "load", Round: 2, Rounds: 3, Elapsed: 2 * time.Second, Total: 10 * time.Second,
		Online: 1101, Sent: 200, Received: 20_000, P99: 1500 * time.Microsecond, Missing: 3, Faults: 1,
	}
	for range 12 {
		p.Tick(tick)
		now = now.Add(time.Second)
	}
	p.Close()
	const want = "fanout x 2/3  load 2s/10s  conns 1,101  in 200/s  out 20 k/s  p99 1.50 ms  lost 3  faults 1\n"
	if got := b.String(); got != strings.Repeat(want, 3) {
		t.Errorf("no terminal: %q, want three lines in twelve seconds", got)
	}

	b.Reset()
	p.width = func() int { return 30 }
	p.Tick(tick)
	tick.Phase = "x"
	tick.Scenario, tick.Target = "", ""
	tick.Online, tick.Sent, tick.Received, tick.P99, tick.Faults = 0, 0, 0, 0, 0
	p.Tick(tick)
	p.Close()
	lines := strings.Split(b.String(), "\r")
	for _, l := range lines {
		if len(l) > 29 {
			t.Errorf("a line of %d characters on a terminal of 30: %q", len(l), l)
		}
	}
	if strings.Contains(b.String(), "\n") || !strings.HasSuffix(b.String(), strings.Repeat(" ", 29)+"\r") {
		t.Errorf("the line is not rewritten and cleared: %q", b.String())
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 7: "7", 0.1234: "0.12", 0.00123: "0.0012", 12.34: "12.3", 123.4: "123", 999.6: "1.00 k", 1234: "1.23 k",
		5_300_000: "5.30 M", 45e9: "45 G", -1500: "-1.50 k", 2e15: "2000 T",
	} {
		if got := short(v); got != want {
			t.Errorf("short(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.5: "0.50 µs", 385: "385 µs", 15_400: "15.4 ms", 2_500_000: "2.50 s"} {
		if got := value(v, "µs"); got != want {
			t.Errorf("value(%v) = %q, want %q", v, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 12_345_678: "12,345,678"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

// TestAxes shows that ticks are round and lie on the axis.
func TestAxes(t *testing.T) {
	for _, a := range []axis{{0, 1, false}, {0, 0.37, false}, {3, 97_000, false}, {1, 1000, true}, {30, 30_000, true}} {
		ticks := a.ticks(short, 5)
		if len(ticks) < 3 || len(ticks) > 14 {
			t.Errorf("%+v: ticks %v", a, ticks)
		}
		for _, m := range ticks {
			if s := a.share(m.at); s < -1e-6 || s > 1+1e-6 {
				t.Errorf("%+v: tick %v lies at %v", a, m, s)
			}
		}
	}
	for v, want := range map[float64]float64{1: 1, 2.5: 1, 4: 3, 99: 30, 100: 100} {
		if got := decade(v, math.Floor); math.Abs(got-want) > 1e-9 {
			t.Errorf("decade below %v is %v, want %v", v, got, want)
		}
	}
}

// A search for connections shows how long those take.
func TestSearchOfConnections(t *testing.T) {
	step := result(t, "churn", "sampan", 1, 1)
	for i, q := range []string{"p50", "p99", "p99.9"} {
		step.Summary = append(step.Summary, bench.Figure{
			Metric: bench.Metric{Name: "cycle_" + q, Unit: "µs", Less: true}, Summary: stat.Of(float64(7001 + i*1000)),
		})
	}
	r := &Report{Searches: []*bench.Highest{{
		Target: "sampan", P99: 10_000, Bounded: "cycle", Rate: 100, Limit: "most",
		Steps: []bench.Step{{Rate: 100, Good: true, Result: step}},
	}}}
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	bad := *step
	bad.Faults = []*fault.Fault{{Kind: fault.Closed, Count: 1, First: "by the broker"}}
	r.Searches[0].Steps = append(r.Searches[0].Steps, bench.Step{Rate: 200, Limit: "fault", Result: &bad})
	b.Reset()
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"at 200/s: FAULT closed: by the broker", "cycle p99 within 10 ms", "7.00 ms", "8.00 ms", "9.00 ms"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}

// Targets of which not all have the same kinds of durations are not mixed up in a plot.
func TestPlotsAreOfOneKind(t *testing.T) {
	acks, both := result(t, "fanout-100", "acks", 1, 1), result(t, "fanout-100", "both", 1, 1)
	for _, r := range []*bench.Result{acks, both} {
		r.Rounds[0].Phases[0].Times.Ack.RecordN(time.Second, 100)
	}
	acks.Rounds[0].Phases[0].Times.Delivery.Reset()
	var b bytes.Buffer
	if err := (&Report{Results: []*bench.Result{both, acks}}).WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	plots := regexp.MustCompile(`(?s)<svg[^>]*aria-label="(latency|ack): .*?</svg>`).FindAllStringSubmatch(b.String(), -1)
	if len(plots) != 2 {
		t.Fatalf("%d plots of percentiles", len(plots))
	}
	for _, p := range plots {
		if has := strings.Contains(p[0], "acks, p99"); has != (p[1] == "ack") {
			t.Errorf("the plot of %s shows the broker that has acknowledgements alone: %v", p[1], has)
		}
	}
}

// An outcome says no more than what was found.
func TestOutcome(t *testing.T) {
	for want, h := range map[string]bench.Highest{
		"interrupted before any rate was found good":    {Limit: "interrupted"},
		"at least 2 k/s; the search was interrupted":    {Limit: "interrupted", Rate: 2000},
		"2 k/s; the next rate fails by latency":         {Limit: "latency", Rate: 2000},
		"no rate is good: loss":                         {Limit: "loss"},
		"at least 2 k/s; what ended the search was not": {Limit: "most", Rate: 2000},
	} {
		if got := outcome(&h); !strings.HasPrefix(got, want) {
			t.Errorf("%+v: %q, want %q", h, got, want)
		}
	}
}
