package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"sampan/session/wal/vfs"
)

var (
	// ErrLocked is returned by Open for a directory that another process, or another Log, has open.
	ErrLocked = vfs.ErrLocked

	// ErrClosed is returned by every method of a Log after Close that returns an error.
	ErrClosed = errors.New("wal: log is closed")

	// ErrTruncated is returned by ReadAt and Scan for a position that Truncate has given up.
	ErrTruncated = errors.New("wal: position is before the start of the log")

	// ErrTooLarge is returned by Append for a record longer than MaxRecord.
	ErrTooLarge = fmt.Errorf("wal: record is longer than %d bytes", MaxRecord)

	// ErrForeign is returned by Open for a log of another application, or in another format.
	ErrForeign = errors.New("wal: the log is not for this program")

	// ErrFull, ErrReadOnly and ErrIO say what kind of Failure it is, for errors.Is.
	ErrFull     = errors.New("the disk is full")
	ErrReadOnly = errors.New("the file system or the directory cannot be written")
	ErrIO       = errors.New("the disk does not read or write")
)

// Failure is an operation on a file that the operating system refused. A Log that failed to write or to
// sync stays failed: which of the bytes on their way have arrived is not known any more, so nothing is
// acknowledged until the log is opened, and its end established, anew.
type Failure struct {
	Op   string // "write", "sync", ...
	File string // full name
	Err  error  // the operating system's error
}

func (f *Failure) Error() string {
	return fmt.Sprintf("wal: cannot %s %s: %v (%v)", f.Op, f.File, f.kind(), f.Err)
}

func (f *Failure) Unwrap() error { return f.Err }

// Is reports whether target is the kind of failure: ErrFull, ErrReadOnly or ErrIO.
func (f *Failure) Is(target error) bool { return target == f.kind() }

func (f *Failure) kind() error {
	switch {
	case errors.Is(f.Err, syscall.ENOSPC), errors.Is(f.Err, syscall.EDQUOT):
		return ErrFull
	case errors.Is(f.Err, syscall.EROFS), errors.Is(f.Err, fs.ErrPermission):
		return ErrReadOnly
	}
	return ErrIO
}

// Corrupt says that the log was once good at a place where it now is not. Nothing is cut: what to do is for
// a person to decide, with the tools that inspect and salvage.
type Corrupt struct {
	File   string // full name
	Offset int64  // of the first byte that is not understood
	Reason string // a clause that says what is wrong
}

func (c *Corrupt) Error() string {
	return fmt.Sprintf("wal: %s is corrupt at offset %d: %s", c.File, c.Offset, c.Reason)
}
