//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package vfs

import (
	"errors"
	"os"
)

// lock refuses: without a lock that dies with its process, two of them could write one log.
func lock(*os.File) error {
	return errors.New("this operating system has no file lock that this package knows")
}
