package wal

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"sampan/session/wal/vfs"
)

// Item is something that Walk comes upon.
type Item struct {
	Kind   ItemKind
	File   string // full name
	Offset int64  // in the file
	Length int64
	Pos    Pos
	Record []byte // of an ItemRecord; valid during the call only
	Reason string // of an ItemDamage: a clause that says what is wrong
}

// ItemKind says what an Item is.
type ItemKind uint8

const (
	// ItemSegment: a segment begins. Length is the size of its file.
	ItemSegment ItemKind = iota + 1
	// ItemRecord: a good record.
	ItemRecord
	// ItemDamage: a place that was synced once and now is not good. Open fails on it.
	ItemDamage
	// ItemTorn: a place at the end of the log that was written but never reported as synced. Open cuts it.
	ItemTorn
)

// Walk reads a log that nobody has open, and goes on where Open would fail: it calls fn for each segment,
// each good record and each place that is not good, in order. It changes nothing and reads in bounded
// memory; a part of the disk that cannot be read is taken for damage.
func Walk(dir string, o Options, fn func(Item) error) error {
	if o.FS == nil {
		fsys, err := vfs.ReadDir(dir)
		if err != nil {
			return &Failure{Op: "open", File: dir, Err: err}
		}
		o.FS = fsys
	}
	lock, err := o.FS.Lock()
	switch {
	case err == nil:
		defer lock.Close()
	case errors.Is(err, ErrLocked):
		return lockError(o.FS, err)
	case !errors.Is(lockError(o.FS, err), ErrReadOnly):
		return err
	}
	names, err := o.FS.List()
	if err != nil {
		return &Failure{Op: "list", File: o.FS.Path(""), Err: err}
	}
	var seqs []uint32
	for _, name := range names {
		if seq, ok := number(name, walSuffix); ok {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	w := walker{fs: o.FS, fn: fn, segs: make([]surveyed, len(seqs))}
	for i, seq := range seqs {
		w.segs[i].seq = seq
		if err := w.segs[i].survey(lenientFS{o.FS}, o.App, true); err != nil {
			return err
		}
		if w.segs[i].claims() {
			w.proven = i
		}
	}
	for i := range w.segs {
		if i > 0 && w.segs[i].seq != w.segs[i-1].seq+1 {
			if err := w.missing(w.segs[i-1].seq+1, w.segs[i].seq); err != nil {
				return err
			}
		}
		end, err := w.segment(i)
		if end || err != nil {
			return err
		}
	}
	return nil
}

// walker is a Walk on its way.
type walker struct {
	fs     vfs.FS
	fn     func(Item) error
	segs   []surveyed
	proven int // index of the last segment with a claim: all before it were synced
}

func (w *walker) missing(from, to uint32) error {
	reason := "this segment is missing"
	if to-from > 1 {
		reason = fmt.Sprintf("this segment and the %d behind it are missing", to-from-1)
	}
	return w.fn(Item{Kind: ItemDamage, File: w.fs.Path(FileName(from)), Pos: At(from, 0), Reason: reason})
}

// segment walks one segment, and reports whether the log ends there.
func (w *walker) segment(i int) (end bool, err error) {
	s := &w.segs[i]
	name := FileName(s.seq)
	f, err := lenientFS{w.fs}.OpenRead(name)
	if err != nil {
		return false, &Failure{Op: "open", File: w.fs.Path(name), Err: err}
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return false, &Failure{Op: "read", File: w.fs.Path(name), Err: err}
	}
	item := Item{Kind: ItemSegment, File: w.fs.Path(name), Length: size, Pos: At(s.seq, 0)}
	if err := w.fn(item); err != nil {
		return false, err
	}
	if s.err != nil {
		item.Kind, item.Reason = ItemDamage, s.err.Error()
		return false, w.fn(item)
	}
	sc := newScanner(&s.head, f, headerBytes, size)
	for {
		off := sc.off
		fr, rec, ok, err := sc.next()
		if err != nil {
			return false, &Failure{Op: "read", File: w.fs.Path(name), Err: err}
		}
		if !ok {
			if end, err := w.gap(i, sc); end || err != nil {
				return i >= w.proven, err
			}
			continue
		}
		if fr.kind == kindEnd {
			return false, nil
		}
		if fr.kind == kindRecord {
			err := w.fn(Item{Kind: ItemRecord, File: item.File, Offset: int64(off), Length: int64(sc.off - off),
				Pos: At(s.seq, off), Record: rec})
			if err != nil {
				return false, err
			}
		}
	}
}

// gap moves the scanner from where there is no good frame to the next one, and reports what lies between. It
// reports true if the segment ends there, or the log.
func (w *walker) gap(i int, sc *scanner) (end bool, err error) {
	s := &w.segs[i]
	item := Item{File: w.fs.Path(FileName(s.seq)), Offset: int64(sc.off), Pos: At(s.seq, sc.off)}
	if i >= w.proven && max(s.claimed, s.rest.claimed) <= sc.off {
		// Open cuts here, or would, were there no damage before. Then the good frames before this place are the
		// survey's rest.
		item.Kind = ItemTorn
		if s.rest.frames > 0 && s.rest.last > sc.off {
			item.Length = int64(s.rest.last - sc.off)
		} else if item.Length, err = sc.torn(); err != nil {
			return false, &Failure{Op: "read", File: item.File, Err: err}
		}
		if item.Length == 0 {
			return true, nil // nothing was being written
		}
		return true, w.fn(item)
	}
	for good := false; !good && int64(sc.off)+frameHeader <= sc.end; {
		sc.skip(frameAlign)
		off, epoch := sc.off, sc.epoch
		if _, _, good, err = sc.next(); err != nil {
			return false, &Failure{Op: "read", File: item.File, Err: err}
		}
		if good {
			sc.off, sc.epoch, sc.r, sc.w = off, epoch, 0, 0 // to be read again
		}
	}
	item.Kind, item.Reason = ItemDamage, "there is no good record, although it was synced"
	item.Length = int64(sc.off) - item.Offset
	return int64(sc.off)+frameHeader > sc.end, w.fn(item)
}

// lenientFS reads zeros where a disk cannot be read.
type lenientFS struct{ vfs.FS }

func (l lenientFS) OpenRead(name string) (vfs.File, error) {
	f, err := l.FS.OpenRead(name)
	if err != nil {
		return nil, err
	}
	return lenientFile{f}, nil
}

type lenientFile struct{ vfs.File }

func (l lenientFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := l.File.ReadAt(b, off)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	size, e := l.Size()
	if e != nil {
		return n, err
	}
	for n = 0; n < len(b) && off+int64(n) < size; {
		page := b[n:min(n+pageBytes, len(b))]
		m, err := l.File.ReadAt(page, off+int64(n))
		if err != nil && !errors.Is(err, io.EOF) {
			clear(page[m:])
			m = int(min(int64(len(page)), size-off-int64(n)))
		}
		n += m
		if m == 0 {
			break
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
