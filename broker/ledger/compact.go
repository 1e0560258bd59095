package ledger

import "sampan/session/wal"

const (
	// spareSegments is how many segments of superseded entries a log may have beyond twice what counts.
	spareSegments = 4
	// roundSegments is how many segments are compacted before the disk is waited for.
	roundSegments = 32
)

// due reports whether the front of the log is to be compacted, once cut bytes of it have been. The caller
// holds mu.
func (l *Ledger) due(cut int64) bool {
	return l.disk != nil && !l.closed && l.total-cut > 2*l.live+spareSegments*l.o.SegmentBytes
}

// tidy begins a compaction if one is due. After one that has failed, that is so when some more has been written: what
// failed may have passed by then, and if it has not, the disk is not kept busy with it. The caller holds mu.
func (l *Ledger) tidy() {
	if l.compacting || l.total < l.again || !l.due(0) {
		return
	}
	l.compacting = true
	l.background.Go(func() {
		for more := true; more; {
			cut, err := l.compact()
			l.mu.Lock()
			l.total -= cut
			l.failure, l.again = err, 0
			if err != nil {
				l.again = l.total + spareSegments*l.o.SegmentBytes
			}
			more = cut > 0 && l.due(0)
			l.compacting = more
			l.mu.Unlock()
		}
	})
}

// compact copies what counts in the first segments to the end of the log, waits until that holds, and cuts
// the segments off; it returns how many bytes of entries were in them. Entries of deletions are not copied:
// what they delete lies before them, and goes with them. A crash on the way costs nothing: the latest entry
// of a key is there twice.
func (l *Ledger) compact() (cut int64, err error) {
	// Only what is in its file can be scanned.
	end := l.disk.End()
	if err := l.disk.Wait(); err != nil {
		return 0, err
	}
	at := l.disk.Start()
	for range roundSegments {
		if at.Segment() >= end.Segment() || !l.stillDue(cut) {
			break
		}
		next := wal.At(at.Segment()+1, 0)
		report, err := l.disk.Scan(at, next, l.carry)
		if err != nil {
			return 0, err
		}
		at, cut = next, cut+report.Bytes
	}
	if err := l.disk.Wait(); err != nil {
		return 0, err
	}
	if err := l.disk.Truncate(at); err != nil {
		return 0, err
	}
	return cut, nil
}

func (l *Ledger) stillDue(cut int64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.due(cut)
}

// carry copies an entry to the end of the log if it counts.
func (l *Ledger) carry(pos wal.Pos, rec []byte) error {
	k, gone, key, value, ok := readEntry(rec)
	if !ok {
		return &Damaged{pos}
	}
	if gone || k >= kinds {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.index[k][string(key)].pos != pos {
		return nil
	}
	at, err := l.append(k, 0, string(key), value)
	if err == nil {
		l.index[k][string(key)] = at
	}
	return err
}
