package wal

import (
	"runtime"
	"time"
)

// chunk is a run of frames for one segment, on its way to the file.
type chunk struct {
	seq, off uint32 // where buf goes
	buf      []byte
	ends     bool // the last frame is an end
}

// add puts a frame at the end of the chunk, to be sealed by the committer.
func (c *chunk) add(k kind, parts [][]byte, n int) {
	var head [frameHeader]byte
	putSize(head[:], k, n)
	c.buf = append(c.buf, head[:]...)
	for _, p := range parts {
		c.buf = append(c.buf, p...)
	}
	var pad [frameAlign]byte
	c.buf = append(c.buf, pad[:frameSize(n)-frameHeader-n]...)
}

// find returns the payload of the frame at pos, if the chunk has it.
func (c *chunk) find(pos Pos) ([]byte, bool) {
	at := int64(pos.Offset()) - int64(c.off)
	if c.seq != pos.Segment() || at < 0 || at >= int64(len(c.buf)) {
		return nil, false
	}
	b := c.buf[at:]
	return b[frameHeader : frameHeader+sizeOf(b)], true
}

// maxBuffer is the capacity up to which a chunk's buffer is kept to be used again.
const maxBuffer = 8 << 20

// buffer returns an empty buffer. The caller holds mu.
func (l *Log) buffer() []byte {
	if n := len(l.buffers); n > 0 {
		b := l.buffers[n-1]
		l.buffers = l.buffers[:n-1]
		return b
	}
	return make([]byte, 0, 64<<10)
}

// keepBuffers is how many idle buffers are held: what is filled and what is written.
const keepBuffers = 2

// writer is the end of the log as the committer sees it. Only the committer touches it.
type writer struct {
	seg     *segment
	next    *segment // the one after seg, if it was taken already
	end     uint32   // of what is written
	synced  uint32   // offset in seg up to which it is synced
	unsaved bool     // seg was written since its last sync
	asked   bool     // the next segment was ordered

	writes, syncs uint64 // for Stats
	syncTime      time.Duration
}

// commit is the committer: it writes what is pending, syncs once for all who wait, and again.
func (l *Log) commit() {
	defer close(l.committed)
	for range l.wake {
		for l.round() {
		}
		l.mu.Lock()
		closing := l.closing
		l.mu.Unlock()
		if closing {
			// Close may have come after the last round saw nothing to do; what was appended before it is
			// still to be written.
			for l.round() {
			}
			l.finish()
			return
		}
	}
}

// round writes and syncs once, and reports whether there was anything to do.
func (l *Log) round() bool {
	// Who is ready to append does so first: where many are, one sync for all of them costs less than one for the
	// first few, and then one for the others. Where nobody is, this takes no time.
	runtime.Gosched()
	l.mu.Lock()
	if l.err != nil || len(l.waiters) == 0 && !l.flush && !l.closing || l.closing && !l.dirty {
		waiters := l.waiters
		l.waiters = nil
		l.stats.Failures += uint64(len(waiters))
		l.notes.send(waiters, l.err)
		l.mu.Unlock()
		return false
	}
	chunks, waiters := l.pending, l.waiters
	l.inflight, l.pending, l.waiters, l.flush = chunks, nil, nil, false
	sync := len(waiters) > 0 || l.closing
	l.mu.Unlock()

	err := l.write(chunks)
	if err == nil && sync && l.o.Level == Disk {
		err = l.syncTail()
	}

	l.mu.Lock()
	l.landed(chunks, err)
	if err != nil {
		l.stats.Failures += uint64(len(waiters))
	}
	if err == nil && sync && len(l.pending) == 0 {
		l.dirty = false
	}
	mark, ok := l.mark()
	l.notes.send(waiters, err) // before anybody can see that nothing is left to wait for
	l.mu.Unlock()
	if ok {
		err := l.write([]chunk{mark})
		l.mu.Lock()
		l.landed([]chunk{mark}, err)
		l.mu.Unlock()
	}
	return true
}

// landed notes that chunks are in their files, or why not. The caller holds mu.
func (l *Log) landed(chunks []chunk, err error) {
	l.inflight = nil
	l.stats.Writes, l.stats.Syncs, l.stats.SyncTime = l.w.writes, l.w.syncs, l.w.syncTime
	for _, c := range chunks {
		l.unwrit -= len(c.buf)
		if len(l.buffers) < keepBuffers && cap(c.buf) <= maxBuffer {
			l.buffers = append(l.buffers, c.buf[:0])
		}
	}
	if err != nil {
		l.fail(err)
	} else {
		l.written.Store(uint64(At(l.w.seg.seq, l.w.end)))
	}
	l.room.Broadcast()
}

