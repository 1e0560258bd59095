package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sampan/bench/hist"
	"sampan/bench/internal/fake"
	"sampan/packet"
)

// patience bounds every wait of these tests; nothing waits that long unless
// it fails.
const patience = 20 * time.Second

// fanout is n subscribers of what one publisher publishes.
func fanout(n int, qos byte) Plan {
	p := Plan{Key: 1}
	for range n {
		p.Clients = append(p.Clients, Client{Filters: []string{"t/#"}, QoS: qos, Streams: 1})
	}
	p.Clients = append(p.Clients, Client{})
	p.Streams = []Stream{{From: n, Topic: "t/a", QoS: qos, Deliver: qos, Size: 40, Copies: n}}
	return p
}

// pairs is n publishers with a subscriber each.
func pairs(n int, qos byte) Plan {
	p := Plan{Key: 2}
	for i := range n {
		topic := fmt.Sprintf("p/%d", i)
		p.Clients = append(p.Clients, Client{Filters: []string{topic}, QoS: qos, First: i, Streams: 1})
		p.Streams = append(p.Streams, Stream{From: n + i, Topic: topic, QoS: qos, Deliver: qos, Size: 16, Copies: 1})
	}
	for range n {
		p.Clients = append(p.Clients, Client{})
	}
	return p
}

// start makes an engine for a test.
func start(t *testing.T, p Plan, o Options) *Engine {
	t.Helper()
	e, err := New(p, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// connected makes an engine whose clients are connected.
func connected(t *testing.T, p Plan, o Options) (*Engine, context.Context) {
	t.Helper()
	e := start(t, p, o)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	if err := e.Connect(ctx, 0, len(p.Clients), Ramp{}); err != nil {
		t.Fatal(err, e.Faults())
	}
	return e, ctx
}

// finish waits until everything has been sent and has arrived.
func finish(t *testing.T, ctx context.Context, e *Engine, sent uint64) Sample {
	t.Helper()
	s := reach(t, ctx, e, func(c *Counters) bool { return c.Sent == sent })
	e.Halt()
	e.Settle(ctx)
	for _, f := range e.Faults() {
		t.Error(f)
	}
	last := e.Sample(nil)
	last.Measured.Merge(s.Measured)
	last.Other.Merge(s.Other)
	return last
}

// reach samples until the counters are as wanted.
func reach(t *testing.T, ctx context.Context, e *Engine, wanted func(*Counters) bool) Sample {
	t.Helper()
	sum := e.Sample(nil)
	for !wanted(&sum.Counters) {
		select {
		case <-ctx.Done():
			t.Fatalf("not reached: %+v, faults %v", sum.Counters, e.Faults())
		case <-e.Aborted():
			t.Fatalf("aborted: %v", e.Faults())
		case <-time.After(time.Millisecond):
		}
		s := e.Sample(nil)
		s.Measured.Merge(sum.Measured)
		s.Other.Merge(sum.Other)
		sum = s
	}
	return sum
}

// ways are the kinds of lanes and their numbers.
var ways = map[string]Options{
	"polled":            {Lanes: 1},
	"polled, two lanes": {Lanes: 2},
	"streamed":          {Lanes: 2, Streamed: true},
}

func TestClosedLoadArrives(t *testing.T) {
	for name, o := range ways {
		for qos := range byte(2) {
			for _, pace := range []Pace{
				{Window: 20, Each: 500},
				{Window: 1, Each: 50},
				{Window: 10, Each: 300, Sliding: true},
			} {
				t.Run(fmt.Sprintf("%s, QoS %d, window %d", name, qos, pace.Window), func(t *testing.T) {
					o.Addr = fake.Start(t, fake.Behaviour{}).Addr
					e, ctx := connected(t, fanout(7, qos), o)
					e.Measure(time.Hour)
					if err := e.Publish(pace); err != nil {
						t.Fatal(err)
					}
					s := finish(t, ctx, e, pace.Each)
					if s.Delivered != 7*pace.Each || s.Acked != uint64(qos)*pace.Each {
						t.Errorf("%d delivered and %d acknowledged of %d to 7", s.Delivered, s.Acked, pace.Each)
					}
					if n := s.Measured.Delivery.Count(); n != 7*pace.Each {
						t.Errorf("%d latencies, want %d", n, 7*pace.Each)
					}
					if n := s.Measured.Ack.Count(); n != uint64(qos)*pace.Each {
						t.Errorf("%d acknowledgement times, want %d", n, uint64(qos)*pace.Each)
					}
				})
			}
		}
	}
}

// TestWindowIsKept shows that never more than a window is on its way: the
// broker holds back a window's last delivery for long, and nothing new comes.
func TestWindowIsKept(t *testing.T) {
	var most, delivered atomic.Int64
	b := fake.Start(t, fake.Behaviour{Deliver: func(n int, right []byte) []byte {
		delivered.Store(int64(n))
		return right
	}})
	e, ctx := connected(t, fanout(1, 0), Options{Addr: b.Addr, Lanes: 1})
	if err := e.Publish(Pace{Window: 8, Each: 4000}); err != nil {
		t.Fatal(err)
	}
	reach(t, ctx, e, func(c *Counters) bool {
		most.Store(max(most.Load(), int64(c.Sent)-int64(c.Delivered)))
		return c.Sent == 4000
	})
	finish(t, ctx, e, 4000)
	if most.Load() > 8 || most.Load() == 0 {
		t.Errorf("%d on their way at once, the window is 8", most.Load())
	}
}

// TestOpenLoadKeepsItsSchedule sends at a rate and checks that latencies count
// from the schedule: a broker that holds everything back for a while shows the
// while, not one slow message.
func TestOpenLoadKeepsItsSchedule(t *testing.T) {
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			const pause = 100 * time.Millisecond
			o.Addr = fake.Start(t, fake.Behaviour{Deliver: func(n int, right []byte) []byte {
				if n == 50 {
					<-time.After(pause) // holds the broker's lock: everything waits
				}
				return right
			}}).Addr
			e, ctx := connected(t, pairs(4, 0), o)
			e.Measure(time.Hour)
			if err := e.Publish(Pace{Rate: 2000, Each: 200}); err != nil {
				t.Fatal(err)
			}
			s := finish(t, ctx, e, 800)
			h := s.Measured.Delivery
			if h.Count() != 800 || s.Measured.Lag.Count() < 800 {
				t.Errorf("%d latencies and %d lags of 800", h.Count(), s.Measured.Lag.Count())
			}
			if h.Max() < pause {
				t.Errorf("slowest %v, the pause was %v", h.Max(), pause)
			}
			// In 100 ms, 200 messages were due in each pause, and waited half of
			// it on average. With omission there would be four slow ones.
			if slow := 1 - 4.0/800; h.Quantile(slow) < pause/4 {
				t.Errorf("all but four messages within %v: the wait is omitted", h.Quantile(slow))
			}
		})
	}
}

