package load

import (
	"time"

	"sampan/bench/hist"
	"sampan/bench/proof"
	"sampan/bench/wire"
)

// Sample is the state of a load at one moment.
type Sample struct {
	At       time.Duration // since the engine's clock began
	Counters               // since the engine began
	// Times are the durations since the sample before: Measured holds what
	// began inside the span given to Measure, Other the rest. A glance has
	// none.
	Measured, Other *Times
	// Recent is how long the deliveries took that came since the sample or
	// glance before.
	Recent *hist.Coarse
	// Load is what the lanes have cost, summed up; Busy is the part of each
	// lane in Load.Busy.
	Load wire.Load
	Busy []time.Duration
}

// Busiest is the largest share of the time from an earlier sample to this one
// in which a lane was at work, 0 to 1.
func (s *Sample) Busiest(earlier *Sample) (share float64) {
	for i := range min(len(s.Busy), len(earlier.Busy)) {
		share = max(share, float64(s.Busy[i]-earlier.Busy[i])/float64(s.At-earlier.At))
	}
	return share
}

// Count sums up the counters alone.
func (e *Engine) Count() (sum Counters) {
	for _, l := range e.lanes {
		l.Lock()
		sum.add(&l.count)
		l.Unlock()
	}
	return sum
}

// Measure sets the span in which things have to begin for their durations to
// count: from now on for d. Zero means that nothing counts.
func (e *Engine) Measure(d time.Duration) {
	for _, l := range e.lanes {
		l.do(func() {
			l.measured = span{proof.Ticks(e.clock.Now()), uint64(d / proof.Tick)}
		})
	}
}

// Sample holds all lanes for a moment. If also is not nil it is called then,
// so that what it reads belongs to the same moment.
func (e *Engine) Sample(also func()) Sample {
	times := [2]*Times{NewTimes(), NewTimes()}
	s := e.sample(also, func(l *lane) {
		times[0].Merge(l.times)
		times[1].Merge(l.warm)
		l.times.reset()
		l.warm.reset()
	})
	s.Measured, s.Other = times[0], times[1]
	return s
}

// Glance is a Sample without Times, which take a millisecond or more to add
// up: for a look at a load that goes on.
func (e *Engine) Glance(also func()) Sample {
	return e.sample(also, func(*lane) {})
}

func (e *Engine) sample(also func(), each func(*lane)) Sample {
	s := Sample{Recent: new(hist.Coarse)}
	for _, l := range e.lanes {
		l.Lock()
	}
	s.At = time.Duration(e.clock.Now())
	if also != nil {
		also()
	}
	if c := e.caller.Load(); c != nil {
		s.Backlog = c.late(int64(s.At))
	}
	for _, l := range e.lanes {
		count := l.count
		for _, st := range l.streams {
			count.Backlog += st.planned - st.sent
		}
		s.Counters.add(&count)
		s.Recent.Merge(&l.recent)
		l.recent.Reset()
		each(l)
		load := l.Load()
		s.Load.Busy += load.Busy
		s.Load.Reads += load.Reads
		s.Load.Writes += load.Writes
		s.Load.In += load.In
		s.Load.Out += load.Out
		s.Busy = append(s.Busy, load.Busy)
	}
	for _, l := range e.lanes {
		l.Unlock()
	}
	return s
}
