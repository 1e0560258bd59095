package logstore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"sampan/session"
	"sampan/session/internal/queue"
	"sampan/session/wal"
	"sampan/session/wal/vfs"
)

// Options of a store. The zero value is a store at level disk.
type Options struct {
	// Level is what Sync promises; 0: wal.Disk.
	Level wal.Level

	// SegmentBytes is the size of the log's files, 64 MiB if it is 0.
	SegmentBytes int64

	// CheckpointBytes is how much is written to the log before a checkpoint, 64 MiB if it is 0; or
	// eight times the last checkpoint, if that is more. A recovery reads a checkpoint and so much.
	CheckpointBytes int64

	// FS is where the files are; nil: the directory of the operating system.
	FS vfs.FS
}

const (
	defaultCheckpoint = 64 << 20

	// appName is in the header of every file.
	appName = "sampan sessions"
)

// Store is a session.Store on a log.
type Store struct {
	o      Options
	log    *wal.Log
	index  index
	report Report

	lastID  atomic.Uint64
	lastRef atomic.Uint64
	closed  atomic.Bool
	syncs   atomic.Uint64

	upkeep upkeep
}

var _ session.Store = (*Store)(nil)

// Report says what Open found, and how long that took.
type Report struct {
	Sessions   int
	Messages   int
	Queued     int           // places in queues
	Checkpoint bool          // a checkpoint was used; otherwise the whole log was read
	Records    int64         // read
	Bytes      int64         // of these
	Duration   time.Duration // of all of Open
	Cut        *wal.Cut      // the torn tail, if there was one
}

// Open opens the store in a directory, or begins one, and reads back what it holds. It fails with
// wal.ErrLocked if the directory is in use, with a *wal.Corrupt if something there was damaged, and with a
// *wal.Failure if the disk does not do its work; the latter says with errors.Is whether it is wal.ErrFull,
// wal.ErrReadOnly or wal.ErrIO.
func Open(dir string, o Options) (*Store, error) {
	start := time.Now()
	if o.CheckpointBytes == 0 {
		o.CheckpointBytes = defaultCheckpoint
	}
	if o.FS == nil {
		fs, err := vfs.Dir(dir)
		if err != nil {
			return nil, &wal.Failure{Op: "create", File: dir, Err: err}
		}
		o.FS = fs
	}
	log, err := wal.Open(dir, wal.Options{Level: o.Level, App: appName, SegmentBytes: o.SegmentBytes, FS: o.FS})
	if err != nil {
		return nil, err
	}
	s := &Store{o: o, log: log}
	s.index.init()
	if err := s.recover(); err != nil {
		log.Close()
		return nil, err
	}
	size := s.Stats()
	s.report.Sessions, s.report.Messages, s.report.Queued = size.Sessions, size.Messages, size.Queued
	s.report.Cut = log.Found().Cut
	s.report.Duration = time.Since(start)
	s.upkeep.start(s)
	return s, nil
}

// Report returns what Open found.
func (s *Store) Report() Report { return s.report }

// failure turns an error of the log into one of the store.
func failure(err error) error {
	if errors.Is(err, wal.ErrClosed) {
		return session.ErrStoreClosed
	}
	return err
}

// Open implements session.Store.
func (s *Store) Open(identity string) (session.ID, error) {
	id := session.ID(s.lastID.Add(1))
	sh := s.index.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s.closed.Load() {
		return 0, session.ErrStoreClosed
	}
	if err := s.add(appendOpened(nil, id, identity)); err != nil {
		return 0, err
	}
	s.index.open(id, identity)
	return id, nil
}

// add appends a record to the log.
func (s *Store) add(rec []byte) error {
	_, err := s.addParts(len(rec), rec)
	return err
}

func (s *Store) addParts(n int, parts ...[]byte) (wal.Pos, error) {
	pos, err := s.log.Append(parts...)
	if err != nil {
		return 0, failure(err)
	}
	s.upkeep.wrote(n)
	return pos, nil
}

// Prompt implements session.PromptStore.
func (s *Store) Prompt() bool { return s.log.Prompt() }

// Append implements session.Store. Sessions that are not open are passed over; a message for none of them is
// not stored, and its Ref is zero.
func (s *Store) Append(m *session.Message, to []session.ID) error {
	// All shards concerned are held while the message is named, logged and queued: so the names in each
	// queue grow, and the log has the same order.
	var set uint64
	for _, id := range to {
		set |= 1 << shardOf(id)
	}
	s.index.lock(set)
	defer s.index.unlock(set)
	if s.closed.Load() {
		return session.ErrStoreClosed
	}
	open := slices.ContainsFunc(to, func(id session.ID) bool { return s.index.session(id) != nil })
	if !open {
		m.SetRef(0)
		return nil
	}
	ref := session.Ref(s.lastRef.Add(1))
	if ref > queue.MaxRef {
		return fmt.Errorf("logstore: more than %d messages were stored", queue.MaxRef)
	}
	pos, err := s.addMessage(s.index.first(set), m, ref, to)
	if err != nil {
		return err
	}
	m.SetRef(ref)
	s.index.message(ref, pos, m.Size(), m.Expires(), to)
	return nil
}

