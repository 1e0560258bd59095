//go:build unix

package vfs_test

import (
	"errors"
	"syscall"
	"testing"

	"sampan/internal/descriptors"
	"sampan/session/wal/vfs"
)

// While a directory is locked it can be synced by a process that has no descriptor left.
func TestSyncDirNeedsNoDescriptor(t *testing.T) {
	fs, err := vfs.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lock, err := fs.Lock()
	if err != nil {
		t.Fatal(err)
	}
	var opened, synced error
	descriptors.Without(t, func() {
		_, opened = fs.Open("file", true)
		synced = fs.SyncDir()
	})
	if !errors.Is(opened, syscall.EMFILE) {
		t.Fatalf("a file was opened without a descriptor: %v", opened)
	}
	if synced != nil {
		t.Error(synced)
	}

	// Neither does the lock keep the directory.
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := fs.SyncDir(); err != nil {
		t.Errorf("after the lock: %v", err)
	}
	if lock, err = fs.Lock(); err != nil {
		t.Fatal(err)
	}
	lock.Close()
}
