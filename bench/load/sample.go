package load

import (
	"time"

	"sampan/bench/proof"
	"sampan/bench/wire"
)

// Sample is the state of a load at one moment.
type Sample struct {
	At       time.Duration // since the engine's clock began
	Counters               // since the engine began
	// Times are the durations since the sample before: Measured holds what
	// began inside the span given to Measure, Other the rest.
	Measured, Other *Times
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
	s := Sample{Measured: NewTimes(), Other: NewTimes()}
	for _, l := range e.lanes {
		l.Lock()
	}
	s.At = time.Duration(e.clock.Now())
	if also != nil {
		also()
	}
	for _, l := range e.lanes {
		count := l.count
		for _, st := range l.streams {
			count.Backlog += st.planned - st.sent
		}
		s.Counters.add(&count)
		s.Measured.Merge(l.times)
		s.Other.Merge(l.warm)
		l.times.reset()
		l.warm.reset()
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