func TestMeasureExcludes(t *testing.T) {
	b := fake.Start(t, fake.Behaviour{})
	e, ctx := connected(t, fanout(2, 1), Options{Addr: b.Addr})
	if err := e.Publish(Pace{Window: 5, Each: 100}); err != nil {
		t.Fatal(err)
	}
	s := finish(t, ctx, e, 100)
	if n := s.Measured.Delivery.Count() + s.Measured.Ack.Count(); n != 0 {
		t.Errorf("%d durations measured outside the span", n)
	}
	if n := s.Other.Delivery.Count(); n != 200 {
		t.Errorf("%d latencies outside the span, want 200", n)
	}
}

func TestSharedSubscription(t *testing.T) {
	// The fake broker gives every subscriber a copy, so the share is made by
	// leaving out all but one.
	var n atomic.Int64
	b := fake.Start(t, fake.Behaviour{Deliver: func(_ int, right []byte) []byte {
		if n.Add(1)%3 != 0 {
			return nil
		}
		return right
	}})
	p := fanout(3, 0)
	p.Shared, p.Streams[0].Copies = true, 1
	e, ctx := connected(t, p, Options{Addr: b.Addr, Lanes: 2})
	if err := e.Publish(Pace{Window: 10, Each: 90}); err != nil {
		t.Fatal(err)
	}
	if s := finish(t, ctx, e, 90); s.Delivered != 90 {
		t.Errorf("%d delivered of 90", s.Delivered)
	}
}

// TestQueuedThenDrained publishes for clients that are away and connects them.
func TestQueuedThenDrained(t *testing.T) {
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			o.Addr = fake.Start(t, fake.Behaviour{}).Addr
			p := pairs(5, 1)
			for i := range 5 {
				p.Clients[i].Persistent = true
			}
			e, ctx := connected(t, p, o)
			e.Disconnect(0, 5)
			if err := e.Publish(Pace{Window: 10, Each: 40, Queued: true}); err != nil {
				t.Fatal(err)
			}
			s := finish(t, ctx, e, 0+200)
			if s.Acked != 200 || s.Delivered != 0 {
				t.Fatalf("queueing: %+v", s.Counters)
			}
			e.Expect()
			if err := e.Connect(ctx, 0, 5, Ramp{}); err != nil {
				t.Fatal(err, e.Faults())
			}
			if s = finish(t, ctx, e, 200); s.Delivered != 200 {
				t.Errorf("draining: %+v", s.Counters)
			}
		})
	}
}

