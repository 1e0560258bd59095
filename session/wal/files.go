package wal

import (
	"sync"

	"sampan/session/wal/vfs"
)

// maxOpen is how many files of old segments are kept open for reading.
const maxOpen = 64

// files are the segments of the log, by number, without gaps, and the free files.
type files struct {
	fs vfs.FS

	mu    sync.Mutex // guards all below
	first uint32
	segs  []*held // segs[i] is segment first+i
	free  []string
	names uint32 // the number in the last name given to a free file
	open  int    // how many old segments' files are open
	clock uint64 // counts uses
	ended bool   // the log is closed
}

// held is a segment of the log. Its file is open while it is in use, while it is the last one, and for
// some time after.
type held struct {
	segment
	users int
	used  uint64 // files.clock at the last use
}

func (fs *files) firstSeq() uint32 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.first
}

func (fs *files) count() (segments, free int) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.segs), len(fs.free)
}

// add makes seg the last segment.
func (fs *files) add(seg *segment) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.segs) == 0 {
		fs.first = seg.seq
	}
	fs.segs = append(fs.segs, &held{segment: *seg})
	fs.open++
	fs.shut()
}

// acquire returns a segment with its file open. It is to be released.
func (fs *files) acquire(seq uint32) (*held, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.ended {
		return nil, ErrClosed
	}
	if seq < fs.first {
		return nil, ErrTruncated
	}
	if seq-fs.first >= uint32(len(fs.segs)) {
		return nil, &Corrupt{File: fs.fs.Path(FileName(seq)), Reason: "there is no such segment"}
	}
	h := fs.segs[seq-fs.first]
	if h.file == nil {
		f, err := fs.fs.OpenRead(h.name)
		if err != nil {
			return nil, &Failure{Op: "open", File: fs.fs.Path(h.name), Err: err}
		}
		h.file = f
		fs.open++
	}
	fs.clock++
	h.users++
	h.used = fs.clock
	fs.shut()
	return h, nil
}

func (fs *files) release(h *held) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if h.users--; h.users == 0 && (h.seq < fs.first || fs.ended) && h.file != nil {
		h.file.Close()
		h.file = nil
		fs.open--
	}
}

// shut closes the file that was not used for longest if too many are open, but never the last segment's:
// that is the committer's.
func (fs *files) shut() {
	if fs.open <= maxOpen {
		return
	}
	var oldest *held
	for _, h := range fs.segs[:len(fs.segs)-1] {
		if h.file != nil && h.users == 0 && (oldest == nil || h.used < oldest.used) {
			oldest = h
		}
	}
	if oldest != nil {
		oldest.file.Close()
		oldest.file = nil
		fs.open--
	}
}

// drop takes the first segment out of the log. It reports whether its file may be used again: not if
// somebody still reads it.
func (fs *files) drop() (name string, reuse bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	h := fs.segs[0]
	fs.segs = fs.segs[1:]
	fs.first++
	if h.users > 0 {
		return h.name, false
	}
	if h.file != nil {
		h.file.Close()
		h.file = nil
		fs.open--
	}
	return h.name, true
}

// addFree adds a free file, unless there are enough of them.
func (fs *files) addFree(name string, most int) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.free) >= most {
		return false
	}
	fs.free = append(fs.free, name)
	return true
}

func (fs *files) takeFree() (name string, ok bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.free) == 0 {
		return "", false
	}
	name = fs.free[len(fs.free)-1]
	fs.free = fs.free[:len(fs.free)-1]
	return name, true
}

// freeName returns a name for a free file that no other has: not one that is being made a segment either.
func (fs *files) freeName() string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.names++
	return numbered(fs.names, freeSuffix)
}

// close closes all files but those that somebody reads: these are closed when they are released.
func (fs *files) close() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.ended = true
	for _, h := range fs.segs {
		if h.file != nil && h.users == 0 {
			h.file.Close()
			h.file = nil
			fs.open--
		}
	}
}

func (fs *files) closed() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.ended
}
