package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"sampan/session"
	"sampan/session/wal"
)

// recordRoom is how much longer than its packet the record of a message is at most, with the log's own
// header.
const recordRoom = 16 + 1 + 4*binary.MaxVarintLen64 + inlineTargets*binary.MaxVarintLen64

var readBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Load implements session.Store. It reads the message from where it is in the log, with one system call.
func (s *Store) Load(r session.Ref) (*session.Message, error) {
	buf := readBuffers.Get().(*[]byte)
	b := *buf
	defer func() {
		if cap(b) <= keepScratch {
			*buf = b
			readBuffers.Put(buf)
		}
	}()
	for {
		if s.closed.Load() {
			return nil, session.ErrStoreClosed
		}
		at, ok := s.index.table.get(r)
		if !ok {
			return nil, session.ErrNoMessage
		}
		if want := at.size + recordRoom; cap(b) < want {
			b = make([]byte, 0, want)
		}
		rec, err := s.log.ReadAt(at.pos, b)
		if err == nil {
			return message(rec, r)
		}
		now, ok := s.index.table.get(r)
		if !ok {
			return nil, session.ErrNoMessage
		}
		if now.pos != at.pos {
			continue // it was copied forward, and its old place given up
		}
		if errors.Is(err, wal.ErrClosed) || s.closed.Load() {
			return nil, session.ErrStoreClosed
		}
		if damage, ok := errors.AsType[*wal.Corrupt](err); ok {
			return nil, damaged(damage)
		}
		return nil, err
	}
}

// damaged says of an error that it will not pass.
func damaged(err error) error { return fmt.Errorf("%w: %w", session.ErrDamaged, err) }

// message makes the message in a record, which must be named r.
func message(rec []byte, r session.Ref) (*session.Message, error) {
	d := decoder{b: rec}
	kind := d.byte()
	h := d.messageHead()
	if kind != recMessage && kind != recMoved || d.bad || h.ref != r {
		return nil, damaged(errRecord)
	}
	topic := d.bytes(uint64(h.topic))
	m := session.NewMessage(topic, d.bytes(uint64(h.payload)), h.expires)
	m.SetRef(r)
	return m, nil
}