// Settle waits for cycles that no lane has heard of yet, and what Halt has ended does not go on with what begins
// after it.
func TestSettleWaitsForCycles(t *testing.T) {
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			o.Addr = fake.Start(t, fake.Behaviour{}).Addr
			e := start(t, Plan{Key: 3, Clients: make([]Client, 8)}, o)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			var want uint64
			for range 50 {
				if err := e.Cycle(Cycle{To: 8, Each: 1000}); err != nil {
					t.Fatal(err)
				}
				e.Halt()
				e.Settle(ctx)
				want = e.Count().Cycles + 3
				if err := e.Cycle(Cycle{To: 8, Each: 3}); err != nil {
					t.Fatal(err)
				}
				e.Settle(ctx)
				if n := e.Count().Cycles; n != want {
					t.Fatalf("%d cycles, want %d", n, want)
				}
			}
			for _, f := range e.Faults() {
				t.Error(f)
			}
		})
	}
}

func TestCycles(t *testing.T) {
	self := Plan{Key: 3}
	for i := range 20 {
		topic := fmt.Sprintf("c/%d", i)
		self.Clients = append(self.Clients, Client{Filters: []string{topic}, QoS: 1, First: i, Streams: 1})
		self.Streams = append(self.Streams, Stream{From: i, Topic: topic, QoS: 1, Deliver: 1, Size: 20, Copies: 1})
	}
	for name, o := range ways {
		for _, c := range []Cycle{
			{Each: 100},
			{Each: 100, Message: true, Together: 7},
			{Each: 50, Rate: 500},
			{Each: 20, Stay: true},
		} {
			t.Run(fmt.Sprintf("%s %+v", name, c), func(t *testing.T) {
				o.Addr = fake.Start(t, fake.Behaviour{}).Addr
				e := start(t, self, o)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				c.To = 20
				e.Measure(time.Hour)
				if err := e.Cycle(c); err != nil {
					t.Fatal(err)
				}
				s := reach(t, ctx, e, func(k *Counters) bool { return k.Cycles == c.Each })
				e.Halt()
				e.Settle(ctx)
				for _, f := range e.Faults() {
					t.Error(f)
				}
				if n := s.Measured.Connect.Count(); n != c.Each {
					t.Errorf("%d connect times, want %d", n, c.Each)
				}
				if online := int64(0); c.Stay {
					if s.Online != 20 {
						t.Errorf("%d online, want 20", s.Online)
					}
				} else if s.Online != online {
					t.Errorf("%d online, want 0", s.Online)
				}
				if c.Message && s.Delivered != c.Each {
					t.Errorf("%d messages came back, want %d", s.Delivered, c.Each)
				}
			})
		}
	}
}

// TestTakeover takes clients over while messages are on their way to them.
func TestTakeover(t *testing.T) {
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			o.Addr = fake.Start(t, fake.Behaviour{}).Addr
			p := pairs(6, 1)
			for i := range 6 {
				p.Clients[i].Persistent = true
			}
			e, ctx := connected(t, p, o)
			e.Measure(time.Hour)
			if err := e.Publish(Pace{Rate: 1000}); err != nil {
				t.Fatal(err)
			}
			if err := e.Takeover(0, 6, 200); err != nil {
				t.Fatal(err)
			}
			s := reach(t, ctx, e, func(c *Counters) bool { return c.Takeovers >= 40 })
			e.Halt()
			e.Settle(ctx)
			for _, f := range e.Faults() {
				t.Error(f)
			}
			if n := s.Measured.Cycle.Count(); n < 40 {
				t.Errorf("%d takeover times, want 40", n)
			}
		})
	}
}

func rrpc(devices int) Plan {
	p := Plan{Key: 4}
	for i := range devices {
		p.Clients = append(p.Clients, Client{Filters: []string{fmt.Sprintf("sys/%d/rrpc/request/+", i)}, First: i, Streams: 1, Answers: true})
		p.Streams = append(p.Streams, Stream{
			From: devices, Size: 30, Copies: 1,
			Topic: fmt.Sprintf("sys/%d/rrpc/request/", i), Reply: fmt.Sprintf("sys/%d/rrpc/response/", i),
		})
	}
	p.Clients = append(p.Clients, Client{Filters: []string{"sys/+/rrpc/response/+"}, Streams: devices})
	return p
}

