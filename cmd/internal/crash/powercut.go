package crash

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"sampan/bench/proc"
	"sampan/broker"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs"
	"sampan/session/wal/vfs/simdisk"
)

// The simulated disk's log is cut into small pieces, so that a short run sees many of them come and go.
const (
	simSegment    = 256 << 10
	simCheckpoint = 512 << 10
)

// powered is a broker in this process, on a simulated disk whose power can be cut.
type powered struct {
	disk   *simdisk.Disk
	random *rand.Rand
	level  wal.Level
	wrap   func(vfs.FS) vfs.FS // nil; tests put a disk that lies here

	mu     sync.Mutex // guards what follows
	broker *broker.Broker
	log    *proc.Tail
	starts int
}

func newPowered(random *rand.Rand) *powered {
	return &powered{disk: simdisk.New(), random: random, level: wal.Disk}
}

func (p *powered) start(context.Context) error {
	fs := p.disk.FS()
	if p.wrap != nil {
		fs = p.wrap(fs)
	}
	store, err := logstore.Open("", logstore.Options{Level: p.level, SegmentBytes: simSegment, CheckpointBytes: simCheckpoint, FS: fs})
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	log := new(proc.Tail)
	b, err := broker.New(broker.Options{
		Profile: broker.Open, Store: store, QueueMessages: queueMessages, QueueBytes: queueBytes,
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broker, p.log = b, log
	p.starts++
	return nil
}

// kill cuts the power: what was not synced is gone, or half gone. The broker that was there finds its disk
// failing, and is cleared away.
func (p *powered) kill() error {
	p.mu.Lock()
	b := p.broker
	p.broker = nil
	p.mu.Unlock()
	if b == nil {
		return nil
	}
	p.disk.PowerCut(p.random)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b.Shutdown(ctx) // cuts the connections; its errors are those of the disk
	ctx, cancel = context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := b.Shutdown(ctx); err != nil && ctx.Err() != nil {
		return fmt.Errorf("clearing away the broker whose power was cut: %w", err)
	}
	return nil
}

func (p *powered) dial(context.Context) (net.Conn, int, error) {
	p.mu.Lock()
	b, n := p.broker, p.starts
	p.mu.Unlock()
	if b == nil {
		return nil, 0, errDown
	}
	c, err := b.Dial()
	return c, n, err
}

func (p *powered) life() context.Context { return context.Background() }

func (p *powered) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *powered) close() error {
	p.mu.Lock()
	b := p.broker
	p.broker = nil
	p.mu.Unlock()
	if b == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	return b.Shutdown(ctx)
}

// The bounds of a session's queue, far above what the publishers leave behind: a message dropped because a
// queue is full would be a loss that is not the store's.
const (
	queueMessages = 1_000_000
	queueBytes    = 1 << 30
	maxBehind     = 5000 // messages
)

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
