package wal

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"sampan/session/wal/vfs"
)

// Open opens the log in a directory, or begins one. It takes the directory's lock, or fails with ErrLocked;
// finds the end of the log, and cuts off what a power cut has torn behind it; fails with a Corrupt if what is
// not good there was once synced; and makes what it found durable. Only the last segments are read: see
// Replay.
func Open(dir string, o Options) (*Log, error) {
	start := time.Now()
	if err := o.fill(dir); err != nil {
		return nil, err
	}
	lock, err := o.FS.Lock()
	if err != nil {
		return nil, lockError(o.FS, err)
	}
	l := &Log{o: o, lock: lock, wake: make(chan struct{}, 1), committed: make(chan struct{}),
		quit: make(chan struct{})}
	l.room.L = &l.mu
	l.files.fs = o.FS
	l.notes.init()
	l.spare.init(l)
	if err := l.recover(); err != nil {
		l.files.close()
		lock.Close()
		return nil, err
	}
	l.seq, l.off = l.w.seg.seq, l.w.end
	l.written.Store(uint64(At(l.seq, l.off)))
	l.finished.init(l, l.seq)
	l.flushTimer = time.AfterFunc(time.Hour, l.flushNow)
	l.flushTimer.Stop()

	next := l.seq + 1

	// These end with Close: commit when it is told to, the others when commit has ended.
	go l.commit()
	l.background.Go(func() { l.spare.run(next) })
	l.background.Go(l.finished.run)
	l.background.Go(l.notes.run)
	go func() {
		<-l.committed
		l.notes.end()
	}()
	l.found.Duration = time.Since(start)
	return l, nil
}

func lockError(fs vfs.FS, err error) error {
	f := &Failure{Op: "lock", File: fs.Path(""), Err: err}
	if f.Is(ErrIO) {
		return fmt.Errorf("wal: %w", err)
	}
	return f
}

// flushNow makes the committer write what nobody waits for.
func (l *Log) flushNow() {
	l.mu.Lock()
	l.armed = false
	l.flush = len(l.pending) > 0
	l.mu.Unlock()
	l.signal()
}

// recover opens the segments, finds the end of the log and makes it ready to go on.
func (l *Log) recover() error {
	// Who was here before may have been killed between giving a file its name and syncing the directory. What is
	// acknowledged from now on relies on the names that are found: a power cut must not take one of them back.
	if err := l.o.FS.SyncDir(); err != nil {
		return &Failure{Op: "sync", File: l.o.FS.Path(""), Err: err}
	}
	names, err := l.o.FS.List()
	if err != nil {
		return &Failure{Op: "list", File: l.o.FS.Path(""), Err: err}
	}
	var free []string
	seqs := make([]uint32, 0, len(names))
	for _, name := range names {
		if seq, ok := number(name, walSuffix); ok {
			seqs = append(seqs, seq)
		} else if n, ok := number(name, freeSuffix); ok {
			free = append(free, name)
			l.files.names = max(l.files.names, n)
		}
	}
	slices.Sort(seqs)
	for _, name := range free {
		if !l.usable(name) || !l.files.addFree(name, l.o.KeepFree) {
			if err := l.remove(name); err != nil {
				return err
			}
		}
	}
	if len(seqs) == 0 {
		return l.begin()
	}
	t, err := findTail(l.o.FS, l.o.App, seqs)
	if err != nil {
		return err
	}
	l.epoch = t.epoch + 1
	l.found = t.report
	l.marked = t.marked
	return l.resume(t)
}

// begin makes the first segment of a new log.
func (l *Log) begin() error {
	l.epoch = 1
	var never atomic.Bool
	seg, err := l.newSegment(1, &never)
	if err != nil {
		return err
	}
	l.files.add(seg)
	l.w = writer{seg: seg, end: headerBytes, synced: headerBytes}
	return nil
}

// resume makes durable what was found, and gives up the segments behind the end.
func (l *Log) resume(t *tail) error {
	fs := l.o.FS
	for i := len(t.segs) - 1; i > t.last; i-- {
		if err := l.retire(FileName(t.segs[i].seq)); err != nil {
			return err
		}
	}
	for i, s := range t.segs[:t.last+1] {
		name := FileName(s.seq)
		if i < t.first {
			l.files.add(&segment{segmentHeader: s.head, name: name})
			continue
		}
		f, err := fs.Open(name, false)
		if err != nil {
			return &Failure{Op: "open", File: fs.Path(name), Err: err}
		}
		seg := &segment{segmentHeader: s.head, name: name, file: f}
		l.files.add(seg)
		if err := rewrite(f, max(s.claimed, headerBytes), s.end); err != nil {
			return &Failure{Op: "sync", File: fs.Path(name), Err: err}
		}
		l.w = writer{seg: seg, end: s.end, synced: s.end}
	}
	return nil
}

// rewrite writes a part of a file over itself and syncs it. After a sync that failed, the operating system
// may hold what it could not write and believe that it did; a process that finds it there must not rely on
// it.
func rewrite(f vfs.File, from, to uint32) error {
	buf := make([]byte, min(scanBuffer, int(max(to, from)-from)))
	for from < to {
		buf = buf[:min(len(buf), int(to-from))]
		if _, err := f.ReadAt(buf, int64(from)); err != nil {
			return err
		}
		if _, err := f.WriteAt(buf, int64(from)); err != nil {
			return err
		}
		from += uint32(len(buf))
	}
	return f.Sync()
}