func TestRRPCThroughAClient(t *testing.T) {
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			o.Addr = fake.Start(t, fake.Behaviour{}).Addr
			e, ctx := connected(t, rrpc(5), o)
			if err := e.Publish(Pace{Window: 3, Each: 30}); err != nil {
				t.Fatal(err)
			}
			s := finish(t, ctx, e, 150)
			if s.Delivered != 150 || s.Answered != 150 {
				t.Errorf("%d answers of %d received for 150 calls", s.Answered, s.Delivered)
			}
		})
	}
}

func TestRRPCThroughAFunction(t *testing.T) {
	b := fake.Start(t, fake.Behaviour{})
	p := rrpc(3)
	p.Clients = p.Clients[:3]
	p.Streams = []Stream{{From: -1, Topic: "-", Size: 30}}
	for i := range p.Clients {
		p.Clients[i].First, p.Clients[i].Streams = 0, 0
	}
	e, ctx := connected(t, p, Options{Addr: b.Addr})
	e.Measure(time.Hour)
	call := func(_ context.Context, client int, payload []byte) ([]byte, error) { return payload, nil }
	if err := e.Call(ctx, Pace{Rate: 5000, Each: 100}, call); err != nil {
		t.Fatal(err)
	}
	if s := finish(t, ctx, e, 100); s.Delivered != 100 {
		t.Errorf("%d of 100 calls answered", s.Delivered)
	}
}

// TestCallsThatBeginLate: that is the generator's lag, unless it waits for
// answers.
func TestCallsThatBeginLate(t *testing.T) {
	const each = 200
	for name, c := range map[string]struct {
		takes time.Duration
		rate  float64
		want  bool
	}{
		"prompt answers": {0, 1000, true},
		"late answers":   {time.Millisecond, 1e9, false},
	} {
		e, ctx := connected(t, rrpc(1), Options{Addr: fake.Start(t, fake.Behaviour{}).Addr, Lanes: 1})
		e.Measure(time.Hour)
		before := e.Sample(nil).At
		if err := e.Call(ctx, Pace{Rate: c.rate, Window: 10, Each: each}, func(_ context.Context, _ int, payload []byte) ([]byte, error) {
			time.Sleep(c.takes)
			return payload, nil
		}); err != nil {
			t.Fatal(err)
		}
		s := finish(t, ctx, e, each)
		// The lane looks at its own lag every 10 ms, too.
		own := uint64(2*(s.At-before)/guardPeriod) + 2
		if got := s.Measured.Lag.Count(); got > own != c.want {
			t.Errorf("%s: %d lags, at most %d of them the lane's own", name, got, own)
		}
	}
}

func TestPublishThroughAFunction(t *testing.T) {
	b := fake.Start(t, fake.Behaviour{})
	p := fanout(4, 0)
	p.Clients = p.Clients[:4]
	p.Streams[0].From = -1
	// The function itself publishes with a client of its own.
	own, ctx := connected(t, Plan{Clients: []Client{{}}, Key: 5}, Options{Addr: b.Addr})
	e, _ := connected(t, p, Options{
		Addr:     b.Addr,
		Identity: func(i int) Credentials { return Credentials{ClientID: fmt.Sprintf("sub-%d", i)} },
		Publish: func(_ context.Context, topic string, payload []byte) error {
			l := own.lanes[0]
			l.do(func() { own.clients[0].conn.write(publishPacket(topic, payload)) })
			return nil
		},
	})
	for _, pace := range []Pace{{Window: 3, Each: 30}, {Rate: 1000, Each: 30}} {
		before := e.Sample(nil).Sent
		if err := e.Publish(pace); err != nil {
			t.Fatal(err)
		}
		finish(t, ctx, e, before+30)
	}
	if s := e.Sample(nil); s.Delivered != 240 {
		t.Errorf("%d delivered, want 240", s.Delivered)
	}
}

// A glance sees what has arrived and leaves the durations to the sample after it.
func TestGlance(t *testing.T) {
	b := fake.Start(t, fake.Behaviour{})
	e, ctx := connected(t, fanout(4, 0), Options{Addr: b.Addr})
	e.Measure(time.Hour)
	if err := e.Publish(Pace{Rate: 1000, Each: 50}); err != nil {
		t.Fatal(err)
	}
	var recent hist.Coarse
	for seen := uint64(0); seen < 200; {
		select {
		case <-ctx.Done():
			t.Fatalf("%d of 200 seen", seen)
		case <-time.After(time.Millisecond):
		}
		g := e.Glance(nil)
		if g.Measured != nil || g.Other != nil {
			t.Fatal("a glance has Times")
		}
		seen = g.Delivered
		recent.Merge(g.Recent)
	}
	s := e.Sample(nil)
	if n := s.Measured.Delivery.Count(); n != 200 {
		t.Errorf("%d durations of 200 in the sample", n)
	}
	if got, want := recent.Quantile(1), s.Measured.Delivery.Max(); got != want {
		t.Errorf("the longest was %v at a glance, %v in the sample", got, want)
	}
	if got := s.Recent.Quantile(1); got != 0 {
		t.Errorf("the sample has %v again", got)
	}
}

