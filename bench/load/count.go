package load

import (
	"time"

	"sampan/bench/hist"
	"sampan/bench/proof"
)

// Counters are sums since the engine began, but for Online and Backlog, which
// are the state at the moment.
type Counters struct {
	Connects    uint64 `json:"connects"`    // CONNACKs that accepted
	Online      int64  `json:"online"`      // connections in use
	Sent        uint64 `json:"sent"`        // messages published
	Acked       uint64 `json:"acked"`       // PUBACKs received
	Delivered   uint64 `json:"delivered"`   // messages received, each once
	Answered    uint64 `json:"answered"`    // RRPC requests that devices answered
	Cycles      uint64 `json:"cycles"`      // connections that went their whole way
	Takeovers   uint64 `json:"takeovers"`   // connections that took a client over
	Missing     int64  `json:"missing"`     // messages not received though a later one was
	Doubled     uint64 `json:"doubled"`     // received again without excuse
	Redelivered uint64 `json:"redelivered"` // received again after a reconnect, as QoS 1 allows
	Reordered   uint64 `json:"reordered"`   // received after a later one
	Corrupted   uint64 `json:"corrupted"`   // received changed
	Misrouted   uint64 `json:"misrouted"`   // received by a client that did not ask
	Foreign     uint64 `json:"foreign"`     // received but not sent by this run
	Written     uint64 `json:"written"`     // bytes sent
	Read        uint64 `json:"read"`        // bytes received
	Backlog     uint64 `json:"backlog"`     // messages due and not sent: the broker takes no more

	owed uint64 // deliveries that the sent messages have to lead to
	acks uint64 // PUBACKs that they have to lead to
}

// add sums up lanes.
func (c *Counters) add(o *Counters) {
	for _, p := range c.pairs(o) {
		*p.to += *p.from
	}
	c.Online += o.Online
	c.Missing += o.Missing
}

// Since is the difference to an earlier state; Online, Missing and Backlog
// stay as they are.
func (c Counters) Since(earlier *Counters) Counters {
	for _, p := range c.pairs(earlier) {
		if p.to != &c.Backlog {
			*p.to -= *p.from
		}
	}
	return c
}

// pair is the same counter of two states.
type pair struct{ to, from *uint64 }

// pairs lists the counters that are sums.
func (c *Counters) pairs(o *Counters) []pair {
	return []pair{
		{&c.Connects, &o.Connects}, {&c.Sent, &o.Sent}, {&c.Acked, &o.Acked},
		{&c.Delivered, &o.Delivered}, {&c.Answered, &o.Answered}, {&c.Cycles, &o.Cycles},
		{&c.Takeovers, &o.Takeovers}, {&c.Doubled, &o.Doubled}, {&c.Redelivered, &o.Redelivered},
		{&c.Reordered, &o.Reordered}, {&c.Corrupted, &o.Corrupted}, {&c.Misrouted, &o.Misrouted},
		{&c.Foreign, &o.Foreign}, {&c.Written, &o.Written}, {&c.Read, &o.Read},
		{&c.Backlog, &o.Backlog}, {&c.owed, &o.owed}, {&c.acks, &o.acks},
	}
}

// Times are the durations of a load. All but Lag count from the moment at
// which the schedule meant the thing to begin.
type Times struct {
	Delivery *hist.Histogram `json:"delivery"` // message: to its arrival at a subscriber
	Ack      *hist.Histogram `json:"ack"`      // QoS 1 message: to its PUBACK
	Connect  *hist.Histogram `json:"connect"`  // connection: to its CONNACK
	Cycle    *hist.Histogram `json:"cycle"`    // client: to the end of its whole way
	Lag      *hist.Histogram `json:"lag"`      // the generator: how late it did what was due
}

// NewTimes returns empty histograms.
func NewTimes() *Times {
	return &Times{hist.New(), hist.New(), hist.New(), hist.New(), hist.New()}
}

// Merge adds the durations of another sample.
func (t *Times) Merge(o *Times) {
	t.Delivery.Merge(o.Delivery)
	t.Ack.Merge(o.Ack)
	t.Connect.Merge(o.Connect)
	t.Cycle.Merge(o.Cycle)
	t.Lag.Merge(o.Lag)
}

// reset empties the histograms.
func (t *Times) reset() {
	t.Delivery.Reset()
	t.Ack.Reset()
	t.Connect.Reset()
	t.Cycle.Reset()
	t.Lag.Reset()
}

// span is a part of the run in ticks.
type span struct{ from, length uint64 }

// has reports whether the span covers a moment.
func (s span) has(ticks uint64) bool { return proof.Within(ticks, s.from, s.length) }

// delivered books n deliveries of what began at a moment.
func (l *lane) delivered(began uint64, after time.Duration, n uint64) {
	l.count.Delivered += n
	l.timesAt(began).Delivery.RecordN(after, n)
	l.recent.RecordN(after, n)
}

// timesFor tells where a duration belongs that began at a time.
func (l *lane) timesFor(began int64) *Times { return l.timesAt(proof.Ticks(began)) }

func (l *lane) timesAt(ticks uint64) *Times {
	if l.measured.has(ticks) {
		return l.times
	}
	return l.warm
}
