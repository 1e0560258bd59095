package logstore_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"sampan/fuzz/storetest"
	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

func openStore(t testing.TB, d *simdisk.Disk, o logstore.Options) *logstore.Store {
	t.Helper()
	o.FS = d.FS()
	s, err := logstore.Open("", o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSession(t testing.TB, s session.Store, identity string) session.ID {
	t.Helper()
	id, err := s.Open(identity)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func add(t testing.TB, s session.Store, size int, to ...session.ID) session.Ref {
	t.Helper()
	m := session.NewMessage([]byte("t"), make([]byte, size), 0)
	if err := s.Append(m, to); err != nil {
		t.Fatal(err)
	}
	return m.Ref()
}

func done(t testing.TB, s session.Store, id session.ID, r session.Ref) {
	t.Helper()
	if err := s.Record([]session.Change{{Kind: session.Done, Session: id, Ref: r}}); err != nil {
		t.Fatal(err)
	}
}

func hold(t testing.TB, s session.Store) {
	t.Helper()
	c := make(chan error, 1)
	s.Sync(func(err error) { c <- err })
	if err := <-c; err != nil {
		t.Fatal(err)
	}
}

// TestSilentDeviceDoesNotPinTheLog: one client stays away while others take what they get. The log must not
// grow with what they took.
func TestSilentDeviceDoesNotPinTheLog(t *testing.T) {
	levels(t, func(t *testing.T, o logstore.Options) {
		synctest.Test(t, func(t *testing.T) {
			d := simdisk.New()
			s := openStore(t, d, o)
			silent, busy := newSession(t, s, "silent"), newSession(t, s, "busy")
			var waiting []session.Ref
			most := int64(0)
			for i := range 3000 {
				if i%100 == 0 {
					waiting = append(waiting, add(t, s, 500, silent))
				}
				done(t, s, busy, add(t, s, 500, busy))
				if i%50 == 0 {
					synctest.Wait() // for the upkeep
					most = max(most, s.Stats().DiskBytes)
				}
			}
			// What waits is 15 KB, in one segment. Beside that there are: what is written between two
			// checkpoints, the slack, and files kept for use.
			if limit := int64(20) * o.SegmentBytes; most > limit {
				t.Errorf("the log took %d bytes, more than %d", most, limit)
			}
			if trouble := s.Trouble(); trouble != nil {
				t.Error(trouble)
			}
			for range 2 {
				if q := s.Stats(); q.Queued != len(waiting) || q.Messages != len(waiting) {
					t.Fatalf("got %+v", q)
				}
				for _, r := range waiting {
					if m, err := s.Load(r); err != nil || len(m.Payload()) != 500 {
						t.Fatalf("message %d: %v", r, err)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openStore(t, d, o)
			}
			s.Close()
		})
	})
}

// TestRecoveryReadsLittle: with a checkpoint, what is read does not grow with what was written.
func TestRecoveryReadsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := simdisk.New()
		s := openStore(t, d, small)
		ids := []session.ID{newSession(t, s, "a"), newSession(t, s, "b")}
		for i := range 4000 { // about 4 MB, all of which stays
			add(t, s, 1000, ids...)
			if i%20 == 0 {
				synctest.Wait()
			}
		}
		before := s.Stats()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, d, small)
		r := s.Report()
		after := s.Stats()
		if !r.Checkpoint || r.Bytes > 1<<20 || r.Messages != 4000 || r.Queued != 8000 || r.Sessions != 2 {
			t.Errorf("got %+v", r)
		}
		if after.Bytes != before.Bytes || after.Messages != before.Messages || after.Queued != before.Queued {
			t.Errorf("got %+v, want %+v", after, before)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		// Without the pointer, the whole log is read, to the same end.
		for _, spoil := range []func(){
			func() { d.Delete("checkpoint") },
			func() { d.Put("checkpoint", []byte("nonsense nonsense")) },
			func() { d.Put("checkpoint", nil) },
		} {
			spoil()
			s := openStore(t, d, small)
			r := s.Report()
			if r.Checkpoint || r.Bytes < 4<<20 || r.Messages != 4000 || r.Queued != 8000 {
				t.Errorf("without the pointer: %+v", r)
			}
			s.Close()
		}
	})
}

// TestPointerBehindTheLogIsNotFollowed: at level os, a power cut can take a checkpoint and leave the pointer
// to it.
func TestPointerBehindTheLogIsNotFollowed(t *testing.T) {
	d := simdisk.New()
	s := openStore(t, d, logstore.Options{SegmentBytes: 1 << 20})
	id := newSession(t, s, "a")
	for range 100 {
		add(t, s, 100, id)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other := simdisk.New()
	o := openStore(t, other, logstore.Options{SegmentBytes: 1 << 20, CheckpointBytes: 100})
	add(t, o, 5000, newSession(t, o, "a"))
	for o.Trouble() == nil && other.Files()["checkpoint"] == nil {
		add(t, o, 5000, 1)
		hold(t, o)
	}
	o.Close()
	d.Put("checkpoint", other.Files()["checkpoint"])
	s = openStore(t, d, logstore.Options{SegmentBytes: 1 << 20})
	defer s.Close()
	if r := s.Report(); r.Checkpoint || r.Messages != 100 {
		t.Fatalf("got %+v", r)
	}
}

// TestBacklogStaysOnDisk keeps much more in a queue than it may take of memory, and drains it in order.
func TestBacklogStaysOnDisk(t *testing.T) {
	dir := t.TempDir()
	o := logstore.Options{Level: wal.OS, SegmentBytes: 4 << 20, CheckpointBytes: 8 << 20}
	s, err := logstore.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	const n, size = 50000, 1000
	id := newSession(t, s, "a")
	empty := s.Stats().MemoryBytes
	for range n {
		add(t, s, size, id)
	}
	check := func() {
		t.Helper()
		st := s.Stats()
		if st.Messages != n || st.Bytes < n*size {
			t.Fatalf("got %+v", st)
		}
		if each := (st.MemoryBytes - empty) / n; each > 28 {
			t.Fatalf("a message takes %d bytes of memory", each)
		}
	}
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = logstore.Open(dir, o); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check()
	dst := make([]session.Stored, 100)
	last := session.Ref(0)
	for left := n; left > 0; {
		k := s.Queue(id, 0, dst)
		if k == 0 {
			t.Fatalf("the queue ends %d messages early", left)
		}
		for _, q := range dst[:k] {
			m, err := s.Load(q.Ref)
			if err != nil || len(m.Payload()) != size || q.Ref <= last {
				t.Fatalf("message %d behind %d: %v", q.Ref, last, err)
			}
			last = q.Ref
			done(t, s, id, q.Ref)
			left--
		}
	}
	if st := s.Stats(); st.Messages != 0 || st.Queued != 0 || st.Bytes != 0 || st.MemoryBytes > empty+1<<20 {
		t.Fatalf("drained, it holds %+v", st)
	}
}

// TestFullDisk: nothing is acknowledged once the disk is full, and all that was is there when it is not.
func TestFullDisk(t *testing.T) {
	for errno, kind := range map[error]error{syscall.ENOSPC: wal.ErrFull, syscall.EROFS: wal.ErrReadOnly, syscall.EIO: wal.ErrIO} {
		d := simdisk.New()
		s := openStore(t, d, small)
		l := &life{base: storetest.NewModel()}
		m := storetest.NewModel()
		id := newSession(t, s, "a")
		m.Open(id, "a")
		l.note(func(m *storetest.Model) { m.Open(id, "a") })
		send := func() error {
			msg := session.NewMessage([]byte("t"), make([]byte, 3000), 0)
			if err := s.Append(msg, []session.ID{id}); err != nil {
				return err
			}
			l.note(func(m *storetest.Model) { m.Append(msg, []session.ID{id}) })
			c := make(chan error, 1)
			l.sync(s, func(err error) { c <- err })
			return <-c
		}
		for range 30 {
			if err := send(); err != nil {
				t.Fatal(err)
			}
		}
		d.Fault(func(op simdisk.Op, _ string) error {
			if op == simdisk.Write || op == simdisk.Create {
				return errno
			}
			return nil
		})
		err := send()
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), "/sim/") {
			t.Fatalf("%v: got %v", errno, err)
		}
		d.Fault(nil)
		if again := send(); !errors.Is(again, kind) {
			t.Fatalf("%v: then %v", errno, again)
		}
		if err := s.Record([]session.Change{{Kind: session.Connected, Session: id}}); !errors.Is(err, kind) {
			t.Fatalf("%v: Record: %v", errno, err)
		}
		if _, err := s.Open("b"); !errors.Is(err, kind) {
			t.Fatalf("%v: Open: %v", errno, err)
		}
		if st := s.Stats(); st.SyncFailures == 0 {
			t.Fatalf("%v: got %+v", errno, st)
		}
		if err := s.Close(); !errors.Is(err, kind) {
			t.Fatalf("%v: Close: %v", errno, err)
		}
		s = openStore(t, d, small)
		if err := l.recovered(s); err != nil {
			t.Fatalf("%v: %v", errno, err)
		}
		s.Close()
	}
}

// TestCheckpointFailureIsNoFailure: without a pointer to it, a checkpoint is useless, but nothing is lost.
func TestCheckpointFailureIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := simdisk.New()
		s := openStore(t, d, small)
		id := newSession(t, s, "a")
		d.Fault(func(op simdisk.Op, name string) error {
			if strings.HasPrefix(name, "checkpoint") {
				return syscall.ENOSPC
			}
			return nil
		})
		for range 100 {
			add(t, s, 1000, id)
		}
		hold(t, s)
		synctest.Wait()
		if err := s.Trouble(); !errors.Is(err, wal.ErrFull) {
			t.Fatalf("trouble is %v", err)
		}
		if st := s.Stats(); !errors.Is(st.Trouble, wal.ErrFull) || st.Failure != nil {
			t.Errorf("the statistics say trouble %v and failure %v", st.Trouble, st.Failure)
		}
		d.Fault(nil)
		for range 100 {
			add(t, s, 1000, id)
		}
		hold(t, s)
		synctest.Wait()
		if err := s.Trouble(); err != nil {
			t.Fatalf("trouble is still %v", err)
		}
		if st := s.Stats(); st.Trouble != nil {
			t.Errorf("the statistics still say %v", st.Trouble)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, d, small)
		defer s.Close()
		if r := s.Report(); !r.Checkpoint || r.Messages != 200 {
			t.Fatalf("got %+v", r)
		}
	})
}

