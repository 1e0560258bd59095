package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sampan/bench/fault"
	"sampan/bench/proof"
	"sampan/bench/wire"
	"sampan/packet"
)

// Engine carries out a plan against one broker.
type Engine struct {
	plan      Plan
	o         Options
	keepAlive uint16 // as announced, in seconds
	endpoints []wire.Endpoint
	longest   int // bytes of the longest packet that may come
	clock     wire.Clock
	seal      *proof.Seal
	lanes     []*lane
	clients   []*client
	streams   []*stream
	faults    fault.List
	lost      atomic.Uint64 // deliveries and answers that are among the faults

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	callers sync.WaitGroup // goroutines that call functions of the user
	calling atomic.Int64   // calls that have no answer yet
	caller  atomic.Pointer[caller]
	aborted chan struct{} // closed by abort
	once    sync.Once     // of abort

	topicsOnce sync.Once
	topics     map[string]*stream
}

// New prepares everything and starts the lanes; it makes no connection yet.
// The error is about the plan, the options or this machine.
func New(plan Plan, o Options) (*Engine, error) {
	if err := plan.check(); err != nil {
		return nil, err
	}
	for _, s := range plan.Streams {
		if s.From < 0 && s.Copies > 0 && o.Publish == nil {
			return nil, errors.New("load: a stream that no client publishes, and no function either")
		}
	}
	e := &Engine{plan: plan, o: o.withDefaults(), clock: wire.NewClock(), aborted: make(chan struct{})}
	e.keepAlive = uint16(min((e.o.KeepAlive+time.Second-1)/time.Second, 1<<16-1))
	e.o.KeepAlive = time.Duration(e.keepAlive) * time.Second // what CONNECT says
	if err := e.resolve(); err != nil {
		return nil, err
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	size := proof.StampSize
	for _, s := range plan.Streams {
		size = max(size, s.Size)
	}
	e.longest = size + frameRoom
	e.seal = proof.NewSeal(plan.Key, size)
	if err := e.startLanes(); err != nil {
		e.Close()
		return nil, err
	}
	for _, l := range e.lanes {
		l.do(func() { e.populate(l) })
	}
	return e, nil
}

// resolve finds the broker's addresses.
func (e *Engine) resolve() error {
	if path, ok := strings.CutPrefix(e.o.Addr, "unix:"); ok {
		e.endpoints = []wire.Endpoint{{Unix: path}}
		return nil
	}
	if e.o.Dial != nil {
		e.endpoints = []wire.Endpoint{{}}
		return nil
	}
	tcp, err := net.ResolveTCPAddr("tcp", e.o.Addr)
	if err != nil {
		return fmt.Errorf("load: broker address: %w", err)
	}
	addr := tcp.AddrPort()
	if !addr.IsValid() || addr.Port() == 0 {
		return fmt.Errorf("load: broker address %q has no host or port", e.o.Addr)
	}
	for _, source := range e.o.Sources {
		e.endpoints = append(e.endpoints, wire.Endpoint{Addr: addr, Source: source})
	}
	if len(e.endpoints) == 0 {
		e.endpoints = []wire.Endpoint{{Addr: addr}}
	}
	return nil
}

// endpoint is where and how a client connects.
func (e *Engine) endpoint(client int) wire.Endpoint {
	p := e.endpoints[client%len(e.endpoints)]
	switch {
	case e.o.Dial != nil:
		p.Dial = func(ctx context.Context) (net.Conn, error) { return e.o.Dial(ctx, e.o.Addr, client) }
	case e.o.TLS != nil:
		plain := p
		p.Dial = func(ctx context.Context) (net.Conn, error) { return e.dialTLS(ctx, plain) }
	}
	return p
}

// dialTLS connects and shakes hands.
func (e *Engine) dialTLS(ctx context.Context, p wire.Endpoint) (net.Conn, error) {
	conn, err := p.Open(ctx)
	if err != nil {
		return nil, err
	}
	config := e.o.TLS
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(e.o.Addr)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}

// startLanes makes the lanes of the kind that the options need.
func (e *Engine) startLanes() error {
	n := e.o.Lanes
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	n = max(min(n, len(e.plan.Clients)), 1)
	streamed := e.o.Streamed || e.o.TLS != nil || e.o.Dial != nil || runtime.GOOS != "linux"
	for range n {
		l := &lane{engine: e, times: NewTimes(), warm: NewTimes()}
		if streamed {
			l.Lane = wire.NewStreamed(e.clock, l)
		} else {
			polled, err := wire.NewPolled(e.clock, l)
			if err != nil {
				return err
			}
			l.Lane = polled
		}
		e.lanes = append(e.lanes, l)
	}
	return nil
}

// populate gives a lane its clients and streams: every len(lanes)th client,
// and the streams that those publish. Streams published by a function belong
// to the first lane.
func (e *Engine) populate(l *lane) {
	if l == e.lanes[0] {
		e.clients = make([]*client, len(e.plan.Clients))
		e.streams = make([]*stream, len(e.plan.Streams))
		e.makeClients()
		e.makeStreams()
	}
	l.jobs = append(l.jobs, &guard{lane: l})
}

func (e *Engine) makeClients() {
	var shared *group
	if e.plan.Shared {
		shared = newGroup(len(e.plan.Streams))
	}
	for i := range e.plan.Clients {
		spec := &e.plan.Clients[i]
		l := e.lanes[i%len(e.lanes)]
		c := &client{Client: spec, index: i, lane: l, group: shared}
		if shared == nil && !spec.Answers {
			c.trackers = make([]proof.Tracker, spec.Streams)
		}
		e.clients[i] = c
		l.clients = append(l.clients, c)
	}
}

func (e *Engine) makeStreams() {
	for i, spec := range e.plan.Streams {
		s := &stream{Stream: spec, index: uint32(i), lane: e.lanes[0], seal: e.seal}
		if spec.From >= 0 {
			s.client = e.clients[spec.From]
			s.client.pubs = append(s.client.pubs, s)
			s.lane = s.client.lane
		}
		if s.client == nil {
			s.more = make(chan struct{}, 1)
			// It ends with the engine.
			e.callers.Go(func() { e.publishVia(s) })
		}
		s.build()
		e.streams[i] = s
		s.lane.streams = append(s.lane.streams, s)
	}
}

// find returns the stream of an index, nil if there is none.
func (e *Engine) find(index uint32) *stream {
	if int(index) < len(e.streams) {
		return e.streams[index]
	}
	return nil
}

// byTopic finds the stream of a received topic.
func (e *Engine) byTopic(topic []byte) *stream {
	e.topicsOnce.Do(func() {
		e.topics = make(map[string]*stream, len(e.streams))
		for _, s := range e.streams {
			if s.Reply != "" {
				e.topics[s.Reply] = s
			} else {
				e.topics[s.Topic] = s
			}
		}
	})
	if s := e.topics[string(topic)]; s != nil {
		return s
	}
	return e.topics[string(topic[:max(len(topic)-numberDigits, 0)])]
}

// ErrAborted is returned by what was under way when a fault ended the run.
var ErrAborted = errors.New("ended by a fault")

// abort ends what is under way.
func (e *Engine) abort() { e.once.Do(func() { close(e.aborted) }) }

// over reports whether abort was called.
func (e *Engine) over() bool {
	select {
	case <-e.aborted:
		return true
	default:
		return false
	}
}

// Fail adds a fault that the caller has seen, which ends the run.
func (e *Engine) Fail(kind fault.Kind, what string) {
	e.faults.Add(kind, "%s", what)
	e.abort()
}

// Aborted is closed when a fault has ended the run.
func (e *Engine) Aborted() <-chan struct{} { return e.aborted }

// Faults returns what the broker did wrong so far.
func (e *Engine) Faults() []*fault.Fault { return e.faults.All() }

// Lost is the number of deliveries, and answers to calls, that Settle or Watch
// found not to come. PUBACKs and sessions that are lost are faults, too, but no
// messages.
func (e *Engine) Lost() uint64 { return e.lost.Load() }

// Disconnect sends DISCONNECT on the connections of clients from up to but
// not including to, and closes them.
func (e *Engine) Disconnect(from, to int) {
	for _, l := range e.lanes {
		l.do(func() {
			for _, c := range l.clients {
				if c.index >= from && c.index < to {
					c.disconnect()
				}
			}
		})
	}
}

// Close ends every connection, with DISCONNECT where one is in use, and
// everything that the engine has started.
func (e *Engine) Close() {
	e.Halt()
	e.cancel()
	if len(e.clients) == len(e.plan.Clients) {
		e.Disconnect(0, len(e.clients))
	}
	for _, l := range e.lanes {
		l.Stop()
	}
	e.callers.Wait()
}

// level311 reports whether CONNACK tells of a present session.
func (o *Options) level311() bool { return o.Level >= packet.Level311 }
