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
	// of one session it takes at a time: a shard is locked for no longer than that takes, and no session is
	// too large for a record.
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
	var p progress
	for len(ids) > 0 {
		var err error
		if ids, err = u.writeParts(sh, ids, &p, &b); err != nil {
			return err
		}
		if err := u.pace(len(b)); err != nil {
			return err
		}
	}
	return nil
}

// writeParts writes one recPart: of the sessions ids, of whose first so much has been written. It returns those
// that are not complete.
func (u *upkeep) writeParts(sh *shard, ids []session.ID, p *progress, buf *[]byte) ([]session.ID, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	b := append((*buf)[:0], recPart)
	for len(ids) > 0 && len(b) < partBytes {
		complete := true // or gone
		if st := sh.sessions[ids[0]]; st != nil {
			b, complete = u.s.index.appendPart(b, ids[0], st, p, partMessages)
		}
		if complete {
			ids, p.begun = ids[1:], false
		}
	}
	*buf = b
	if len(b) == 1 {
		return ids, nil
	}
	_, err := u.s.log.Append(b)
	return ids, err
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
