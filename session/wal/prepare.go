package wal

import (
	"sync"
	"sync/atomic"

	"sampan/session/wal/vfs"
)

// preparer makes the next segment ready before it is needed: zeroed, so that writing to it later changes no
// metadata, with a synced header and its name. It runs in the background from the time that the current
// segment is half full.
type preparer struct {
	l     *Log
	start chan struct{} // one pending order
	need  chan struct{} // one pending cry for help: the committer waits
	ready chan prepared
	hurry atomic.Bool // the committer waits: do without zeros

	mu  sync.Mutex // guards err
	err error      // of the last attempt
}

type prepared struct {
	seg *segment
	err error
}

func (p *preparer) init(l *Log) {
	p.l = l
	p.start = make(chan struct{}, 1)
	p.need = make(chan struct{}, 1)
	p.ready = make(chan prepared)
}

// order asks for the next segment, without waiting for it.
func (p *preparer) order() {
	select {
	case p.start <- struct{}{}:
	default:
	}
}

// take returns the next segment as soon as it is ready. Only the committer calls it.
func (p *preparer) take() (*segment, error) {
	select {
	case r := <-p.ready:
		return r.seg, r.err
	default:
	}
	p.order()
	p.hurry.Store(true)
	p.need <- struct{}{}
	r := <-p.ready
	p.hurry.Store(false)
	select {
	case <-p.need:
	default:
	}
	return r.seg, r.err
}

func (p *preparer) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// run prepares segments from seq on, one ahead, until the log's end.
func (p *preparer) run(seq uint32) {
	for ; ; seq++ {
		select {
		case <-p.start:
		case <-p.l.quit:
			return
		}
		seg, err := p.prepare(seq)
		if err != nil {
			// The log does not need it yet. By the time that it does, there may be room again.
			select {
			case <-p.need:
				seg, err = p.prepare(seq)
			case <-p.l.quit:
				return
			}
		}
		select {
		case p.ready <- prepared{seg, err}:
		case <-p.l.quit:
			if err == nil {
				seg.file.Close()
			}
			return
		}
		if err != nil {
			return // and the log has failed
		}
	}
}

func (p *preparer) prepare(seq uint32) (*segment, error) {
	seg, err := p.l.newSegment(seq, &p.hurry)
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	return seg, err
}

// newSegment makes the file of a segment, from a free one if there is one.
func (l *Log) newSegment(seq uint32, hurry *atomic.Bool) (*segment, error) {
	fs := l.o.FS
	name, ok := l.files.takeFree()
	if !ok {
		name = l.files.freeName()
	}
	f, err := fs.Open(name, true)
	if err != nil {
		return nil, &Failure{Op: "create", File: fs.Path(name), Err: err}
	}
	seg := &segment{
		segmentHeader: segmentHeader{seq: seq, epoch: l.epoch, app: l.o.App},
		name:          FileName(seq),
		file:          f,
	}
	seg.draw()
	op := "write"
	err = l.zero(f, hurry)
	if err == nil {
		_, err = f.WriteAt(seg.encode(), 0)
	}
	if err == nil {
		op, err = "sync", f.Sync()
	}
	if err == nil {
		op, err = "rename", fs.Rename(name, seg.name)
	}
	if err == nil {
		op, err = "sync", fs.SyncDir()
	}
	if err != nil {
		f.Close()
		fs.Remove(name) // gives its space back if the disk is full; if it fails, it is found by Open
		return nil, &Failure{Op: op, File: fs.Path(name), Err: err}
	}
	return seg, nil
}

// zeroStep is how much is zeroed between two syncs, so that these never have much to do at once: a commit
// may share the disk with them.
const zeroStep = 1 << 20

// zero fills the part that a file lacks to the size of a segment. At level OS nothing waits for metadata,
// and the file may grow.
func (l *Log) zero(f vfs.File, hurry *atomic.Bool) error {
	if l.o.Level != Disk {
		return nil
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	step := make([]byte, min(zeroStep, l.o.SegmentBytes))
	for size < l.o.SegmentBytes && !hurry.Load() {
		step = step[:min(int64(len(step)), l.o.SegmentBytes-size)]
		n, err := f.WriteAt(step, size)
		if err != nil {
			return err
		}
		if size += int64(n); size%(4*zeroStep) == 0 {
			if err := f.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}
