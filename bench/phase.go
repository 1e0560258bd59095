package bench

import (
	"context"
	"runtime"
	"time"

	"sampan/bench/hist"
	"sampan/bench/load"
)

const (
	// quickLook is how often a part is asked whether it is done.
	quickLook = time.Millisecond
	// points is about how many points a series has for each phase.
	points = 60
	// soonest and latest bound the time between two points.
	soonest = 200 * time.Millisecond
	latest  = time.Minute
	// tickTime is about how often progress is told, seldom how often if the
	// telling costs.
	tickTime = time.Second
	seldom   = 5 * time.Second
)

// part is a part of a round, measured or not.
type part struct {
	name string
	// unit is what is counted, by count; empty: the part is not measured.
	unit  string
	count func(*load.Counters) uint64
	// last is how long the part takes, or with done how long it may take
	// before it is given up (0: no bound).
	last time.Duration
	done func(*load.Counters) bool
	// begin starts what the part measures, after its first sample; may be nil.
	begin func() error
}

// during lets the load go on for a part and samples it. It returns early with
// load.ErrAborted when a fault ends the run, or with the context's error.
func (r *round) during(ctx context.Context, p part) error {
	began := r.before()
	r.point(p.name, &began)
	if p.unit != "" {
		r.times = load.NewTimes()
		span := p.last
		if p.done != nil {
			span = unending // what begins in it counts, whenever it ends
		}
		r.engine.Measure(span)
	}
	if p.begin != nil {
		if err := p.begin(); err != nil {
			return err
		}
	}
	over, err := r.wait(ctx, p, &began)
	if p.unit != "" && over != nil {
		r.result.Phases = append(r.result.Phases, r.phase(&p, &began, over))
	}
	return err
}

// unending is a span longer than any part.
const unending = 3 * 24 * time.Hour

// wait samples until a part is over and returns the last reading.
func (r *round) wait(ctx context.Context, p part, began *reading) (*reading, error) {
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	// It ends with the part.
	go func() {
		defer close(watched)
		r.engine.Watch(ctx)
	}()
	defer func() {
		cancel()
		<-watched
	}()
	every, tick := min(max(p.last/points, soonest), latest), tickTime
	if r.Scenario.Rate > 0 && (len(r.CPUs) == 1 || runtime.GOMAXPROCS(0) == 1) {
		every, tick = max(every, seldom), seldom // on the lanes' only processor each look makes messages late
	}
	sample := min(every, tick)
	look := sample
	if p.done != nil {
		look = quickLook
	}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	var end <-chan time.Time
	if p.last > 0 {
		timer := time.NewTimer(p.last)
		defer timer.Stop()
		end = timer.C
	}
	sampled, pointed, told := time.Now(), time.Now(), time.Now()
	for {
		var over bool
		var err error
		select {
		case <-ticker.C:
		case <-end:
			over = true
		case <-r.engine.Aborted():
			err = load.ErrAborted
		case <-ctx.Done():
			err = ctx.Err()
		}
		if p.done != nil {
			count := r.engine.Count()
			over = over || p.done(&count)
		}
		// A ticker may be a little early.
		const nearly = soonest / 10
		if !over && err == nil && time.Since(sampled) < sample-nearly {
			continue
		}
		read := r.glance
		if over || err != nil {
			read = r.after
		}
		now := read()
		sampled = time.Now()
		runtime.Gosched()
		if over || err != nil || sampled.Sub(pointed) >= every-nearly {
			pointed = sampled
			r.point(p.name, &now)
			runtime.Gosched()
		}
		if over || sampled.Sub(told) >= tick-nearly {
			told = sampled
			r.tell(&p, began, &now)
		}
		if over || err != nil {
			return &now, err
		}
	}
}

// while runs f and tells progress meanwhile, for what is not sampled.
func (r *round) while(ctx context.Context, name string, f func(context.Context) error) error {
	done := make(chan error, 1)
	// It ends with f.
	go func() { done <- f(ctx) }()
	ticker := time.NewTicker(tickTime)
	defer ticker.Stop()
	began := time.Now()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
			c := r.engine.Count()
			r.tick(Tick{Phase: name, Elapsed: time.Since(began), Online: c.Online, Missing: c.Missing, Faults: len(r.engine.Faults())})
		}
	}
}

// phase makes the result of a measured part.
func (r *round) phase(p *part, from, to *reading) Phase {
	seconds := (to.At - from.At).Seconds()
	f := Phase{Name: p.name, Unit: p.unit, Seconds: seconds, Times: r.times, Counters: to.Counters.Since(&from.Counters)}
	f.Count = p.count(&f.Counters)
	if r.broker != nil {
		u := use(from.broker, to.broker, seconds)
		u.RSSBefore = r.unloaded.RSS
		f.Broker = &u
	}
	f.Generator.Use = use(from.self, to.self, seconds)
	f.Generator.Busy = to.Busiest(&from.Sample)
	return f
}

// window is what happened from one point to the next.
type window struct {
	from    reading
	arrived hist.Coarse // latencies
}

// end makes a point of the window and begins the next one; false if no time
// has passed.
func (w *window) end(r *round, phase string, now *reading) (Point, bool) {
	last := &w.from
	seconds := (now.At - last.At).Seconds()
	if seconds <= 0 {
		return Point{}, false
	}
	rate := func(from, to uint64) float64 { return float64(to-from) / seconds }
	p := Point{
		At: time.Since(r.began).Seconds(), Phase: phase, Online: now.Online,
		Sent:      rate(last.Sent, now.Sent),
		Delivered: rate(last.Delivered, now.Delivered),
		Connects:  rate(last.Connects, now.Connects),
		P50:       microseconds(w.arrived.Quantile(0.5)),
		P99:       microseconds(w.arrived.Quantile(0.99)),
		CPU:       (now.broker.CPU - last.broker.CPU).Seconds() / seconds,
		RSS:       now.broker.RSS,
		Missing:   now.Missing, Backlog: now.Backlog,
	}
	w.from = *now
	w.arrived.Reset()
	return p, true
}

// point adds to the series what happened since the last point.
func (r *round) point(phase string, now *reading) {
	if p, ok := r.series.end(r, phase, now); ok {
		r.result.Series = append(r.result.Series, p)
	}
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// tell makes progress of what happened since it was told last.
func (r *round) tell(p *part, began, now *reading) {
	last, ok := r.told.end(r, p.name, now)
	if r.Progress == nil || !ok {
		return
	}
	r.tick(Tick{
		Phase: p.name, Elapsed: now.At - began.At, Total: p.last,
		Online: now.Online, Sent: last.Sent, Received: last.Delivered, Connects: last.Connects,
		P99: time.Duration(last.P99 * float64(time.Microsecond)), Missing: now.Missing,
		Faults: len(r.engine.Faults()),
	})
}
