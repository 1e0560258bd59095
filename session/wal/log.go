package wal

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Log is an open log. All methods are safe for concurrent use.
type Log struct {
	o     Options
	lock  io.Closer
	epoch uint32
	found Report // what Open found

	mu       sync.Mutex // guards all below
	room     sync.Cond  // signalled when pending bytes were written, and at the end
	err      error      // the first failure; it stays
	closing  bool
	seq, off uint32  // where the next frame goes
	pending  []chunk // appended, not taken by the committer
	inflight []chunk // taken by the committer; their payloads do not change
	unwrit   int     // bytes in pending and inflight
	dirty    bool    // a frame has been appended since the last one that holds at the level
	marked   bool    // the last frame is a mark
	flush    bool    // pending is to be written although nobody waits
	armed    bool    // flushTimer runs
	waiters  []func(error)
	buffers  [][]byte // for chunks
	stats    Stats

	flushTimer *time.Timer
	wake       chan struct{} // one pending signal for the committer
	written    atomic.Uint64 // a Pos: everything before it is in the files

	w        writer
	files    files
	spare    preparer
	notes    notifier
	finished finisher

	truncating sync.Mutex // one Truncate at a time
	committed  chan struct{}
	background sync.WaitGroup
	quit       chan struct{}
}

// Stats is a snapshot of a log's size and work since it was opened.
type Stats struct {
	Records      uint64
	Bytes        uint64 // of the records
	Writes       uint64
	Syncs        uint64 // fdatasync calls on behalf of Sync
	SyncTime     time.Duration
	Failures     uint64 // Sync callbacks that got an error
	Pending      int    // bytes that wait to be written
	Segments     int    // files that hold the log
	FreeFiles    int
	DiskBytes    int64 // of all files, estimated as whole segments
	Failure      error // what the log has failed with
	SpareFailure error // why the next segment could not be prepared so far
}

// Append puts a record, made of parts, at the end of the log and returns its position. It copies the parts
// and returns; what it appended holds when the callback of a later Sync says so. The order of calls is the
// order of records.
//
// Append waits only while Options.MaxPending bytes wait to be written. Sync callbacks do not run where
// writing is done, so a caller that waits here may hold locks that the callbacks take.
func (l *Log) Append(parts ...[]byte) (Pos, error) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n > MaxRecord {
		return 0, ErrTooLarge
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.unwrit > l.o.MaxPending && l.err == nil && !l.closing {
		l.signal()
		l.room.Wait()
	}
	if err := l.failed(); err != nil {
		return 0, err
	}
	if l.full(n) {
		l.put(kindEnd, nil, 0)
		l.seq, l.off = l.seq+1, headerBytes
	}
	pos := At(l.seq, l.off)
	l.put(kindRecord, parts, n)
	l.dirty, l.marked = true, false
	l.stats.Records++
	l.stats.Bytes += uint64(n)
	if l.unwrit >= flushBytes {
		l.flush = true
		l.signal()
	} else if !l.armed && len(l.waiters) == 0 {
		l.armed = true
		l.flushTimer.Reset(flushAfter)
	}
	return pos, nil
}

// Prompt reports whether Append is far from having to wait.
func (l *Log) Prompt() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unwrit <= l.o.MaxPending/2
}

// failed returns why nothing can be appended any more, or nil. The caller holds mu.
func (l *Log) failed() error {
	if l.closing {
		return ErrClosed
	}
	return l.err
}

// full reports whether a record of n bytes belongs in the next segment. An end frame always has room behind
// it. The caller holds mu.
func (l *Log) full(n int) bool {
	return l.off > headerBytes && int64(l.off)+int64(frameSize(n)+frameHeader) > l.o.SegmentBytes
}

// put adds a frame to what is pending. The caller holds mu.
func (l *Log) put(k kind, parts [][]byte, n int) {
	if last := len(l.pending) - 1; last < 0 || l.pending[last].seq != l.seq {
		l.pending = append(l.pending, chunk{seq: l.seq, off: l.off, buf: l.buffer()})
	}
	c := &l.pending[len(l.pending)-1]
	c.add(k, parts, n)
	c.ends = k == kindEnd
	l.off += uint32(frameSize(n))
	l.unwrit += frameSize(n)
}

// Sync calls done once: when everything appended before the call holds at the log's level, or with the
// error that keeps it from holding. done is called before Sync returns, or on a goroutine of the log that
// does nothing else; while it runs, no other done is called from there. In either case it is called after those
// of all calls of Sync that had returned before.
func (l *Log) Sync(done func(error)) {
	l.mu.Lock()
	err := l.failed()
	if err != nil || !l.dirty {
		if len(l.waiters) > 0 {
			l.waiters = append(l.waiters, done) // the committer is about to answer those before
			l.mu.Unlock()
			return
		}
		if err != nil {
			l.stats.Failures++
		}
		later := l.notes.behind(done, err)
		l.mu.Unlock()
		if !later {
			done(err)
		}
		return
	}
	first := len(l.waiters) == 0
	l.waiters = append(l.waiters, done)
	l.mu.Unlock()
	if first { // who comes later is seen with the first one
		l.signal()
	}
}

// Wait is Sync for a caller that has nothing else to do.
func (l *Log) Wait() error {
	done := make(chan error, 1)
	l.Sync(func(err error) { done <- err })
	return <-done
}

// signal wakes the committer. It does not need mu.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Start returns the position before the first record that the log still has.
func (l *Log) Start() Pos { return At(l.files.firstSeq(), headerBytes) }

// End returns the position of the next record, unless that begins a new segment.
func (l *Log) End() Pos {
	l.mu.Lock()
	defer l.mu.Unlock()
	return At(l.seq, l.off)
}

// Found returns what Open found: above all, what it cut.
func (l *Log) Found() Report { return l.found }

// Stats returns a snapshot.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	s := l.stats
	s.Pending, s.Failure = l.unwrit, l.err
	l.mu.Unlock()
	s.Segments, s.FreeFiles = l.files.count()
	s.DiskBytes = int64(s.Segments+s.FreeFiles) * l.o.SegmentBytes
	s.SpareFailure = l.spare.failure()
	return s
}

// Close writes and syncs everything that was appended, and releases the directory. It returns the error
// that the log has failed with, if it has.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return ErrClosed
	}
	l.closing = true
	l.room.Broadcast()
	l.mu.Unlock()
	l.signal()
	<-l.committed
	close(l.quit)
	l.background.Wait()
	l.truncating.Lock() // it renames files, which must not be another log's by then
	defer l.truncating.Unlock()
	l.flushTimer.Stop()
	l.files.close()
	err := l.err
	if e := l.lock.Close(); err == nil && e != nil {
		err = &Failure{Op: "unlock", File: l.o.FS.Path(""), Err: e}
	}
	return err
}