// TestKeepAlive shows that a client which sends nothing pings, and that the
// load is none the worse for it.
func TestKeepAlive(t *testing.T) {
	b := fake.Start(t, fake.Behaviour{})
	e, ctx := connected(t, fanout(3, 0), Options{Addr: b.Addr, KeepAlive: time.Second})
	// CONNECT, SUBSCRIBE and nothing else would be written but for the pings.
	written := e.Sample(nil).Written
	reach(t, ctx, e, func(c *Counters) bool { return c.Written >= written+6 })
}

func TestDialFunction(t *testing.T) {
	b := fake.Start(t, fake.Behaviour{})
	var dialled atomic.Int64
	e, ctx := connected(t, fanout(3, 0), Options{
		Addr: "somewhere",
		Dial: func(ctx context.Context, addr string, client int) (net.Conn, error) {
			dialled.Add(1)
			if addr != "somewhere" {
				return nil, errors.New("wrong address")
			}
			return new(net.Dialer).DialContext(ctx, "tcp", b.Addr)
		},
	})
	if err := e.Publish(Pace{Window: 2, Each: 10}); err != nil {
		t.Fatal(err)
	}
	finish(t, ctx, e, 10)
	if dialled.Load() != 4 {
		t.Errorf("dialled %d times, want 4", dialled.Load())
	}
}

func TestNewRefuses(t *testing.T) {
	good := func() Plan { return fanout(2, 1) }
	for name, c := range map[string]struct {
		change func(*Plan)
		o      Options
	}{
		"no port":         {o: Options{Addr: "localhost"}},
		"short payload":   {change: func(p *Plan) { p.Streams[0].Size = 15 }},
		"unknown client":  {change: func(p *Plan) { p.Streams[0].From = 9 }},
		"unknown stream":  {change: func(p *Plan) { p.Clients[0].First = 1 }},
		"wrong copies":    {change: func(p *Plan) { p.Streams[0].Copies = 3 }},
		"QoS 2":           {change: func(p *Plan) { p.Streams[0].QoS = 2 }},
		"raised QoS":      {change: func(p *Plan) { p.Streams[0].QoS = 0 }},
		"no function":     {change: func(p *Plan) { p.Streams[0].From, p.Streams[0].QoS = -1, 0 }},
		"long payload":    {change: func(p *Plan) { p.Streams[0].Size = packet.MaxRemaining - 3 }},
		"long topic":      {change: func(p *Plan) { p.Streams[0].Topic = strings.Repeat("a", 65_536) }},
		"wildcard":        {change: func(p *Plan) { p.Streams[0].Topic = "t/+" }},
		"filter":          {change: func(p *Plan) { p.Clients[0].Filters[0] = "t/#/a" }},
		"no topic":        {change: func(p *Plan) { p.Streams[0].Topic = "" }},
		"function, QoS 1": {change: func(p *Plan) { p.Streams[0].From = -1 }},
	} {
		p := good()
		if c.change != nil {
			c.change(&p)
		}
		if c.o.Addr == "" {
			c.o.Addr = "127.0.0.1:1"
		}
		if e, err := New(p, c.o); err == nil {
			e.Close()
			t.Errorf("%s: taken", name)
		}
	}
}

func TestPaceRefuses(t *testing.T) {
	e := start(t, fanout(1, 0), Options{Addr: "127.0.0.1:1"})
	for _, p := range []Pace{{}, {Rate: -1}, {Window: -1}} {
		if err := e.Publish(p); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
	if err := e.Cycle(Cycle{From: 1, To: 1}); err == nil {
		t.Error("cycles of no client were taken")
	}
	if err := e.Cycle(Cycle{To: 2, Message: true}); err == nil {
		t.Error("cycles with a message of a client without a stream were taken")
	}
	if err := e.Takeover(0, 1, 0); err == nil {
		t.Error("takeovers without a rate were taken")
	}
	if err := e.Call(context.Background(), Pace{Window: 1}, nil); err == nil {
		t.Error("calls without devices were taken")
	}
}
