package wal

import (
	"errors"
	"sync"
	"sync/atomic"
)

// finisher syncs, at level OS, the segments that are full: in the background, so that a power cut costs the
// last of the log and not its middle, and so that later frames can claim it.
type finisher struct {
	l    *Log
	wake chan struct{}
	upTo atomic.Uint32 // all segments with lower numbers are synced

	mu    sync.Mutex // guards queue
	queue []uint32

	working sync.Mutex // held while one segment is synced
}

func (f *finisher) init(l *Log, upTo uint32) {
	f.l = l
	f.wake = make(chan struct{}, 1)
	f.upTo.Store(upTo)
}

// all reports whether every segment before seq is synced.
func (f *finisher) all(seq uint32) bool { return f.upTo.Load() >= seq }

// add orders a sync of a segment that is full.
func (f *finisher) add(seg *segment) {
	f.mu.Lock()
	f.queue = append(f.queue, seg.seq)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *finisher) run() {
	for {
		select {
		case <-f.wake:
		case <-f.l.quit:
			return
		}
		if err := f.drain(); err != nil && !unopened(err) {
			f.l.mu.Lock()
			f.l.fail(err)
			f.l.mu.Unlock()
			f.l.signal()
			return
		}
	}
}

// drain syncs what is queued. A segment whose file cannot be opened stays in the queue, and is tried again when the next
// one is full: nothing claims it before.
func (f *finisher) drain() error {
	f.working.Lock()
	defer f.working.Unlock()
	for {
		f.mu.Lock()
		if len(f.queue) == 0 {
			f.mu.Unlock()
			return nil
		}
		seq := f.queue[0]
		f.mu.Unlock()
		if err := f.l.syncSegment(seq); err != nil {
			return err
		}
		f.mu.Lock()
		f.queue = f.queue[1:] // only here anything leaves it
		f.mu.Unlock()
		f.upTo.Store(seq + 1)
	}
}

// syncSegment makes a segment durable that is not the committer's business.
func (l *Log) syncSegment(seq uint32) error {
	h, err := l.files.acquire(seq)
	if err != nil {
		if errors.Is(err, ErrTruncated) {
			return nil
		}
		return err
	}
	defer l.files.release(h)
	if err := h.file.Sync(); err != nil {
		return &Failure{Op: "sync", File: l.o.FS.Path(h.name), Err: err}
	}
	return nil
}

// unopened reports whether a file could not be opened: as long as nothing was asked of it, nothing has failed that
// anybody relies on, and there may be a descriptor for it later.
func unopened(err error) bool {
	f, ok := errors.AsType[*Failure](err)
	return ok && f.Op == "open"
}
