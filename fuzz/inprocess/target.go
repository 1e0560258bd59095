package inprocess

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/fuzz/model"
	"sampan/fuzz/script"
	"sampan/packet"
)

// Target is a broker of this process on which scripts are carried out. It implements script.Target, and is
// used inside a bubble of testing/synctest.
type Target struct {
	rules *model.Rules
	chunk int
	clock *clock
	store *brokertest.Store // survives the broker; nil: sessions are in memory, or on the disk
	disk  *disk             // nil: none
	late  *lateStore        // around the store, if there is one
	b     *broker.Broker
	conns [script.Conns]*pipe

	watched bool
	mu      sync.Mutex // guards what follows
	heard   []string   // by the subscriber in this process
}

// start is the instant at which every script begins.
var start = time.Date(2018, time.June, 1, 12, 0, 0, 0, time.UTC)

// quiet drops what the broker logs.
var quiet = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))

// New starts a broker for a script. It keeps its sessions in a store that survives it if the script restarts
// the broker, and in the log on a simulated disk if the script says so.
func New(s *script.Script, rules *model.Rules) (*Target, error) {
	t := &Target{rules: rules, chunk: s.Chunk, watched: s.Watched, clock: &clock{now: start}}
	if s.Disk {
		t.disk = newDisk()
		return t, t.start()
	}
	for i := range s.Steps {
		if k := s.Steps[i].Kind; k == script.Restart || k == script.Late {
			t.store = brokertest.NewStore()
			break
		}
	}
	return t, t.start()
}

// Options are the broker's options that correspond to the model's rules.
func Options(r *model.Rules) broker.Options {
	limits := r.Limits
	limits.Connect = 0
	o := broker.Options{
		Profile: broker.Open, Logger: quiet, Limits: &limits,
		DeliveredQoS: broker.PublishersQoS, MaxConnectBytes: r.Limits.Connect,
		KeepAliveMin: r.KeepAliveMin, KeepAliveMax: r.KeepAliveMax,
		ConnectTimeout: r.ConnectTimeout, MaxSubscriptions: r.MaxSubscriptions,
		Window: r.Window, QueueMessages: r.Queue,
		SessionExpiry: r.SessionExpiry, MessageExpiry: r.MessageExpiry,
		OutboundBytes: r.Outbound, WriteStall: r.WriteStall,
	}
	o.AllowNoKeepAlive, o.DropNewest, o.CloseOnForbidden = r.NoKeepAlive, r.DropNewest, r.CloseForbidden
	if r.LowerQoS {
		o.DeliveredQoS = broker.LowerQoS
	}
	if r.Password != "" || r.Forbidden != "" || r.Principal != (model.Principal{}) {
		o.Authenticator = &gate{rules: r}
	}
	if r.Principal.Taken != "" {
		o.Interceptor = taker(r.Principal.Taken)
	}
	return o
}

func (t *Target) start() (err error) {
	o := Options(t.rules)
	o.Clock = t.clock
	switch {
	case t.store != nil:
		o.Store = t.store
	case t.disk != nil:
		if o.Store, err = t.disk.open(); err != nil {
			return fmt.Errorf("the store does not open: %w", err)
		}
	}
	if t.late = nil; o.Store != nil {
		t.late = &lateStore{Store: o.Store}
		o.Store = t.late
	}
	if t.b, err = broker.New(o); err == nil && t.watched {
		t.hear()
		_, err = t.b.Subscribe("#", func(m broker.Message) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.heard = append(t.heard, fmt.Sprintf("%s q%d %q", m.Topic, m.QoS, m.Payload))
		})
	}
	return err
}

// hear returns what the subscriber in this process has got since the last time.
func (t *Target) hear() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	heard := t.heard
	t.heard = nil
	return heard
}

// Send implements script.Target.
func (t *Target) Send(i int, raw []byte) error {
	p := t.conns[i]
	if p == nil {
		p = newPipe(t.clock, t.chunk)
		t.conns[i] = p
		p.send(raw)
		return t.b.ServeConn(p)
	}
	p.send(raw)
	return nil
}

// Cut implements script.Target.
func (t *Target) Cut(i int) error {
	t.conns[i].hangUp()
	synctest.Wait()
	t.conns[i] = nil
	return nil
}

// Wait implements script.Target.
func (t *Target) Wait(d time.Duration) error {
	synctest.Wait()
	t.clock.advance(d, synctest.Wait)
	return nil
}

// Restart implements script.Target.
func (t *Target) Restart() error {
	if err := t.stop(); err != nil {
		return err
	}
	if t.store != nil {
		t.store.Reopen()
	}
	return t.start()
}

// PowerCut implements script.Target.
func (t *Target) PowerCut(i int, raw []byte) (said []byte, closed bool, err error) {
	if raw != nil {
		t.disk.fail()
		if err := t.Send(i, raw); err != nil {
			return nil, false, err
		}
		synctest.Wait()
		said, closed = t.conns[i].receive()
	}
	t.disk.cut()
	for i, p := range t.conns {
		if p != nil {
			p.hangUp()
			t.conns[i] = nil
		}
	}
	synctest.Wait()
	t.b.Shutdown(context.Background()) // its process is gone, but here its goroutines have to be ended
	return said, closed, t.start()
}

// Stall implements script.Target.
func (t *Target) Stall(i int) error { t.conns[i].read(false); return nil }

// Read implements script.Target.
func (t *Target) Read(i int) error { t.conns[i].read(true); return nil }

// Late implements script.Target.
func (t *Target) Late(waits bool) error { t.late.late(waits); return nil }

// stop shuts the broker down. Its connections must be gone afterwards. Clients that do not read are cut off
// before: the broker would wait for them.
func (t *Target) stop() error {
	for _, p := range t.conns {
		if p != nil && p.isStalled() {
			p.hangUp()
		}
	}
	synctest.Wait()
	if err := t.b.Shutdown(context.Background()); err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	return nil
}

// Close ends the broker. The bubble around it then shows whether a goroutine is left.
func (t *Target) Close() error { return t.stop() }

// Observe implements script.Target.
func (t *Target) Observe(m *model.Model, _ int) (*model.Deviation, error) {
	synctest.Wait()
	if t.disk != nil {
		if err := t.disk.rest(); err != nil {
			return nil, err
		}
	}
	if t.watched {
		if got, want := t.hear(), m.Routed(); !slices.Equal(got, want) {
			return nil, fmt.Errorf("a subscriber in the process has got %q, want %q", got, want)
		}
	}
	for i, p := range t.conns {
		if p == nil {
			continue
		}
		b, closed := p.receive()
		for len(b) > 0 {
			_, n, _, err := packet.Next(b, &packet.Limits{Level: packet.Level31})
			if err != nil || n == 0 {
				n = len(b)
			}
			if _, dev := m.Observe(i, b[:n]); dev != nil {
				return dev, nil
			}
			b = b[n:]
		}
		if closed {
			t.conns[i] = nil
			if dev := m.Closed(i); dev != nil {
				return dev, nil
			}
		}
		if dev := m.Missing(i); dev != nil {
			return dev, nil
		}
	}
	return nil, nil
}
