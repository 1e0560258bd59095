package load

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sampan/bench/fault"
	"sampan/bench/proof"
)

// publishVia publishes a stream that no client publishes, one message after
// the other, until the engine is closed. The stream's lane says when.
func (e *Engine) publishVia(s *stream) {
	l := s.lane
	var payload []byte
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-s.more:
		}
		for {
			l.Lock()
			if s.sent == s.planned {
				l.Unlock()
				break
			}
			at := e.clock.Now()
			if s.period > 0 {
				at = s.due(s.sent)
			}
			payload = s.seal.Append(payload[:0], s.Size, proof.Stamp{Stream: s.index, Seq: s.sent, Sent: proof.Ticks(at)})
			s.booked()
			l.Unlock()
			if err := e.o.Publish(e.ctx, s.Topic, payload); err != nil && e.ctx.Err() == nil {
				e.failed("publish to %q: %v", s.Topic, err)
			}
		}
	}
}

// signal wakes publishVia.
func (s *stream) signal() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// failed reports an error of a function of the user.
func (e *Engine) failed(format string, args ...any) {
	e.faults.Add(fault.Failed, format, args...)
	if !e.o.Tolerant {
		e.abort()
	}
}

// Call lets functions call devices: with a rate at equal distances in time, at
// most Window (0: 64) at once, else Window at once without a pause. No call
// begins when ctx has ended or Pace.Each have begun; Settle waits for their
// answers. The devices are those clients that answer, in turn. The answer has
// to be the request; its time is in Times.Delivery.
func (e *Engine) Call(ctx context.Context, p Pace, call func(ctx context.Context, client int, payload []byte) ([]byte, error)) error {
	var devices []int
	for _, c := range e.clients {
		if c.Answers {
			devices = append(devices, c.index)
		}
	}
	if err := checkRate(p.Rate); err != nil {
		return err
	}
	switch {
	case len(devices) == 0:
		return errors.New("load: no client answers calls")
	case len(e.streams) == 0:
		return errors.New("load: no stream for the calls")
	case p.Rate == 0 && p.Window < 1:
		return errors.New("load: neither a rate nor a window")
	}
	if p.Window < 1 {
		p.Window = defaultTogether
	}
	c := &caller{engine: e, stream: e.streams[0], pace: p, call: call, devices: devices, start: e.clock.Now()}
	e.caller.Store(c)
	c.left.Store(int64(p.Window))
	for range p.Window {
		// They end with ctx and the answer, or when the engine is closed.
		e.callers.Go(func() {
			c.run(ctx)
			if c.left.Add(-1) == 0 {
				e.caller.CompareAndSwap(c, nil) // nothing is due any more
			}
		})
	}
	return nil
}

// caller is what the goroutines of Call share.
type caller struct {
	engine  *Engine
	stream  *stream
	pace    Pace
	call    func(ctx context.Context, client int, payload []byte) ([]byte, error)
	devices []int
	start   int64
	begun   atomic.Uint64
	left    atomic.Int64 // goroutines that have not ended
}

// late is how many calls are due and have not begun.
func (c *caller) late(now int64) uint64 {
	if c.pace.Rate == 0 {
		return 0
	}
	due := uint64(float64(now-c.start) * c.pace.Rate / float64(time.Second))
	if c.pace.Each > 0 {
		due = min(due, c.pace.Each)
	}
	return due - min(due, c.begun.Load())
}

// run makes one call after the other.
func (c *caller) run(ctx context.Context) {
	e := c.engine
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		n := c.begun.Add(1) - 1
		if c.pace.Each > 0 && n >= c.pace.Each {
			return
		}
		at := e.clock.Now()
		waited := false
		if c.pace.Rate > 0 {
			now := at
			at = c.start + int64(float64(n)*float64(time.Second)/c.pace.Rate)
			waited = now < at
			timer.Reset(time.Duration(at - now))
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-e.aborted:
			return
		default:
		}
		c.one(n, at, waited)
	}
}

// one makes call n, which was to begin at a time. If it was waited for, what it is
// late is the generator's lag; else earlier calls have taken so long.
func (c *caller) one(n uint64, at int64, waited bool) {
	e, s := c.engine, c.stream
	e.calling.Add(1)
	defer e.calling.Add(-1)
	l := s.lane
	payload := s.seal.Append(nil, s.Size, proof.Stamp{Stream: s.index, Seq: n, Sent: proof.Ticks(at)})
	l.do(func() {
		l.count.Sent++
		l.count.owed++
		if waited {
			l.timesFor(at).Lag.Record(since(at, e.clock.Now()))
		}
	})
	device := c.devices[n%uint64(len(c.devices))]
	answer, err := c.call(e.ctx, device, payload)
	now := e.clock.Now()
	if err != nil || !bytes.Equal(answer, payload) {
		l.do(func() { l.count.owed-- })
	}
	switch {
	case err != nil && e.ctx.Err() != nil:
		// The run is over.
	case err != nil:
		e.failed("call of client %q: %v", e.o.Identity(device).ClientID, err)
	case !bytes.Equal(answer, payload):
		l.do(func() { l.count.Corrupted++ })
		e.faults.Add(fault.Corrupted, "client %q answered %s to %s", e.o.Identity(device).ClientID, fault.Show(answer), fault.Show(payload))
	default:
		l.do(func() { l.delivered(proof.Ticks(at), since(at, now), 1) })
	}
}
