package logstore_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal/vfs/simdisk"
)

// record makes changes of a session, which hold.
func record(t *testing.T, s session.Store, id session.ID, changes ...session.Change) {
	t.Helper()
	for i := range changes {
		changes[i].Session = id
	}
	if err := s.Record(changes); err != nil {
		t.Fatal(err)
	}
	hold(t, s)
}

// flip damages a log where these bytes are for the first or for the last time.
func flip(t *testing.T, d *simdisk.Disk, what string, last bool) {
	t.Helper()
	files := d.Files()
	names := slices.Sorted(maps.Keys(files))
	if last {
		slices.Reverse(names)
	}
	for _, name := range names {
		at := bytes.Index(files[name], []byte(what))
		if last {
			at = bytes.LastIndex(files[name], []byte(what))
		}
		if at >= 0 && strings.HasSuffix(name, ".wal") {
			files[name][at] ^= 1
			d.Put(name, files[name])
			return
		}
	}
	t.Fatalf("%q is not in the log", what)
}

// lateOptions are for a store that writes a checkpoint only when checkpoint says so.
var lateOptions = logstore.Options{SegmentBytes: 1 << 20, CheckpointBytes: 256 << 10}

// checkpoint writes so much that the store writes a checkpoint.
func checkpoint(t *testing.T, d *simdisk.Disk, s session.Store, id session.ID) {
	t.Helper()
	for range 100 {
		done(t, s, id, add(t, s, 4000, id))
	}
	hold(t, s)
	synctest.Wait()
	if d.Files()["checkpoint"] == nil {
		t.Fatal("there is no checkpoint")
	}
}

// A client has ended its session and begun another, and the record of the end is damaged. It gets the new one
// back, and that one only.
func TestSalvageKeepsOneSessionOfAClient(t *testing.T) {
	for name, later := range map[string]bool{"without a later checkpoint": false, "with a later checkpoint": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := simdisk.New()
				s := openStore(t, d, lateOptions)
				other, old := newSession(t, s, "other"), newSession(t, s, "client")
				add(t, s, 10, old)
				record(t, s, old, session.Change{Kind: session.Unsubscribed, Filter: "MARK"}, session.Change{Kind: session.Closed})
				fresh := newSession(t, s, "client")
				waits := add(t, s, 10, fresh)
				hold(t, s)
				if later {
					checkpoint(t, d, s, other)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				flip(t, d, "MARK", false)
				r, got := salvaged(t, d)
				if got.Sessions[old] != nil || got.Sessions[other] == nil || got.Sessions[fresh] == nil ||
					len(got.Sessions[fresh].Queue) != 1 || got.Sessions[fresh].Queue[0].Ref != waits {
					t.Errorf("salvaged %+v", got.Sessions)
				}
				// A checkpoint says that the session has ended. Without one it is told that it was given up.
				told := slices.ContainsFunc(r.Damage, func(p logstore.Place) bool { return strings.Contains(p.Reason, `of "client" is missing`) })
				if told == later || r.Messages != 1 || r.Sessions != 2 {
					t.Errorf("the report is %+v", r)
				}
			})
		})
	}
}

// The record of a session's end is damaged, and its client has none since. A checkpoint that was written later, and
// can be read, does not have it; one of which a part is damaged says nothing about what it does not have.
func TestSalvageOfAnEndedSession(t *testing.T) {
	for name, whole := range map[string]bool{"the checkpoint is whole": true, "the checkpoint is damaged": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := simdisk.New()
				s := openStore(t, d, lateOptions)
				other, ended, kept := newSession(t, s, "other"), newSession(t, s, "ended"), newSession(t, s, "kept")
				record(t, s, kept, session.Change{Kind: session.Subscribed, Filter: "a/filter"})
				waits := add(t, s, 10, ended, kept)
				record(t, s, ended, session.Change{Kind: session.Unsubscribed, Filter: "MARK"}, session.Change{Kind: session.Closed})
				checkpoint(t, d, s, other)
				later := newSession(t, s, "later")
				hold(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				flip(t, d, "MARK", false)
				if !whole {
					flip(t, d, "a/filter", true) // in the checkpoint
				}
				_, got := salvaged(t, d)
				if (got.Sessions[ended] == nil) != whole {
					t.Errorf("the session that has ended is %+v", got.Sessions[ended])
				}
				if got.Sessions[other] == nil || got.Sessions[later] == nil || got.Sessions[kept] == nil ||
					len(got.Sessions[kept].Queue) != 1 || got.Sessions[kept].Queue[0].Ref != waits {
					t.Errorf("salvaged %+v", got.Sessions)
				}
			})
		})
	}
}