// fail makes err the log's end. The caller holds mu.
func (l *Log) fail(err error) {
	if l.err == nil {
		l.err = err
		l.room.Broadcast()
	}
}

// mark returns a frame that says that everything before it is synced, if that is so and nobody has anything
// to write: for want of it, nothing would prove that the last records were once good. It is not synced
// itself. The caller holds mu.
func (l *Log) mark() (c chunk, ok bool) {
	if l.dirty || l.marked || l.err != nil || l.o.Level != Disk || l.full(0) {
		return c, false
	}
	l.put(kindMark, nil, 0)
	l.marked = true
	c = l.pending[0]
	l.inflight, l.pending = l.pending, nil
	return c, true
}

// write seals chunks and writes them, each to its segment.
func (l *Log) write(chunks []chunk) error {
	for _, c := range chunks {
		if err := l.writeChunk(c); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) writeChunk(c chunk) error {
	w := &l.w
	if c.ends && w.next == nil {
		// An end frame is written only when the next segment is there: so if that is missing or has
		// no header, it has been lost.
		seg, err := l.spare.take()
		if err != nil {
			return err
		}
		w.next = seg
	}
	claim := uint32(0)
	if l.o.Level == Disk || l.finished.all(c.seq) {
		claim = claimOf(w.synced)
	}
	for at := 0; at < len(c.buf); {
		at += w.seg.seal(c.buf[at:], c.off+uint32(at), l.epoch, claim)
	}
	if _, err := w.seg.file.WriteAt(l.padded(c), int64(c.off)); err != nil {
		return &Failure{Op: "write", File: l.o.FS.Path(w.seg.name), Err: err}
	}
	w.end, w.unsaved = c.off+uint32(len(c.buf)), true
	w.writes++
	if !w.asked && int64(w.end) >= l.o.SegmentBytes/2 {
		w.asked = true
		l.spare.order()
	}
	if c.ends {
		return l.turn()
	}
	return nil
}

// pageBytes is the unit in which the operating system caches files.
const pageBytes = 4096

var zeros [pageBytes]byte

// padded returns the chunk's bytes with zeros up to the end of the page. A page that is written whole need
// not be read first, when the file is an old one and not in the cache.
func (l *Log) padded(c chunk) []byte {
	end := int64(c.off) + int64(len(c.buf))
	pad := -end & (pageBytes - 1)
	if end+pad > l.o.SegmentBytes {
		return c.buf
	}
	return append(c.buf, zeros[:pad]...)
}

// turn goes on to the next segment.
func (l *Log) turn() error {
	w := &l.w
	if l.o.Level == Disk {
		// Whatever is in the next segment proves that this one was synced.
		if err := l.syncTail(); err != nil {
			return err
		}
	} else {
		l.finished.add(w.seg)
	}
	l.files.add(w.next)
	w.seg, w.next = w.next, nil
	w.end, w.synced, w.unsaved, w.asked = headerBytes, headerBytes, false, false
	return nil
}

// syncTail makes the writer's segment durable.
func (l *Log) syncTail() error {
	w := &l.w
	if !w.unsaved {
		return nil
	}
	start := time.Now()
	if err := w.seg.file.Sync(); err != nil {
		return &Failure{Op: "sync", File: l.o.FS.Path(w.seg.name), Err: err}
	}
	w.syncs++
	w.syncTime += time.Since(start)
	w.synced, w.unsaved = w.end, false
	return nil
}

// finish syncs and marks the end, at either level, when the log is closed.
func (l *Log) finish() {
	l.mu.Lock()
	err, marked := l.err, l.marked
	l.mu.Unlock()
	if err == nil {
		err = l.finished.drain()
	}
	if err == nil {
		err = l.syncTail()
	}
	if err == nil && !marked {
		l.mu.Lock()
		c := chunk{seq: l.seq, off: l.off}
		c.add(kindMark, nil, 0)
		room := !l.full(0)
		l.mu.Unlock()
		if room {
			if err = l.writeChunk(c); err == nil {
				err = l.syncTail()
			}
		}
	}
	if l.w.next != nil {
		l.w.next.file.Close()
	}
	if err != nil {
		l.mu.Lock()
		l.fail(err)
		l.mu.Unlock()
	}
}
