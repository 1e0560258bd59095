package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sampan/session/wal"
	"sampan/session/wal/vfs"
)

// Options of a ledger. The zero value is a ledger of the default size that keeps every change on the disk.
type Options struct {
	// Level is what a change is safe from when Sync says that it holds; 0: wal.Disk.
	Level wal.Level

	// MaxRecords and MaxBytes bound the records that count: their number, default 4,000,000, and their size,
	// default 16 GiB in a log and 1 GiB in memory.
	MaxRecords int
	MaxBytes   int64

	// SegmentBytes is the size of a file of the log; 0: 16 MiB.
	SegmentBytes int64

	// FS is where the files are; nil: the directory of the operating system.
	FS vfs.FS
}

// The longest key and value, in bytes.
const (
	MaxKey   = 256
	MaxValue = 1 << 20
)

// readBytes is the size of a record that All reads without an allocation.
const readBytes = 4 << 10

const (
	defaultRecords  = 4_000_000
	defaultBytes    = 16 << 30
	defaultInMemory = 1 << 30
	defaultSegment  = 16 << 20
)

// Application marks the ledger's log, so that no other one is read in its place.
const Application = "sampan ledger 1"

// The errors of Put and Delete beside those of the log.
var (
	ErrFull     = errors.New("ledger: full")
	ErrTooLarge = errors.New("ledger: the record is too large")
	ErrClosed   = errors.New("ledger: closed")
)

// Ledger keeps records. All methods are safe for concurrent use.
type Ledger struct {
	o    Options
	log  log
	disk *wal.Log // the same; nil in memory

	mu         sync.RWMutex // guards all below, and the order of entries in the log
	index      [kinds]map[string]place
	records    int
	live       int64 // bytes of the entries that count
	total      int64 // bytes of all entries in the log
	closed     bool
	compacting bool
	failure    error // of the last compaction
	again      int64 // total from which on it is tried again, if it has failed
	head       []byte

	background sync.WaitGroup // a compaction; Close waits
}

// place is where an entry is.
type place struct {
	pos  wal.Pos
	size uint32
}

// log is where entries are, in a directory or in memory.
type log interface {
	Append(parts ...[]byte) (wal.Pos, error)
	ReadAt(pos wal.Pos, dst []byte) ([]byte, error)
	Sync(done func(error))
	Wait() error
	Close() error
}

// New returns a ledger in memory.
func New(o Options) *Ledger {
	o.MaxBytes = cmp.Or(o.MaxBytes, defaultInMemory)
	return empty(o, new(memory))
}

func empty(o Options, in log) *Ledger {
	o.MaxRecords = cmp.Or(o.MaxRecords, defaultRecords)
	o.MaxBytes = cmp.Or(o.MaxBytes, defaultBytes)
	o.SegmentBytes = cmp.Or(o.SegmentBytes, defaultSegment)
	l := &Ledger{o: o, log: in}
	for k := range l.index {
		l.index[k] = make(map[string]place)
	}
	return l
}

// Open opens the ledger in a directory, which is made if it does not exist. The error matches wal.ErrLocked
// if another process has it open, and is a *wal.Corrupt if the log is damaged.
func Open(dir string, o Options) (*Ledger, error) {
	o.SegmentBytes = cmp.Or(o.SegmentBytes, defaultSegment)
	in, err := wal.Open(dir, wal.Options{Level: o.Level, App: Application, SegmentBytes: o.SegmentBytes, KeepFree: 1, FS: o.FS})
	if err != nil {
		return nil, fmt.Errorf("ledger: cannot open %s: %w", dir, err)
	}
	l := empty(o, in)
	l.disk = in
	if _, err := in.Replay(0, l.apply); err != nil {
		in.Close()
		return nil, fmt.Errorf("ledger: cannot read %s: %w", dir, err)
	}
	l.mu.Lock()
	l.tidy()
	l.mu.Unlock()
	return l, nil
}

// apply takes an entry over when the ledger is opened. An entry of a kind that is not known stays out of the
// index, and so goes with the next compaction.
func (l *Ledger) apply(pos wal.Pos, rec []byte) error {
	k, gone, key, _, ok := readEntry(rec)
	if !ok {
		return &Damaged{pos}
	}
	l.total += int64(len(rec))
	switch {
	case k >= kinds:
	case gone:
		l.drop(k, string(key))
	default:
		l.note(k, string(key), place{pos, uint32(len(rec))})
	}
	return nil
}

// note puts an entry into the index. The caller holds mu.
func (l *Ledger) note(k Kind, key string, at place) {
	if old, had := l.index[k][key]; had {
		l.live -= int64(old.size)
	} else {
		l.records++
	}
	l.index[k][key] = at
	l.live += int64(at.size)
}

// drop takes an entry out of the index. The caller holds mu.
func (l *Ledger) drop(k Kind, key string) {
	if old, had := l.index[k][key]; had {
		delete(l.index[k], key)
		l.records--
		l.live -= int64(old.size)
	}
}

// Record is a record to put.
type Record struct {
	Key   string
	Value []byte
}

