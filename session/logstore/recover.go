package logstore

import (
	"fmt"

	"sampan/session"
	"sampan/session/wal"
	"sampan/session/wal/vfs"
)

// After a recovery, names go on behind a gap: a torn tail may have had some that are not known any more.
const (
	idGap  = 1 << 16
	refGap = 1 << 20
)

// recovery reads the log back into the index. Nobody else uses the store yet.
type recovery struct {
	index   *index
	id      uint64 // highest found
	ref     uint64
	targets map[session.Ref][]session.ID // from recTargets, until their recMessage
	scratch []session.ID
	ended   wal.Pos // the recBegin of the last recEnd

	// damaged: something before was not readable. A session that is known may then have missed something,
	// and a checkpoint knows better. Open never gets here; the tools do.
	damaged bool

	// listed is what the checkpoint that began at begun has so far, and the sessions that have begun since. It is
	// nil if nothing was damaged before, since then there is no other session, or if something was damaged since.
	listed map[session.ID]bool
	begun  wal.Pos

	// half has the sessions that some parts were read of, and not the last one. One that was known before takes the
	// place of what is known when it is complete. One that was not is in the index from the beginning: as partial, or,
	// if something was damaged since, as what can be had of it.
	half map[session.ID]*state
}

// damage notes that something was not readable. It may have been a part of a session.
func (r *recovery) damage() {
	r.damaged, r.listed = true, nil
	r.settle()
	for _, st := range r.half {
		st.partial = false
	}
}

// settle gives up the parts of sessions that are known without them.
func (r *recovery) settle() {
	for id, st := range r.half {
		if st != r.index.session(id) {
			r.drop(id)
		}
	}
}

// close ends a session.
func (r *recovery) close(id session.ID, st *state) {
	r.drop(id)
	r.index.close(id, st)
}

// list notes that a session is in a checkpoint, or has begun.
func (r *recovery) list(id session.ID) {
	if r.listed != nil {
		r.listed[id] = true
	}
}

// end is the end of the checkpoint that began at begin. A session that it does not have has ended, though that
// could not be read.
func (r *recovery) end(begin wal.Pos) {
	r.ended = begin
	if r.listed == nil || begin != r.begun {
		return
	}
	for i := range r.index.shards {
		for id, st := range r.index.shards[i].sessions {
			if !r.listed[id] {
				r.close(id, st)
			}
		}
	}
	r.listed = nil
}

// recover reads the log from the last checkpoint that is complete, or if none is found, from its start.
func (s *Store) recover() error {
	begin := readPointer(s.o.FS)
	r := &recovery{index: &s.index}
	if begin >= s.log.Start() && begin < s.log.End() {
		// An error may mean that the pointer is to a checkpoint that a power cut has taken, at level os.
		// If it means more, it will come again.
		report, err := s.log.Replay(begin, r.apply)
		if err == nil && r.ended >= begin {
			s.report.Checkpoint = true
			s.report.Records, s.report.Bytes = report.Records, report.Bytes
		}
	}
	if !s.report.Checkpoint {
		s.index.init()
		r = &recovery{index: &s.index}
		report, err := s.log.Replay(0, r.apply)
		if err != nil {
			return err
		}
		s.report.Records, s.report.Bytes = report.Records, report.Bytes
	}
	if err := r.check(s.o.FS, s.log); err != nil {
		return err
	}
	s.index.table.near.Store(s.log.End().Segment())
	s.lastID.Store(r.id + idGap)
	s.lastRef.Store((r.ref + refGap) &^ (pageEntries - 1))
	s.upkeep.resume(r.ended, s.report.Bytes)
	return nil
}

// check compares what was read with the log: every message must be in it.
func (r *recovery) check(fs vfs.FS, log *wal.Log) error {
	for segment := range r.index.table.live() {
		if segment < log.Start().Segment() || segment > log.End().Segment() {
			return &wal.Corrupt{File: fs.Path(wal.FileName(segment)),
				Reason: "this segment is missing, and somebody waits for a message in it"}
		}
	}
	for i := range r.index.shards {
		for id, st := range r.index.shards[i].sessions {
			if st.partial {
				return fmt.Errorf("%w: session %d is not complete", errRecord, id)
			}
		}
	}
	return nil
}

