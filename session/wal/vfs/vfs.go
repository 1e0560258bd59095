// Package vfs is the file layer below the log: what it needs of a directory, small enough that a test can
// put a simulated disk in its place, one that loses what was not synced, tears the last writes and fails on
// purpose.
package vfs

import "io"

// FS is one flat directory. Names are plain file names in it.
type FS interface {
	// Path returns the full name of a file, for messages to people.
	Path(name string) string

	// List returns the names of all files, in no particular order.
	List() ([]string, error)

	// Open opens a file for reading and writing. With create, it is made if it does not exist.
	Open(name string, create bool) (File, error)

	// OpenRead opens a file for reading only.
	OpenRead(name string) (File, error)

	// Rename gives a file another name, atomically, and replaces the file that has it.
	Rename(from, to string) error

	// Remove deletes a file. Handles that are open on it stay usable.
	Remove(name string) error

	// SyncDir makes what List shows survive a power cut.
	SyncDir() error

	// Lock keeps other processes, and other calls in this one, from taking the same directory, until the
	// lock is closed. It fails with ErrLocked if the directory is taken. The lock of a process that dies
	// goes with it.
	Lock() (io.Closer, error)
}

// File is an open file. ReadAt and WriteAt may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer

	// Size returns the length of the file in bytes.
	Size() (int64, error)

	// Sync makes the contents survive a power cut, and as much of the metadata as reading them back
	// needs. After it has failed once, nothing is known about what was written.
	Sync() error
}
