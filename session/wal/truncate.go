package wal

// Truncate gives up the segments that lie wholly before a position, and keeps some of their files to be
// used again. Whatever the records there are superseded by must have been synced; at level OS, Truncate
// syncs it to the disk itself, so that a power cut does not take both. If a file cannot be opened for that, nothing
// has happened, and Truncate may be tried again.
func (l *Log) Truncate(before Pos) error {
	l.truncating.Lock()
	defer l.truncating.Unlock()
	l.mu.Lock()
	err := l.failed()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	keep := min(before, Pos(l.written.Load())).Segment() // the first to keep
	if l.files.firstSeq() >= keep {
		return nil
	}
	if l.o.Level == OS {
		for seq := keep; seq <= Pos(l.written.Load()).Segment(); seq++ {
			if err := l.syncSegment(seq); unopened(err) {
				return err
			} else if err != nil {
				return l.failWith(err)
			}
		}
	}
	for l.files.firstSeq() < keep {
		if err := l.dropFirst(); err != nil {
			return l.failWith(err)
		}
	}
	return nil
}

func (l *Log) failWith(err error) error {
	l.mu.Lock()
	l.fail(err)
	l.mu.Unlock()
	l.signal()
	return err
}

// dropFirst gives up the first segment. The directory is synced each time: a log with a gap would be taken
// for one that has lost a segment.
func (l *Log) dropFirst() error {
	name, reuse := l.files.drop()
	if reuse {
		return l.retire(name)
	}
	return l.remove(name)
}

// retire makes a segment's file a free one, or removes it if there are enough.
func (l *Log) retire(name string) error {
	fs := l.o.FS
	if !l.usable(name) {
		return l.remove(name)
	}
	free := l.files.freeName()
	if err := fs.Rename(name, free); err != nil {
		return &Failure{Op: "rename", File: fs.Path(name), Err: err}
	}
	if err := fs.SyncDir(); err != nil {
		return &Failure{Op: "sync", File: fs.Path(""), Err: err}
	}
	if l.files.addFree(free, l.o.KeepFree) {
		return nil
	}
	return l.remove(free)
}

func (l *Log) remove(name string) error {
	fs := l.o.FS
	if err := fs.Remove(name); err != nil {
		return &Failure{Op: "remove", File: fs.Path(name), Err: err}
	}
	if err := fs.SyncDir(); err != nil {
		return &Failure{Op: "sync", File: fs.Path(""), Err: err}
	}
	return nil
}

// usable reports whether a file is fit for another segment: not one that a long record has made longer.
func (l *Log) usable(name string) bool {
	f, err := l.o.FS.OpenRead(name)
	if err != nil {
		return false
	}
	defer f.Close()
	size, err := f.Size()
	return err == nil && size <= l.o.SegmentBytes
}