// apply is the effect of a record.
func (r *recovery) apply(pos wal.Pos, rec []byte) error {
	r.index.table.near.Store(pos.Segment())
	d := decoder{b: rec}
	switch d.byte() {
	case recOpened:
		id := session.ID(d.uint())
		identity := d.string()
		r.sawID(id)
		if st := r.index.session(id); st != nil && !d.bad {
			r.close(id, st) // its end was in a place that is damaged
		}
		if !d.bad {
			r.index.open(id, identity)
			r.list(id)
		}
	case recMessage:
		r.message(pos, &d)
	case recTargets:
		ref := session.Ref(d.uint())
		ids := d.targets(nil, int(min(d.uint(), uint64(len(d.b)))))
		r.sawRef(ref)
		if r.targets == nil {
			r.targets = make(map[session.Ref][]session.ID)
		}
		r.targets[ref] = ids
	case recChanges:
		for len(d.b) > 0 && !d.bad {
			if c := d.change(); !d.bad {
				r.change(&c)
			}
		}
	case recMoved:
		h := d.messageHead()
		r.sawRef(h.ref)
		if !d.bad {
			r.index.table.move(h.ref, 0, func() (wal.Pos, error) { return pos, nil })
		}
	case recBegin:
		r.sawID(session.ID(d.uint()))
		r.sawRef(session.Ref(d.uint()))
		if r.damaged {
			r.begun, r.listed = pos, make(map[session.ID]bool)
		}
	case recPart:
		for len(d.b) > 0 && !d.bad {
			r.part(&d)
		}
	case recEnd:
		r.end(wal.Pos(d.uint()))
	default:
		d.bad = true
	}
	if d.bad {
		return fmt.Errorf("%w: at %v", errRecord, pos)
	}
	return nil
}

// change is the effect of a change on a session that is known, and on what a checkpoint says of it.
func (r *recovery) change(c *session.Change) {
	known, half := r.index.session(c.Session), r.half[c.Session]
	if c.Kind == session.Closed {
		if known != nil {
			r.close(c.Session, known)
		}
		return
	}
	if known != nil {
		r.index.change(known, c)
	}
	if half != nil && half != known {
		r.index.change(half, c)
	}
}

func (r *recovery) sawID(id session.ID)    { r.id = max(r.id, uint64(id)) }
func (r *recovery) sawRef(ref session.Ref) { r.ref = max(r.ref, uint64(ref)) }

func (r *recovery) message(pos wal.Pos, d *decoder) {
	h := d.messageHead()
	d.bytes(uint64(h.topic))
	d.bytes(uint64(h.payload))
	r.sawRef(h.ref)
	to := r.targets[h.ref]
	if to != nil {
		delete(r.targets, h.ref)
	} else {
		r.scratch = d.targets(r.scratch[:0], min(h.targets, len(d.b)))
		to = r.scratch
	}
	if !d.bad {
		r.index.message(h.ref, pos, h.packetSize(), h.expires, to)
	}
}

// Recover implements session.Store. What it reports was read by Open.
func (s *Store) Recover(fn func(*session.Recovered) error) error {
	if s.closed.Load() {
		return session.ErrStoreClosed
	}
	for i := range s.index.shards {
		sh := &s.index.shards[i]
		sh.mu.Lock()
		found := make([]*session.Recovered, 0, len(sh.sessions))
		for id, st := range sh.sessions {
			found = append(found, &session.Recovered{ID: id, Identity: st.identity, Connected: st.connected, Until: st.until, Doubtful: st.doubtful,
				Subscriptions: st.subscriptions(), Queued: st.queue.Len(), QueuedBytes: st.bytes})
		}
		sh.mu.Unlock()
		for _, rec := range found {
			if err := fn(rec); err != nil {
				return err
			}
		}
	}
	return nil
}
