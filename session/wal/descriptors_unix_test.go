//go:build unix

package wal_test

import (
	"syscall"
	"testing"

	"sampan/session/wal"
)

// TestNoDescriptorsEndsNoLog: a process without a descriptor for a moment, in which its log gives up segments.
func TestNoDescriptorsEndsNoLog(t *testing.T) {
	levels(t, func(t *testing.T, o wal.Options) {
		o.SegmentBytes = wal.MinSegment
		l := open(t, t.TempDir(), o)
		last := segments(t, l, 20)
		var before syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
		none := before
		none.Cur = 0
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
			t.Fatal(err)
		}
		truncated := l.Truncate(last)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
		if truncated != nil {
			t.Error(truncated)
		}
		segments(t, l, 2)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
