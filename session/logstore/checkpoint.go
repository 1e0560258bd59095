package logstore

import (
	"encoding/binary"
	"hash/crc32"

	"sampan/session"
	"sampan/session/wal"
	"sampan/session/wal/vfs"
)

const (
	// partBytes is how long a recPart gets before the next is begun, and partMessages how many messages
	// of one session it takes at a time: a shard is locked for no longer than that takes.
	partBytes    = 16 << 10
	partMessages = 1 << 10

	// stepBytes is how much the upkeep writes before it waits until that is synced, so that it never has
	// more than that between the others' records.
	stepBytes = 1 << 20
)

// checkpoint writes all sessions to the log, among whatever else is written there, and then the pointer to
// where that began.
func (u *upkeep) checkpoint() error {
	s := u.s
	s.index.table.near.Store(s.log.End().Segment())
	begin, err := s.log.Append(appendBegin(nil, session.ID(s.lastID.Load()), session.Ref(s.lastRef.Load())))
	if err != nil {
		return err
	}
	u.since.Store(0)
	u.size, u.step = 0, 0
	for i := range s.index.shards {
		if err := u.writeShard(&s.index.shards[i]); err != nil {
			return err
		}
	}
	if _, err := s.log.Append(appendEnd(nil, begin)); err != nil {
		return err
	}
	if err := s.log.Wait(); err != nil {
		return err
	}
	if err := writePointer(s.o.FS, begin); err != nil {
		return err
	}
	u.begin = begin
	return nil
}

// writeShard writes the sessions of a shard.
func (u *upkeep) writeShard(sh *shard) error {
	sh.mu.Lock()
	ids := make([]session.ID, 0, len(sh.sessions))
	for id := range sh.sessions {
		ids = append(ids, id)
	}
	sh.mu.Unlock()
	var b []byte
	for i, after := 0, session.Ref(0); i < len(ids); {
		var err error
		if i, after, err = u.writeParts(sh, ids, i, after, &b); err != nil {
			return err
		}
		if err := u.pace(len(b)); err != nil {
			return err
		}
	}
	return nil
}

// writeParts writes one recPart: of the sessions ids[i:], of whose first the messages up to after have been
// written. It returns where to go on.
func (u *upkeep) writeParts(sh *shard, ids []session.ID, i int, after session.Ref, buf *[]byte) (
	int, session.Ref, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	b := append((*buf)[:0], recPart)
	for i < len(ids) && len(b) < partBytes {
		st := sh.sessions[ids[i]]
		if st == nil {
			i, after = i+1, 0
			continue
		}
		var complete bool
		b, after, complete = u.s.index.appendPart(b, ids[i], st, after == 0, after, partMessages)
		if complete {
			i, after = i+1, 0
		}
	}
	*buf = b
	if len(b) == 1 {
		return i, after, nil
	}
	_, err := u.s.log.Append(b)
	return i, after, err
}

// pointerName is the file that says where the last complete checkpoint begins. It is an aid: without it, the
// whole log is read.
const pointerName = "checkpoint"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func writePointer(fs vfs.FS, begin wal.Pos) error {
	const temporary = pointerName + ".new"
	b := binary.LittleEndian.AppendUint64(nil, uint64(begin))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	f, err := fs.Open(temporary, true)
	if err != nil {
		return &wal.Failure{Op: "create", File: fs.Path(temporary), Err: err}
	}
	op := "write"
	_, err = f.WriteAt(b, 0)
	if err == nil {
		op, err = "sync", f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		op, err = "rename", fs.Rename(temporary, pointerName)
	}
	if err == nil {
		op, err = "sync", fs.SyncDir()
	}
	if err != nil {
		return &wal.Failure{Op: op, File: fs.Path(temporary), Err: err}
	}
	return nil
}

// readPointer returns where the last checkpoint begins, or 0.
func readPointer(fs vfs.FS) wal.Pos {
	f, err := fs.OpenRead(pointerName)
	if err != nil {
		return 0
	}
	defer f.Close()
	var b [12]byte
	if n, _ := f.ReadAt(b[:], 0); n < len(b) ||
		binary.LittleEndian.Uint32(b[8:]) != crc32.Checksum(b[:8], castagnoli) {
		return 0
	}
	return wal.Pos(binary.LittleEndian.Uint64(b[:]))
}
