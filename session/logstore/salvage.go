package logstore

import (
	"errors"
	"fmt"

	"sampan/session"
	"sampan/session/wal"
	"sampan/session/wal/vfs"
)

// Salvaged is the result of Salvage.
type Salvaged struct {
	Sessions      int
	Subscriptions int
	Messages      int // copied, each counted once
	Queued        int // places in queues
	Lost          int // places in queues of messages that could not be read

	Torn   *Place  // what Open would have cut off too
	Damage []Place // what could not be read
}

// errNotEmpty is what Salvage returns instead of adding to a store.
var errNotEmpty = errors.New("logstore: the directory to salvage to has a store in it")

// names that a damaged log may have given, besides those that could be read, are skipped like those of a torn
// tail, only more of them.
const salvageGap = 16

// Salvage makes a new store in the directory out, of everything in dir that can be read. It changes nothing
// in dir. Sessions keep their names, and messages their names, order and packet identifiers. What was noted
// in a damaged place is as if it had not happened, unless a later checkpoint knows better: so messages may
// come again that were acknowledged, a session whose beginning is lost is not there, and one whose end is lost
// is, unless its client has begun another since.
func Salvage(dir, out string, o Options) (*Salvaged, error) {
	to, err := vfs.Dir(out)
	if err != nil {
		return nil, &wal.Failure{Op: "create", File: out, Err: err}
	}
	return salvage(dir, o, to)
}

func salvage(dir string, o Options, to vfs.FS) (*Salvaged, error) {
	var s survey
	if err := s.read(dir, o); err != nil {
		return nil, err
	}
	log, err := wal.Open("", wal.Options{App: appName, SegmentBytes: o.SegmentBytes, FS: to})
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if log.Stats().Segments > 1 || log.End() != log.Start() {
		return nil, errNotEmpty
	}
	result := &Salvaged{Torn: s.found.Torn, Damage: s.found.Damage}
	fresh := new(index)
	fresh.init()
	if err := s.copyMessages(dir, o, log, fresh); err != nil {
		return nil, err
	}
	result.Lost = s.copySessions(fresh)
	if err := fresh.write(to, log, s.id+salvageGap*idGap, s.ref+salvageGap*refGap); err != nil {
		return nil, err
	}
	result.Messages = fresh.table.size().messages
	for i := range fresh.shards {
		result.Sessions += len(fresh.shards[i].sessions)
		result.Subscriptions += fresh.shards[i].filters.Filters
		result.Queued += fresh.shards[i].queued
	}
	return result, log.Close()
}

// copyMessages copies the messages that are queued to another log, and notes in fresh where they are.
func (s *survey) copyMessages(dir string, o Options, log *wal.Log, fresh *index) error {
	var head []byte
	step := 0
	return s.messages(dir, o, func(i wal.Item, r session.Ref, m info) error {
		d := decoder{b: i.Record[1:]}
		h := d.messageHead()
		h.targets = 0
		head = appendMessageHead(head[:0], recMoved, h)
		pos, err := log.Append(head, d.bytes(uint64(h.topic+h.payload)))
		if err != nil {
			return err
		}
		m.pos = pos
		fresh.table.near.Store(pos.Segment())
		fresh.table.put(r, m)
		if step += len(i.Record); step >= stepBytes {
			step = 0
			return log.Wait()
		}
		return nil
	})
}

// copySessions copies the sessions to another index that has the messages, and returns how many places in
// queues had none.
func (s *survey) copySessions(fresh *index) (lost int) {
	for i := range s.index.shards {
		for id, st := range s.index.shards[i].sessions {
			to := fresh.open(id, st.identity)
			to.connected, to.until, to.doubtful = st.connected, st.until, st.doubtful
			for _, sub := range st.subscriptions() {
				fresh.change(to, &session.Change{Kind: session.Subscribed, Session: id, Filter: sub.Filter, QoS: sub.QoS})
			}
			for _, p := range st.queue.Live() {
				if p.Empty() {
					continue
				}
				m, ok := fresh.table.get(p.Ref())
				if !ok {
					lost++
					continue
				}
				fresh.push(id, to, p, m.size)
			}
		}
	}
	return lost
}

// write writes all sessions to a log as a checkpoint, and the pointer to it.
func (x *index) write(fs vfs.FS, log *wal.Log, id, ref uint64) error {
	begin, err := log.Append(appendBegin(nil, session.ID(id), session.Ref(ref)))
	if err != nil {
		return err
	}
	var b []byte
	var p progress
	for i := range x.shards {
		for id, st := range x.shards[i].sessions {
			p.begun = false
			for complete := false; !complete; {
				b = append(b[:0], recPart)
				b, complete = x.appendPart(b, id, st, &p, partMessages)
				if _, err := log.Append(b); err != nil {
					return fmt.Errorf("session %d: %w", id, err)
				}
			}
		}
		if err := log.Wait(); err != nil {
			return err
		}
	}
	if _, err := log.Append(appendEnd(nil, begin)); err != nil {
		return err
	}
	if err := log.Wait(); err != nil {
		return err
	}
	return writePointer(fs, begin)
}
