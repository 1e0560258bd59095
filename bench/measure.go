package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"sampan/bench/fault"
	"sampan/bench/load"
	"sampan/bench/proc"
	"sampan/bench/scenario"
)

// round is one measurement under way.
type round struct {
	*Config
	layout
	name     string // of the target
	round    int    // from 1
	rounds   int
	options  load.Options // of the engine
	engine   *load.Engine
	identity func(client int) load.Credentials
	broker   *proc.Group // nil: not known
	self     *proc.Group
	cut      bool       // the load ended before its time
	unsent   uint64     // messages or calls that were due at the end and given up
	unmade   uint64     // connections that were due and not made
	unloaded proc.Usage // of the broker, before the first connection
	began    time.Time
	series   window      // since the last point of the series
	told     window      // since progress was told
	times    *load.Times // of the last measured part: what began in it may end later
	result   Measurement
}

// connections is the unit of phases that hold connections.
const connections = "connections"

// measure does a scenario once. The error is about the machine or the
// configuration; what the broker does wrong is in the measurement.
func measure(ctx context.Context, cfg *Config, number, rounds int) (Measurement, error) {
	r := &round{Config: cfg, name: cfg.Target.name(), round: number, rounds: rounds, self: proc.Alone(os.Getpid())}
	addr := cfg.Target.Addr
	if len(cfg.Target.PIDs) > 0 {
		r.broker = proc.NewGroup(cfg.Target.PIDs...)
	}
	if len(cfg.Target.Command) > 0 {
		r.tick(Tick{Phase: "start"})
		server, err := proc.Start(ctx, cfg.Target.Command, cfg.Target.CPUs)
		if err != nil {
			return r.result, fmt.Errorf("bench: %w", err)
		}
		defer server.Stop()
		addr, r.broker = server.Addr, server.Group
	}
	if r.broker != nil {
		defer r.broker.Close()
		usage, err := r.broker.Read()
		if errors.Is(err, proc.ErrUnsupported) {
			r.broker = nil
		} else if err != nil {
			return r.result, fmt.Errorf("bench: target %s: %w", r.name, err)
		}
		r.unloaded = usage
	}
	defer r.self.Close()
	if err := r.prepare(addr); err != nil {
		return r.result, err
	}
	defer r.engine.Close()
	r.began = time.Now()
	first := r.before()
	r.series.from, r.told.from = first, first
	err := r.run(ctx)
	r.finish()
	if ctx.Err() != nil {
		if p := r.result.Main(); p != nil {
			r.result.Notes = append(r.result.Notes, fmt.Sprintf("interrupted after %v of %s",
				time.Duration(p.Seconds*float64(time.Second)).Round(time.Millisecond), p.Name))
		}
		return r.result, ctx.Err()
	}
	if r.cut && r.result.Err == "" {
		r.result.Err = errCut.Error()
		return r.result, fmt.Errorf("bench: %s: %w", r.name, errCut)
	}
	if err != nil && !errors.Is(err, load.ErrAborted) {
		return r.result, err
	}
	return r.result, nil
}

// errInterrupted is the error of a round that the user has ended beside whole
// ones.
var errInterrupted = errors.New("interrupted, while others are whole")

// errCut is the error of a round without a fault that counts.
var errCut = errors.New("the load has come to a halt: nothing moved any more while something was to come")

// prepare makes the plan and the engine.
func (r *round) prepare(addr string) error {
	key := rand.Uint64()
	run := fmt.Sprintf("%08x", uint32(key))
	o := r.Load
	o.Addr, o.KeepAlive, o.Tolerant = addr, r.Scenario.KeepAlive, false
	if o.Identity == nil {
		o.Identity = func(i int) load.Credentials {
			return load.Credentials{ClientID: fmt.Sprintf("bench-%s-%d", run, i), ProductKey: "bench", DeviceName: fmt.Sprintf("d%d", i)}
		}
	}
	byFunction := r.Call != nil
	if r.Scenario.Kind == scenario.Fanout || r.Scenario.Kind == scenario.Broadcast {
		byFunction = o.Publish != nil
	}
	r.identity = o.Identity
	r.layout = newLayout(r.Scenario, run, key, o.Identity, byFunction)
	if len(o.Sources) == 0 && o.Dial == nil {
		o.Sources = sources(addr, &r.Scenario, len(r.plan.Clients))
	}
	engine, err := load.New(r.plan, o)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	r.options, r.engine = o, engine
	return nil
}

// portsEach is how many connections come from one source address: fewer than
// the ports of a system with its usual settings.
const portsEach = 20_000

