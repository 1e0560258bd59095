package logstore

import (
	"cmp"
	"fmt"
	"slices"

	"sampan/session"
	"sampan/session/wal"
)

// Inspection is what is in a store's directory.
type Inspection struct {
	Segments   []Segment        // in order
	Records    map[string]int64 // by kind
	Bytes      int64            // of all records
	Checkpoint wal.Pos          // where the last complete one begins; 0: there is none
	Sessions   []SessionInfo    // by QueuedBytes, the largest first
	Messages   int              // stored, each counted once
	Queued     int              // places in queues
	Torn       *Place           // the torn tail that the next Open will cut off, or nil
	Damage     []Place          // why the next Open will fail, and what else is wrong; or empty
}

// Segment is one file of the log.
type Segment struct {
	File    string
	Number  uint32
	Bytes   int64 // size of the file
	Records int64
	Live    int64 // bytes of messages here that a session waits for
}

// SessionInfo is a session in a store.
type SessionInfo struct {
	ID            session.ID
	Identity      string
	Connected     bool         // a connection used it when the store stopped
	Until         session.Time // when it expires, if it was not connected; 0: never
	Subscriptions []session.Subscription
	Queued        int   // messages in its queue
	QueuedBytes   int64 // of their packets
	Sent          int   // of the queued ones, those that have a packet identifier
}

// Place is a place in a file that is not good.
type Place struct {
	File   string // "": it is not in one place
	Offset int64
	Length int64 // bytes; 0 if it is not known
	Reason string
}

func (p Place) String() string {
	if p.File == "" {
		return p.Reason
	}
	return fmt.Sprintf("%s, %d bytes at offset %d: %s", p.File, p.Length, p.Offset, p.Reason)
}

// kinds are the names of record types.
var kinds = map[byte]string{
	recOpened:  "opened",
	recMessage: "message",
	recTargets: "targets",
	recChanges: "changes",
	recMoved:   "moved",
	recBegin:   "checkpoint begin",
	recPart:    "checkpoint part",
	recEnd:     "checkpoint end",
}

// survey reads a store's log as far as it can be read, damaged or not.
type survey struct {
	index index
	recovery
	found Inspection
}

// read walks the log in a directory. Nobody may have it open.
func (s *survey) read(dir string, o Options) error {
	s.index.init()
	s.recovery.index = &s.index
	s.found.Records = map[string]int64{}
	err := wal.Walk(dir, o.walk(), func(i wal.Item) error {
		place := Place{i.File, i.Offset, i.Length, i.Reason}
		switch i.Kind {
		case wal.ItemSegment:
			s.found.Segments = append(s.found.Segments, Segment{File: i.File, Number: i.Pos.Segment(), Bytes: i.Length})
		case wal.ItemDamage:
			s.found.Damage = append(s.found.Damage, place)
			s.damage()
		case wal.ItemTorn:
			place.Reason = "it was being written when the process or the power went"
			s.found.Torn = &place
		case wal.ItemRecord:
			s.record(i, place)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.finish()
	return nil
}

// walk returns the options to walk the log with.
func (o Options) walk() wal.Options { return wal.Options{App: appName, FS: o.FS} }

func (s *survey) record(i wal.Item, place Place) {
	s.found.Segments[len(s.found.Segments)-1].Records++
	s.found.Bytes += int64(len(i.Record))
	if err := s.apply(i.Pos, i.Record); err != nil {
		place.Reason = "the record is whole, but not one of this store's"
		s.found.Damage = append(s.found.Damage, place)
		s.damage()
		return
	}
	s.found.Records[kinds[i.Record[0]]]++
}

// onePerClient takes out all but the last session of each identity. The end of one before could not be read:
// otherwise the next would not have begun.
func (s *survey) onePerClient() {
	last := map[string]session.ID{}
	for i := range s.index.shards {
		for id, st := range s.index.shards[i].sessions {
			last[st.identity] = max(last[st.identity], id)
		}
	}
	for i := range s.index.shards {
		for id, st := range s.index.shards[i].sessions {
			if newer := last[st.identity]; id < newer {
				s.found.Damage = append(s.found.Damage, Place{Reason: fmt.Sprintf(
					"the end of session %d of %q is missing: it is given up for its session %d", id, st.identity, newer)})
				s.index.close(id, st)
			}
		}
	}
}

// finish sums up. A session of which only a part was readable counts as it is.
func (s *survey) finish() {
	s.settle()
	s.onePerClient()
	f := &s.found
	f.Checkpoint = s.ended
	f.Messages = s.index.table.size().messages
	live := s.index.table.live()
	for i := range f.Segments {
		f.Segments[i].Live = live[f.Segments[i].Number]
	}
	for i := range s.index.shards {
		for id, st := range s.index.shards[i].sessions {
			if s.half[id] != nil {
				f.Damage = append(f.Damage, Place{Reason: fmt.Sprintf("the last checkpoint has only a part of session %d", id)})
				st.partial = false
			}
			info := SessionInfo{ID: id, Identity: st.identity, Connected: st.connected, Until: st.until, Queued: st.queue.Len(),
				QueuedBytes: st.bytes, Subscriptions: st.subscriptions()}
			for _, p := range st.queue.Live() {
				if !p.Empty() && p.PacketID() != 0 {
					info.Sent++
				}
			}
			f.Queued += info.Queued
			f.Sessions = append(f.Sessions, info)
		}
	}
	slices.SortFunc(f.Sessions, func(a, b SessionInfo) int {
		return cmp.Or(cmp.Compare(b.QueuedBytes, a.QueuedBytes), cmp.Compare(a.ID, b.ID))
	})
}

// Inspect says what is in a store's directory, damaged or not. It changes nothing, and holds in memory what
// the store itself would. Of the options, only FS counts. It fails with wal.ErrLocked if the store is open.
func Inspect(dir string, o Options) (*Inspection, error) {
	var s survey
	if err := s.read(dir, o); err != nil {
		return nil, err
	}
	return &s.found, nil
}
