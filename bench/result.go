package bench

import (
	"time"

	"sampan/bench/fault"
	"sampan/bench/load"
	"sampan/bench/proc"
	"sampan/bench/scenario"
	"sampan/bench/stat"
)

// Schema is the version of the JSON form of results. It changes when a field
// changes its meaning or goes; new fields do not change it.
const Schema = 1

// Result is what the repeats of a scenario against one target gave.
type Result struct {
	Schema   int               `json:"schema"`
	Target   string            `json:"target"`
	Scenario scenario.Scenario `json:"scenario"`
	Machine  Machine           `json:"machine"`
	Began    time.Time         `json:"began"`
	// Rounds are the repeats, in order.
	Rounds []Measurement `json:"rounds"`
	// Summary is each figure's median and spread over the rounds that have it.
	Summary []Figure `json:"summary"`
	// Faults are those of all rounds.
	Faults []*fault.Fault `json:"faults,omitempty"`
}

// Figure is a metric over the rounds.
type Figure struct {
	Metric
	stat.Summary
}

// Measurement is one round.
type Measurement struct {
	// Phases are the parts that are measured; the last one is what the
	// scenario is about.
	Phases []Phase `json:"phases"`
	// Series is how the figures went over time, the warm-up included.
	Series []Point `json:"series"`
	// Counters are those of the whole round, warm-up and cool-down included.
	Counters load.Counters `json:"counters"`
	// Lost is the number of deliveries that never came.
	Lost uint64 `json:"lost"`
	// Faults are what the broker did wrong, and what this machine could not do.
	Faults []*fault.Fault `json:"faults,omitempty"`
	// Bottleneck says why the figures are not the broker's; empty if they are.
	Bottleneck string `json:"bottleneck,omitempty"`
	// Notes are circumstances that a reader should know.
	Notes []string `json:"notes,omitempty"`
	// Err is the error of the round in words. With one, its figures are
	// worthless.
	Err string `json:"error,omitempty"`
}

// Phase is a measured part of a round.
type Phase struct {
	Name string `json:"name"`
	// Unit is what Count counts: "deliveries", "connects" and so on.
	Unit  string `json:"unit"`
	Count uint64 `json:"count"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
	// Counters are the differences from its beginning to its end; Online and
	// Backlog the state at the end.
	Counters load.Counters `json:"counters"`
	// Times are the durations of what began in it.
	Times *load.Times `json:"times"`
	// Broker is what the broker used; nil if its processes are not known.
	Broker *Use `json:"broker,omitempty"`
	// Generator is what this process used.
	Generator GeneratorUse `json:"generator"`
}

// Use is what a group of processes used in a phase.
type Use struct {
	// CPU is processor time in seconds; User and System are its parts.
	CPU    float64 `json:"cpu_seconds"`
	User   float64 `json:"user_seconds"`
	System float64 `json:"system_seconds"`
	// Waited is how long its threads were ready and had no processor, as a
	// share of the time in which they were ready or running.
	Waited float64 `json:"waited_share"`
	// Thread is the processor time of the busiest thread as a share of the
	// phase.
	Thread float64 `json:"busiest_thread_share"`
	// Processors is how many it may use.
	Processors int `json:"processors"`
	// RSS is the resident memory at the end and RSSBefore that before the
	// round's first connection, in bytes.
	RSS       uint64 `json:"rss_bytes"`
	RSSBefore uint64 `json:"rss_before_bytes"`
	// Files is the number of open files at the end.
	Files int `json:"files"`
}

// GeneratorUse is what the generator itself used in a phase.
type GeneratorUse struct {
	Use
	// Busy is the largest share of the phase in which one of its loops was at
	// work.
	Busy float64 `json:"busiest_loop_share"`
}

// Point is the state at one moment of a round.
type Point struct {
	At        float64 `json:"at_seconds"` // since the round began
	Phase     string  `json:"phase"`
	Online    int64   `json:"online"`
	Sent      float64 `json:"sent_per_second"`
	Delivered float64 `json:"delivered_per_second"`
	Connects  float64 `json:"connects_per_second"`
	P50       float64 `json:"p50_us"` // of what arrived since the point before
	P99       float64 `json:"p99_us"`
	CPU       float64 `json:"broker_processors"` // in use since the point before
	RSS       uint64  `json:"broker_rss_bytes"`
	Missing   int64   `json:"missing"`
	Backlog   uint64  `json:"backlog"`
}

// Main is the phase that the scenario is about; nil if the round never got
// that far.
func (m *Measurement) Main() *Phase {
	if len(m.Phases) == 0 {
		return nil
	}
	return &m.Phases[len(m.Phases)-1]
}

// Rate is the phase's count a second.
func (p *Phase) Rate() float64 {
	if p.Seconds == 0 {
		return 0
	}
	return float64(p.Count) / p.Seconds
}

// PerCPU is the phase's count for each second of the broker's processor time;
// 0 if that is not known.
func (p *Phase) PerCPU() float64 {
	if p.Broker == nil || p.Broker.CPU == 0 {
		return 0
	}
	return float64(p.Count) / p.Broker.CPU
}

// PerConnection is the broker's resident memory in bytes for each connection
// that it has now: all of it, and what was added since before the first
// connection. Both are 0 if that is not known.
func (p *Phase) PerConnection() (all, added float64) {
	if p.Broker == nil || p.Counters.Online <= 0 {
		return 0, 0
	}
	n := float64(p.Counters.Online)
	return float64(p.Broker.RSS) / n, max(float64(p.Broker.RSS)-float64(p.Broker.RSSBefore), 0) / n
}

// counted is the faults that make an error: all, but for losses at QoS 0 up
// to the share that is allowed.
func (m *Measurement) counted(s *scenario.Scenario, allowed float64) (faults []*fault.Fault) {
	for _, f := range m.Faults {
		if f.Kind == fault.Lost && s.QoS == 0 && float64(m.Lost) <= allowed*float64(m.Counters.Delivered+m.Lost) {
			continue
		}
		faults = append(faults, f)
	}
	return faults
}

// use is the difference of two readings of a group over a phase.
func use(from, to proc.Usage, seconds float64) Use {
	u := Use{
		CPU:        (to.CPU - from.CPU).Seconds(),
		User:       (to.User - from.User).Seconds(),
		System:     (to.System - from.System).Seconds(),
		Processors: to.Processors,
		RSS:        to.RSS,
		Files:      to.Files,
	}
	if waited := (to.Waited - from.Waited).Seconds(); waited > 0 {
		u.Waited = waited / (waited + u.CPU)
	}
	if seconds > 0 {
		u.Thread = to.Busiest(&from).Seconds() / seconds
	}
	return u
}