// sources are the addresses to come from when the broker is on this machine
// and one address has too few ports: because there are many connections, or
// because ports of closed ones stay taken for a minute.
func sources(addr string, s *scenario.Scenario, clients int) (all []netip.Addr) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || !strings.HasPrefix(host, "127.") && host != "localhost" {
		return nil
	}
	n := clients/portsEach + 1
	if s.Kind == scenario.Connect && !s.Stay || s.Kind == scenario.Churn || s.Kind == scenario.Soak {
		n += 15
	}
	if n == 1 || host == "localhost" && !resolvesTo4(host) {
		return nil
	}
	for i := range n {
		all = append(all, netip.AddrFrom4([4]byte{127, 0, byte(i / 250), byte(i%250 + 1)}))
	}
	return all
}

// resolvesTo4 reports whether a connection to the host goes to an IPv4
// address.
func resolvesTo4(host string) bool {
	a, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(host, "1"))
	return err == nil && a.IP.To4() != nil
}

// reading is everything that is sampled at one moment.
type reading struct {
	load.Sample
	broker, self proc.Usage
}

// before is a reading at the beginning of what is measured, after one at its
// end. What takes long to read, and keeps a processor from the lanes
// meanwhile, lies outside.
func (r *round) before() (now reading) {
	r.survey(&now)
	r.sample(&now, r.engine.Sample)
	return now
}

func (r *round) after() (now reading) {
	r.sample(&now, r.engine.Sample)
	r.survey(&now)
	return now
}

// glance is a reading during what is measured, of nothing that takes long.
func (r *round) glance() (now reading) {
	r.sample(&now, r.engine.Glance)
	runtime.Gosched() // the lanes may have no other processor
	if r.broker != nil {
		var err error
		now.broker.RSS, err = r.broker.Memory()
		r.ended(err)
	}
	return now
}

// sample reads the load, and the processor time of the same moment.
func (r *round) sample(now *reading, read func(also func()) load.Sample) {
	now.Sample = read(func() {
		if r.broker != nil {
			now.broker.CPU = r.broker.CPU()
		}
		now.self.CPU = r.self.CPU()
	})
	if r.times != nil && now.Measured != nil {
		r.times.Merge(now.Measured)
	}
	r.series.arrived.Merge(now.Recent)
	r.told.arrived.Merge(now.Recent)
}

// survey reads all that the broker and this process use. Listing the files of
// a broker with a thousand connections takes some ten milliseconds.
func (r *round) survey(now *reading) {
	if r.broker != nil {
		cpu := now.broker.CPU
		var err error
		now.broker, err = r.broker.Read()
		now.broker.CPU = cpu
		r.ended(err)
	}
	cpu := now.self.CPU
	now.self, _ = r.self.Read()
	now.self.CPU = cpu
}

// ended makes a fault of the broker's end, or of what keeps this process from
// looking at it.
func (r *round) ended(err error) {
	switch {
	case errors.Is(err, proc.ErrEnded):
		r.engine.Fail(fault.Closed, "the broker's process has ended")
	case err != nil && !errors.Is(err, proc.ErrUnsupported):
		r.engine.Fail(fault.Exhausted, err.Error())
	}
}

// finish gathers what the round as a whole gave.
func (r *round) finish() {
	m := &r.result
	last := r.after()
	m.Counters = last.Counters
	m.Faults = r.engine.Faults()
	m.Lost = r.engine.Lost()
	for i := range m.Phases {
		p := &m.Phases[i]
		if why := p.bottleneck(&r.Scenario); why != "" && m.Bottleneck == "" && !r.trusting {
			m.Bottleneck = why
		}
	}
	if r.unsent > 0 {
		m.Notes = append(m.Notes, fmt.Sprintf("%d of %d messages that were due were never sent, because the broker took no more: no latency tells of them",
			r.unsent, r.unsent+m.Counters.Sent))
	}
	if r.unmade > 0 {
		m.Notes = append(m.Notes, fmt.Sprintf("%d connections that were due were not made, because those before them had not ended: no time tells of them", r.unmade))
	}
	counted := m.counted(&r.Scenario, r.LossAllowed)
	if err := fault.Join(counted); err != nil {
		m.Err = err.Error()
	}
	if m.Err == "" && m.Lost > 0 && r.Scenario.Rate == 0 && m.Bottleneck == "" {
		m.Bottleneck = fmt.Sprintf("a closed load sends no more where a message was lost, and %d were: a load at a rate goes on", m.Lost)
	}
	if len(counted) < len(m.Faults) {
		m.Notes = append(m.Notes, fmt.Sprintf("%d of %d deliveries were lost at QoS 0, which was allowed", m.Lost, m.Counters.Delivered+m.Lost))
	}
}

// tick tells the caller how it goes.
func (r *round) tick(t Tick) {
	if r.Progress == nil {
		return
	}
	t.Target, t.Scenario, t.Round, t.Rounds = r.name, r.Scenario.Name, r.round, r.rounds
	r.Progress(t)
}
