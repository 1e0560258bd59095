package inprocess

import (
	"errors"
	"math/rand/v2"
	"testing/synctest"

	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// disk is a simulated disk with the log of the broker's sessions. It is at rest after each step, so that a
// power cut takes nothing but what is under way.
type disk struct {
	sim    *simdisk.Disk
	store  *logstore.Store
	random *rand.Rand // what survives of what was written and not synced; the same for every script
}

func newDisk() *disk { return &disk{sim: simdisk.New(), random: rand.New(rand.NewPCG(1, 1))} }

// checkpointBytes is so little that a script comes to see checkpoints and the recovery from one.
const checkpointBytes = 128

// open opens the log, or begins it.
func (d *disk) open() (s session.Store, err error) {
	d.store, err = logstore.Open("", logstore.Options{
		Level: wal.Disk, SegmentBytes: wal.MinSegment, CheckpointBytes: checkpointBytes, FS: d.sim.FS(),
	})
	return d.store, err
}

// rest waits until everything that the broker has noted is on the disk. A store that has failed is what the
// broker tells its clients.
func (d *disk) rest() error {
	held := make(chan error, 1)
	d.store.Sync(func(err error) { held <- err })
	err := <-held
	synctest.Wait()
	return err
}

// errPower is what the disk says while the power goes.
var errPower = errors.New("the power goes")

// fail makes the disk take nothing any more.
func (d *disk) fail() {
	d.sim.Fault(func(simdisk.Op, string) error { return errPower })
}

// cut switches the power off, and on again.
func (d *disk) cut() {
	d.sim.PowerCut(d.random)
	d.sim.Fault(nil)
}
