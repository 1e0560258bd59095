package wal

import (
	"fmt"
	"time"

	"sampan/session/wal/vfs"
)

// Level is what Sync promises.
type Level uint8

const (
	// OS: what was synced survives the process, not a power cut.
	OS Level = iota + 1
	// Disk: what was synced survives a power cut.
	Disk
)

func (l Level) String() string {
	switch l {
	case OS:
		return "os"
	case Disk:
		return "disk"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// Options of a log. The zero value is a log at level Disk.
type Options struct {
	Level Level // 0: Disk

	// App names whose records the log holds, in at most 16 bytes; a log of another App is not opened.
	App string

	// SegmentBytes is the size of a segment's file, 64 MiB if it is 0. A longer
	// record gets a file of its own.
	SegmentBytes int64

	// KeepFree is how many files that Truncate has freed are kept to be used again, 8 if it is 0.
	KeepFree int

	// MaxPending is how many bytes may wait to be written, 64 MiB if it is 0. Append waits while there
	// are more; until then it never waits for a disk.
	MaxPending int

	// FS is where the files are; nil: the directory of the operating system.
	FS vfs.FS
}

// MinSegment and MaxSegment limit Options.SegmentBytes.
const (
	MinSegment = 16 << 10
	MaxSegment = 1 << 31
)

const (
	defaultSegment    = 64 << 20
	defaultKeepFree   = 8
	defaultMaxPending = 64 << 20

	// flushBytes is how much is gathered before it is written without anybody waiting for it, and
	// flushAfter how long.
	flushBytes = 256 << 10
	flushAfter = 10 * time.Millisecond
)

func (o *Options) fill(dir string) (err error) {
	if o.Level == 0 {
		o.Level = Disk
	}
	if o.Level > Disk {
		return fmt.Errorf("wal: unknown level %v", o.Level)
	}
	if len(o.App) > appBytes {
		return fmt.Errorf("wal: application name %q is longer than %d bytes", o.App, appBytes)
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegment
	}
	if o.SegmentBytes < MinSegment || o.SegmentBytes > MaxSegment {
		return fmt.Errorf("wal: a segment of %d bytes is not between %d and %d", o.SegmentBytes, MinSegment, int64(MaxSegment))
	}
	if o.KeepFree == 0 {
		o.KeepFree = defaultKeepFree
	}
	if o.MaxPending == 0 {
		o.MaxPending = defaultMaxPending
	}
	if o.FS == nil {
		if o.FS, err = vfs.Dir(dir); err != nil {
			return &Failure{Op: "create", File: dir, Err: err}
		}
	}
	return nil
}
