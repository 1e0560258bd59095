//go:build !linux

package vfs

import (
	"os"
	"runtime"
)

// syncData is the strongest that the system offers: on darwin, os.File.Sync asks the drive itself to flush.
func syncData(f *os.File) error { return f.Sync() }

// syncDir does nothing on Windows, where a directory cannot be synced and names are journaled.
func syncDir(f *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return f.Sync()
}