// Put makes records the latest of their keys: all of them, or none if there is no room. It copies them. The
// error matches ErrFull, ErrTooLarge or ErrClosed, or is the log's.
func (l *Ledger) Put(k Kind, records ...Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	more, bytes := 0, int64(0)
	for _, r := range records {
		if len(r.Key) > MaxKey || len(r.Value) > MaxValue {
			return fmt.Errorf("%w: a key of %d bytes, a value of %d", ErrTooLarge, len(r.Key), len(r.Value))
		}
		old, had := l.index[k][r.Key]
		if !had {
			more++
		}
		bytes += int64(len(appendHead(l.head[:0], k, r.Key))+len(r.Value)) - int64(old.size)
	}
	if more > 0 && l.records+more > l.o.MaxRecords {
		return fmt.Errorf("%w: there are %d records, the limit is %d", ErrFull, l.records, l.o.MaxRecords)
	}
	if bytes > 0 && l.live+bytes > l.o.MaxBytes {
		return fmt.Errorf("%w: there are %d bytes, the limit is %d", ErrFull, l.live, l.o.MaxBytes)
	}
	for _, r := range records {
		at, err := l.append(k, 0, r.Key, r.Value)
		if err != nil {
			return err
		}
		l.forget(k, r.Key)
		l.note(k, r.Key, at)
	}
	l.tidy()
	return nil
}

// append writes an entry. The caller holds mu.
func (l *Ledger) append(k Kind, flag byte, key string, value []byte) (place, error) {
	l.head = appendHead(l.head[:0], k|Kind(flag), key)
	pos, err := l.log.Append(l.head, value)
	if err != nil {
		return place{}, err
	}
	size := len(l.head) + len(value)
	if l.disk != nil {
		l.total += int64(size)
	}
	return place{pos, uint32(size)}, nil
}

// forget gives up what a log in memory has under a key. The caller holds mu.
func (l *Ledger) forget(k Kind, key string) {
	if m, inMemory := l.log.(*memory); inMemory {
		m.forget(l.index[k][key].pos)
	}
}

// Delete removes records; those that are not there do not matter.
func (l *Ledger) Delete(k Kind, keys ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	for _, key := range keys {
		if _, had := l.index[k][key]; !had {
			continue
		}
		if _, err := l.append(k, deleted, key, nil); err != nil {
			return err
		}
		l.forget(k, key)
		l.drop(k, key)
	}
	l.tidy()
	return nil
}

// Get returns the latest record of a key, read into dst as far as that has room. ok is false if there is
// none.
func (l *Ledger) Get(k Kind, key string, dst []byte) (value []byte, ok bool, err error) {
	for {
		l.mu.RLock()
		at, had := l.index[k][key]
		l.mu.RUnlock()
		if !had {
			return nil, false, nil
		}
		rec, err := l.log.ReadAt(at.pos, dst)
		if errors.Is(err, wal.ErrTruncated) {
			continue // it has been moved, or superseded, meanwhile
		}
		if err != nil {
			return nil, false, err
		}
		_, _, _, value, ok := readEntry(rec)
		if !ok {
			return nil, false, &Damaged{at.pos}
		}
		return value, true, nil
	}
}

// Has reports whether there is a record. It reads nothing.
func (l *Ledger) Has(k Kind, key string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, had := l.index[k][key]
	return had
}

// All calls fn for the records of a kind, in about the order in which they were put, until it returns an
// error. Records that are put or deleted meanwhile may be missed. The value is valid during the call.
func (l *Ledger) All(k Kind, fn func(key string, value []byte) error) error {
	type found struct {
		key string
		pos wal.Pos
	}
	l.mu.RLock()
	keys := make([]found, 0, len(l.index[k]))
	for key, at := range l.index[k] {
		keys = append(keys, found{key, at.pos})
	}
	l.mu.RUnlock()
	slices.SortFunc(keys, func(a, b found) int { return cmp.Compare(a.pos, b.pos) })
	buf := make([]byte, readBytes)
	for _, f := range keys {
		value, ok, err := l.Get(k, f.key, buf)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := fn(f.key, value); err != nil {
			return err
		}
	}
	return nil
}

// Sweep deletes the records of a kind whose key is not to be kept. It reads no record.
func (l *Ledger) Sweep(k Kind, keep func(key string) bool) (swept int, err error) {
	var gone []string
	l.mu.RLock()
	for key := range l.index[k] {
		if !keep(key) {
			gone = append(gone, key)
		}
	}
	l.mu.RUnlock()
	return len(gone), l.Delete(k, gone...)
}

// Sync calls done once: when everything that was put and deleted before holds, or with the error that keeps
// it from holding. done is called before Sync returns, or on a goroutine that does nothing else; it must not
// wait.
func (l *Ledger) Sync(done func(error)) { l.log.Sync(done) }

// Wait is Sync for a caller that has nothing else to do.
func (l *Ledger) Wait() error { return l.log.Wait() }

// Failed is the error after which nothing can be put any more until the ledger is opened again; nil: there was none.
func (l *Ledger) Failed() error {
	if l.disk == nil {
		return nil
	}
	return l.disk.Stats().Failure
}

// Close writes everything to the disk and releases the directory.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.closed = true
	l.mu.Unlock()
	l.background.Wait()
	return l.log.Close()
}

// Stats is a snapshot of a ledger's size.
type Stats struct {
	Records    map[Kind]int
	Total      int   // of all kinds
	MaxRecords int   // the bound on it
	Bytes      int64 // of the records that count
	MaxBytes   int64 // the bound on it
	LogBytes   int64 // of all entries in the log on the disk, superseded ones included
	Failure    error // why the log could not be compacted, if it could not
}

// Stats counts.
func (l *Ledger) Stats() Stats {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := Stats{Records: make(map[Kind]int), Total: l.records, MaxRecords: l.o.MaxRecords,
		Bytes: l.live, MaxBytes: l.o.MaxBytes, LogBytes: l.total, Failure: l.failure}
	for k := Kind(1); k < kinds; k++ {
		s.Records[k] = len(l.index[k])
	}
	return s
}
