package logstore_test

import (
	"encoding/binary"
	"testing"

	"sampan/fuzz/storetest"
	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// withRecords returns a disk with a log of these records.
func withRecords(t *testing.T, records ...[]byte) *simdisk.Disk {
	t.Helper()
	d := simdisk.New()
	l, err := wal.Open("", wal.Options{App: "sampan sessions", FS: d.FS()})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if _, err := l.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

// oldPart is a recPart with one whole session and no message, as it was before there was a flag that says whether
// a connection uses the session.
func oldPart(id session.ID, identity string, until session.Time, filters ...string) []byte {
	b := []byte{7, 1 | 2}
	b = binary.AppendUvarint(b, uint64(id))
	b = binary.AppendUvarint(b, uint64(len(identity)))
	b = append(b, identity...)
	b = binary.AppendVarint(b, int64(until))
	b = append(b, 9) // the last doubtful message
	b = binary.AppendUvarint(b, uint64(len(filters)))
	for _, f := range filters {
		b = binary.AppendUvarint(b, uint64(len(f)))
		b = append(append(b, f...), 1)
	}
	return append(b, 0)
}

// A store written before its format had all that it has today is read.
func TestOlderFormat(t *testing.T) {
	changes := []byte{4,
		2, 3, // the third session is connected
		2, 4, 3, 4, 0, 0, // the fourth was, and is not any more; it never expires
	}
	d := withRecords(t, oldPart(1, "connected, or never expires", 0), oldPart(2, "expires", 5, "a", "b/#"),
		oldPart(3, "expired, but came back", 5), oldPart(4, "never expires", 0), changes)
	want := storetest.NewModel()
	want.Sessions[1] = &storetest.Session{Identity: "connected, or never expires", Connected: true, Doubtful: 9}
	want.Sessions[2] = &storetest.Session{Identity: "expires", Until: 5, Doubtful: 9, Subscriptions: map[string]byte{"a": 1, "b/#": 1}}
	want.Sessions[3] = &storetest.Session{Identity: "expired, but came back", Connected: true}
	want.Sessions[4] = &storetest.Session{Identity: "never expires"}
	s := openStore(t, d, logstore.Options{})
	defer s.Close()
	got, err := storetest.Recover(s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := want.Diff(got); diff != "" {
		t.Fatalf("recovered (-want +got):\n%s", diff)
	}
}