// TestManySubscriptionsDoNotStopCheckpoints: what a client subscribes to may be more than a record of the log takes.
// Here each checkpoint has its session in many records, and so has what is salvaged.
func TestManySubscriptionsDoNotStopCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const filters, length = 300, 2000
		d := simdisk.New()
		o := logstore.Options{SegmentBytes: 256 << 10, CheckpointBytes: 100 << 10}
		s := openStore(t, d, o)
		id := newSession(t, s, "a")
		want := storetest.NewModel()
		want.Open(id, "a")
		for i := range filters {
			c := session.Change{Kind: session.Subscribed, Session: id, Filter: fmt.Sprint(i, strings.Repeat("x", length)), QoS: byte(i % 2)}
			if err := s.Record([]session.Change{c}); err != nil {
				t.Fatal(err)
			}
			want.Record(c)
			synctest.Wait()
		}
		hold(t, s)
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		longest := int64(0)
		err := wal.Walk("", wal.Options{App: "sampan sessions", FS: d.FS()}, func(i wal.Item) error {
			if i.Kind == wal.ItemRecord {
				longest = max(longest, int64(len(i.Record)))
			}
			return nil
		})
		if err != nil || longest > 20_000 {
			t.Errorf("the longest record has %d bytes: %v", longest, err)
		}
		s = openStore(t, d, o)
		defer s.Close()
		if r := s.Report(); !r.Checkpoint {
			t.Errorf("got %+v", r)
		}
		got, err := storetest.Recover(s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := want.Diff(got); diff != "" {
			t.Errorf("recovered (-want +got):\n%s", diff)
		}
		s.Close()
		if _, got := salvaged(t, d); want.Diff(got) != "" {
			t.Errorf("salvaged (-want +got):\n%s", want.Diff(got))
		}
	})
}

