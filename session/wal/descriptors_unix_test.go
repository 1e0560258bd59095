//go:build unix

package wal_test

import (
	"testing"

	"sampan/internal/descriptors"
	"sampan/session/wal"
)

// TestNoDescriptorsEndsNoLog: a process without a descriptor for a moment, in which its log gives up segments.
func TestNoDescriptorsEndsNoLog(t *testing.T) {
	levels(t, func(t *testing.T, o wal.Options) {
		o.SegmentBytes = wal.MinSegment
		l := open(t, t.TempDir(), o)
		last := segments(t, l, 20)
		var truncated error
		descriptors.Without(t, func() { truncated = l.Truncate(last) })
		if truncated != nil {
			t.Error(truncated)
		}
		segments(t, l, 2)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