// addMessage appends the record of a message to the log, or both if it is for many sessions. sh is a shard
// that is locked.
func (s *Store) addMessage(sh *shard, m *session.Message, ref session.Ref, to []session.ID) (wal.Pos, error) {
	b := sh.scratch[:0]
	inline := to
	if len(to) > inlineTargets {
		inline = nil
		b = append(b, recTargets)
		b = appendUint(b, uint64(ref))
		b = appendUint(b, uint64(len(to)))
		b = appendTargets(b, to)
		if err := s.add(b); err != nil {
			return 0, err
		}
	}
	topic, payload := m.Topic(), m.Payload()
	b = appendMessageHead(b[:0], recMessage, messageHead{
		ref: ref, expires: m.Expires(), topic: len(topic), payload: len(payload), targets: len(inline)})
	head := len(b)
	b = appendTargets(b, inline)
	sh.keep(b)
	return s.addParts(len(b)+len(topic)+len(payload), b[:head], topic, payload, b[head:])
}

// Record implements session.Store. Changes of sessions that are not open, and of messages that are not in
// their queue, are passed over.
func (s *Store) Record(changes []session.Change) error {
	if len(changes) == 0 {
		if s.closed.Load() {
			return session.ErrStoreClosed
		}
		return nil
	}
	var set uint64
	for i := range changes {
		set |= 1 << shardOf(changes[i].Session)
	}
	s.index.lock(set)
	defer s.index.unlock(set)
	if s.closed.Load() {
		return session.ErrStoreClosed
	}
	sh := s.index.first(set)
	b := append(sh.scratch[:0], recChanges)
	for i := range changes {
		if s.index.session(changes[i].Session) != nil {
			b = appendChange(b, &changes[i])
		}
	}
	sh.keep(b)
	if len(b) == 1 {
		return nil
	}
	if err := s.add(b); err != nil {
		return err
	}
	for i := range changes {
		if st := s.index.session(changes[i].Session); st != nil {
			s.index.change(st, &changes[i])
		}
	}
	return nil
}

// Queue implements session.Store. After Close, and for a session that is not open, it finds nothing.
func (s *Store) Queue(id session.ID, after session.Ref, dst []session.Stored) int {
	sh := s.index.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := s.index.session(id)
	if st == nil || s.closed.Load() {
		return 0
	}
	n := 0
	for _, p := range st.queue.Behind(after) {
		if n == len(dst) {
			break
		}
		if p.Empty() {
			continue
		}
		m, _ := s.index.table.get(p.Ref())
		dst[n] = session.Stored{Ref: p.Ref(), Size: m.size, PacketID: p.PacketID(), Expires: m.expires}
		n++
	}
	return n
}

// Sync implements session.Store.
func (s *Store) Sync(done func(error)) {
	if s.closed.Load() {
		done(session.ErrStoreClosed)
		return
	}
	s.syncs.Add(1)
	s.log.Sync(done)
}

// Stats implements session.Store. MemoryBytes is 16 bytes for a stored message, 8 for its place in each
// queue, and what is allocated ahead of that; besides sessions and subscriptions.
func (s *Store) Stats() session.StoreStats {
	log := s.log.Stats()
	table := s.index.table.size()
	st := session.StoreStats{
		Level:        s.level(),
		Messages:     table.messages,
		Bytes:        table.bytes,
		MemoryBytes:  s.index.memory(),
		DiskBytes:    log.DiskBytes,
		Syncs:        s.syncs.Load(),
		SyncFailures: log.Failures,
		Failure:      log.Failure,
		Trouble:      cmp.Or(s.Trouble(), log.SpareFailure),
	}
	for i := range s.index.shards {
		sh := &s.index.shards[i]
		sh.mu.Lock()
		st.Sessions += len(sh.sessions)
		st.Subscriptions += sh.filters.Filters
		st.Queued += sh.queued
		sh.mu.Unlock()
	}
	return st
}

func (s *Store) level() string {
	if s.o.Level == 0 {
		return wal.Disk.String()
	}
	return s.o.Level.String()
}

// LogStats is a snapshot of the log's own figures.
func (s *Store) LogStats() wal.Stats { return s.log.Stats() }

// Close implements session.Store.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return session.ErrStoreClosed
	}
	s.upkeep.stop()
	err := failure(s.log.Close())
	s.index.init()
	return err
}