// TestDamageIsReported flips a bit in each kind of record.
func TestDamageIsReported(t *testing.T) {
	d := simdisk.New()
	o := logstore.Options{SegmentBytes: 1 << 20}
	s := openStore(t, d, o)
	id := newSession(t, s, "a")
	for range 20 {
		add(t, s, 10, id)
		hold(t, s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name, files := "", d.Files()
	for n := range files {
		if strings.HasSuffix(n, ".wal") {
			name = n
		}
	}
	for at := 4096; at < 4096+900; at += 13 {
		data := append([]byte(nil), files[name]...)
		data[at] ^= 4
		d.Put(name, data)
		opened, err := logstore.Open("", logstore.Options{SegmentBytes: 1 << 20, FS: d.FS()})
		var c *wal.Corrupt
		if err == nil {
			// In the padding between records.
			if opened.Stats().Messages != 20 {
				t.Fatalf("offset %d: %d messages are left", at, opened.Stats().Messages)
			}
			opened.Close()
		} else if !errors.As(err, &c) {
			t.Fatalf("offset %d: %v", at, err)
		}
	}
	d.Put(name, files[name])
	s = openStore(t, d, o)
	defer s.Close()
	if got := fmt.Sprint(s.Stats().Messages, s.Report().Cut); got != "20 <nil>" {
		t.Fatal(got)
	}
}
