package logstore_test

import (
	"testing"

	"sampan/fuzz/storetest"
	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// small makes all that happens seldom happen often.
var small = logstore.Options{SegmentBytes: 32 << 10, CheckpointBytes: 20 << 10}

func levels(t *testing.T, run func(t *testing.T, o logstore.Options)) {
	for _, level := range []wal.Level{wal.OS, wal.Disk} {
		t.Run(level.String(), func(t *testing.T) {
			o := small
			o.Level = level
			run(t, o)
		})
	}
}

func TestContract(t *testing.T) {
	levels(t, func(t *testing.T, o logstore.Options) {
		disks := map[string]*simdisk.Disk{}
		storetest.Run(t, storetest.Target{
			Durable: true,
			Open: func(dir string) (session.Store, error) {
				if disks[dir] == nil {
					disks[dir] = simdisk.New()
				}
				o := o
				o.FS = disks[dir].FS()
				return logstore.Open("", o)
			},
		})
	})
}

func TestContractOnFiles(t *testing.T) {
	levels(t, func(t *testing.T, o logstore.Options) {
		storetest.Run(t, storetest.Target{
			Durable: true,
			Slow:    true,
			Open:    func(dir string) (session.Store, error) { return logstore.Open(dir, o) },
		})
	})
}
