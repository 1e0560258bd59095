package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sampan/session"
)

func testNames(t *testing.T, target Target) {
	s := target.start(t)
	seen := map[session.ID]bool{0: true}
	var ids []session.ID
	for i := range 200 {
		id := openSession(t, s, fmt.Sprint("client", i%150))
		if seen[id] {
			t.Fatalf("session name %d was given twice, or is zero", id)
		}
		seen[id] = true
		if i%3 == 0 {
			record(t, s, session.Change{Kind: session.Closed, Session: id})
		} else {
			ids = append(ids, id)
		}
	}
	last := session.Ref(0)
	for i := range 200 {
		r := appendMessage(t, s, "a/b", "x", ids[i%len(ids)])
		if r <= last {
			t.Fatalf("message %d was appended after message %d", r, last)
		}
		last = r
	}
}

func testQueue(t *testing.T, target Target) {
	s := target.start(t)
	a, b := openSession(t, s, "a"), openSession(t, s, "b")
	var want []session.Stored
	for i := range 100 {
		m := session.NewMessage([]byte("t"), make([]byte, i), session.Time(i))
		if err := s.Append(m, []session.ID{a}); err != nil {
			t.Fatal(err)
		}
		want = append(want, session.Stored{Ref: m.Ref(), Size: m.Size(), Expires: m.Expires()})
		appendMessage(t, s, "t", "other", b)
	}
	check := func(what string) {
		t.Helper()
		if diff := cmp.Diff(want, queue(s, a)); diff != "" {
			t.Fatalf("%s: queue (-want +got):\n%s", what, diff)
		}
		for i := 0; i < len(want); i += 9 {
			var one [1]session.Stored
			n := s.Queue(a, want[i].Ref-1, one[:])
			if n != 1 || one[0] != want[i] {
				t.Fatalf("%s: behind %d: %d places, %+v, want %+v", what, want[i].Ref-1, n, one[0], want[i])
			}
		}
		if n := s.Queue(a, want[len(want)-1].Ref, make([]session.Stored, 1)); n != 0 {
			t.Fatalf("%s: %d places behind the last", what, n)
		}
		if n := s.Queue(a, 0, nil); n != 0 {
			t.Fatalf("%s: %d places in none", what, n)
		}
	}
	check("appended")

	for i := range 20 {
		want[i].PacketID = uint16(65535 - i)
		record(t, s, session.Change{Kind: session.Sent, Session: a, Ref: want[i].Ref, PacketID: want[i].PacketID})
	}
	check("sent")

	for range 10 { // acknowledged in order
		record(t, s, session.Change{Kind: session.Done, Session: a, Ref: want[0].Ref})
		want = want[1:]
	}
	check("first ones done")

	for _, i := range []int{70, 30, 31, 5, 84, 3} { // acknowledged out of order, expired, dropped
		record(t, s, session.Change{Kind: session.Done, Session: a, Ref: want[i].Ref})
		want = slices.Delete(want, i, i+1)
	}
	check("some in the middle done")
	if n := len(queue(s, b)); n != 100 {
		t.Fatalf("the other session has %d messages, want 100", n)
	}
}

func testLoad(t *testing.T, target Target) {
	s := target.start(t)
	id := openSession(t, s, "a")
	m := session.NewMessage([]byte("some/topic"), []byte("payload"), 12345)
	if err := s.Append(m, []session.ID{id}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // before and after it has gone to where messages are kept
		got, err := s.Load(m.Ref())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.AppendTo(nil, 7, false), m.AppendTo(nil, 7, false)) ||
			got.Ref() != m.Ref() || got.Expires() != m.Expires() {
			t.Fatalf("loaded %q with payload %q, name %d, until %d", got.Topic(), got.Payload(), got.Ref(), got.Expires())
		}
		wait(t, s)
	}
	record(t, s, session.Change{Kind: session.Done, Session: id, Ref: m.Ref()})
	if _, err := s.Load(m.Ref()); !errors.Is(err, session.ErrNoMessage) {
		t.Fatalf("loading a message that is done: %v", err)
	}
	if _, err := s.Load(m.Ref() + 1000); !errors.Is(err, session.ErrNoMessage) {
		t.Fatalf("loading a message that never was: %v", err)
	}
}

func testFanOut(t *testing.T, target Target) {
	s := target.start(t)
	var ids []session.ID
	for i := range 300 {
		ids = append(ids, openSession(t, s, fmt.Sprint(i)))
	}
	r := appendMessage(t, s, "all", "everybody", ids...)
	if st := s.Stats(); st.Messages != 1 || st.Queued != len(ids) {
		t.Fatalf("%d messages in %d places, want 1 in %d", st.Messages, st.Queued, len(ids))
	}
	for i, id := range ids {
		if _, err := s.Load(r); err != nil {
			t.Fatalf("after %d are done: %v", i, err)
		}
		if i%2 == 0 {
			record(t, s, session.Change{Kind: session.Done, Session: id, Ref: r})
		} else {
			record(t, s, session.Change{Kind: session.Closed, Session: id})
		}
		record(t, s, session.Change{Kind: session.Done, Session: id, Ref: r}) // once more does nothing
	}
	if _, err := s.Load(r); !errors.Is(err, session.ErrNoMessage) {
		t.Fatalf("after all are done: %v", err)
	}
	if st := s.Stats(); st.Messages != 0 || st.Queued != 0 || st.Bytes != 0 {
		t.Fatalf("after all are done: %+v", st)
	}

	twice := appendMessage(t, s, "t", "x", ids[0], ids[0])
	if n := len(queue(s, ids[0])); n != 1 {
		t.Fatalf("a session named twice has %d messages, want 1", n)
	}
	record(t, s, session.Change{Kind: session.Done, Session: ids[0], Ref: twice})
	if st := s.Stats(); st.Messages != 0 || st.Queued != 0 {
		t.Fatalf("a session named twice leaves %+v", st)
	}
}

func testForNobody(t *testing.T, target Target) {
	s := target.start(t)
	id := openSession(t, s, "a")
	record(t, s, session.Change{Kind: session.Closed, Session: id})
	for _, to := range [][]session.ID{nil, {id}} {
		if r := appendMessage(t, s, "t", "x", to...); r != 0 {
			t.Fatalf("a message for %v is stored as %d", to, r)
		}
	}
	if st := s.Stats(); st.Messages != 0 || st.Bytes != 0 {
		t.Fatalf("a message for nobody leaves %+v", st)
	}
}

func testSessionClosed(t *testing.T, target Target) {
	s := target.start(t)
	a, b := openSession(t, s, "a"), openSession(t, s, "b")
	record(t, s, session.Change{Kind: session.Subscribed, Session: a, Filter: "x", QoS: 1})
	var alone, shared []session.Ref
	for range 50 {
		alone = append(alone, appendMessage(t, s, "t", "x", a))
		shared = append(shared, appendMessage(t, s, "t", "x", a, b))
	}
	record(t, s, session.Change{Kind: session.Done, Session: a, Ref: alone[20]})
	record(t, s, session.Change{Kind: session.Closed, Session: a})
	if n := s.Queue(a, 0, make([]session.Stored, 1)); n != 0 {
		t.Fatal("a closed session has a queue")
	}
	for i := range alone {
		if _, err := s.Load(alone[i]); !errors.Is(err, session.ErrNoMessage) {
			t.Fatalf("message %d of the closed session: %v", i, err)
		}
		if _, err := s.Load(shared[i]); err != nil {
			t.Fatalf("message %d of the other session: %v", i, err)
		}
	}
	if st := s.Stats(); st.Sessions != 1 || st.Subscriptions != 0 || st.Messages != 50 || st.Queued != 50 {
		t.Fatalf("after closing: %+v", st)
	}
	if again := openSession(t, s, "a"); again == a || len(queue(s, again)) != 0 {
		t.Fatal("a new session of the same client has something of the old one")
	}
}

func testUnknownNames(t *testing.T, target Target) {
	s := target.start(t)
	id := openSession(t, s, "a")
	r := appendMessage(t, s, "t", "x", id, id+1000)
	record(t, s,
		session.Change{Kind: session.Subscribed, Session: id + 1000, Filter: "x"},
		session.Change{Kind: session.Sent, Session: id + 1000, Ref: r, PacketID: 1},
		session.Change{Kind: session.Done, Session: id + 1000, Ref: r},
		session.Change{Kind: session.Closed, Session: id + 1000},
		session.Change{Kind: session.Sent, Session: id, Ref: r + 1000, PacketID: 1},
		session.Change{Kind: session.Done, Session: id, Ref: r + 1000},
		session.Change{Kind: session.Unsubscribed, Session: id, Filter: "never"},
	)
	if got := queue(s, id); len(got) != 1 || got[0].Ref != r || got[0].PacketID != 0 {
		t.Fatalf("changes of what is not there left %+v", got)
	}
	if st := s.Stats(); st.Sessions != 1 || st.Subscriptions != 0 || st.Queued != 1 {
		t.Fatalf("changes of what is not there left %+v", st)
	}
	wait(t, s)
}

func testMessageSizes(t *testing.T, target Target) {
	s := target.start(t)
	id := openSession(t, s, "a")
	var want []*session.Message
	for _, n := range []int{0, 1, 100, 127, 128, 16383, 16384, 262144, 2097152, 2097153, 5 << 20} {
		m := session.NewMessage(bytes.Repeat([]byte("t"), 1+n%65535), bytes.Repeat([]byte{byte(n)}, n), 0)
		if err := s.Append(m, []session.ID{id}); err != nil {
			t.Fatal(err)
		}
		want = append(want, m)
	}
	for range 2 {
		for i, q := range queue(s, id) {
			m, err := s.Load(q.Ref)
			if err != nil {
				t.Fatal(err)
			}
			if q.Size != want[i].Size() || !bytes.Equal(m.AppendTo(nil, 1, true), want[i].AppendTo(nil, 1, true)) {
				t.Fatalf("a message of %d bytes came back as another, of %d", want[i].Size(), m.Size())
			}
		}
		wait(t, s)
	}
}

func testSync(t *testing.T, target Target) {
	s := target.start(t)
	id := openSession(t, s, "a")
	var done sync.WaitGroup
	var mu sync.Mutex
	calls := map[int]int{}
	for i := range 200 {
		if i%2 == 0 {
			appendMessage(t, s, "t", "x", id)
		}
		done.Add(1)
		s.Sync(func(err error) {
			mu.Lock()
			calls[i]++
			mu.Unlock()
			if err != nil {
				t.Errorf("sync %d: %v", i, err)
			}
			done.Done() // panics if it is called twice in the end
		})
	}
	done.Wait()
	for i, n := range calls {
		if n != 1 {
			t.Fatalf("callback %d was called %d times", i, n)
		}
	}
}

// testSyncOrder: callbacks come in the order of the calls, also of those that find that all holds already.
func testSyncOrder(t *testing.T, target Target) {
	s := target.start(t)
	id := openSession(t, s, "a")
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			var mu sync.Mutex
			last := -1
			for i := range 500 {
				if i%3 != w%3 {
					if err := s.Append(session.NewMessage([]byte("t"), []byte("x"), 0), []session.ID{id}); err != nil {
						t.Error(err)
					}
				}
				s.Sync(func(err error) {
					mu.Lock()
					defer mu.Unlock()
					if err != nil || i != last+1 {
						t.Errorf("caller %d: callback %d comes after callback %d: %v", w, i, last, err)
					}
					last = i
				})
			}
			end := make(chan error, 1)
			s.Sync(func(err error) { end <- err })
			if err := <-end; err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if last != 499 {
				t.Errorf("caller %d: callback %d was the last", w, last)
			}
		})
	}
	all.Wait()
}

func testAfterClose(t *testing.T, target Target) {
	s := target.open(t, t.TempDir())
	recoverModel(t, s)
	id := openSession(t, s, "a")
	r := appendMessage(t, s, "t", "x", id)
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	_, err := s.Open("b")
	errs := []error{err,
		s.Append(session.NewMessage([]byte("t"), nil, 0), []session.ID{id}),
		s.Append(session.NewMessage([]byte("t"), nil, 0), nil),
		s.Record([]session.Change{{Kind: session.Connected, Session: id}}),
		s.Recover(func(*session.Recovered) error { return nil }),
		s.Close(),
	}
	_, err = s.Load(r)
	errs = append(errs, err)
	s.Sync(func(err error) { errs = append(errs, err) })
	if len(errs) != 8 {
		t.Fatal("the callback of Sync was not called")
	}
	for i, err := range errs {
		if !errors.Is(err, session.ErrStoreClosed) {
			t.Errorf("call %d after Close: %v", i, err)
		}
	}
	if n := s.Queue(id, 0, make([]session.Stored, 1)); n != 0 {
		t.Error("there is a queue after Close")
	}
	s.Stats() // whatever it says
}

func testStats(t *testing.T, target Target) {
	s := target.start(t)
	empty := s.Stats()
	switch empty.Level {
	case "memory", "os", "disk":
	default:
		t.Fatalf("level %q", empty.Level)
	}
	id := openSession(t, s, "a")
	for range 2 {
		record(t, s,
			session.Change{Kind: session.Subscribed, Session: id, Filter: "a", QoS: 0},
			session.Change{Kind: session.Subscribed, Session: id, Filter: "b", QoS: 1})
	}
	record(t, s, session.Change{Kind: session.Unsubscribed, Session: id, Filter: "a"})
	m := session.NewMessage([]byte("t"), make([]byte, 1000), 0)
	if err := s.Append(m, []session.ID{id}); err != nil {
		t.Fatal(err)
	}
	wait(t, s)
	st := s.Stats()
	if st.Sessions != 1 || st.Subscriptions != 1 || st.Messages != 1 || st.Queued != 1 || st.Bytes != int64(m.Size()) {
		t.Fatalf("got %+v", st)
	}
	if st.MemoryBytes <= empty.MemoryBytes || st.Syncs == 0 || st.SyncFailures != 0 {
		t.Fatalf("got %+v, when empty %+v", st, empty)
	}
}

func testConcurrent(t *testing.T, target Target) {
	const workers, rounds = 8, 200
	s := target.start(t)
	var ids []session.ID
	for i := range workers {
		ids = append(ids, openSession(t, s, fmt.Sprint(i)))
	}
	// Each worker appends to its own session and to a shared one, and takes messages out of its own.
	all := openSession(t, s, "all")
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			mine := []session.ID{ids[i], all}
			dst := make([]session.Stored, 4)
			for n := range rounds {
				m := session.NewMessage([]byte("t"), fmt.Append(nil, i, n), 0)
				if err := s.Append(m, mine); err != nil {
					t.Error(err)
					return
				}
				if k := s.Queue(ids[i], 0, dst); k == 0 {
					t.Error("what was appended is not queued")
				} else if first := dst[0]; n%2 == 1 {
					if _, err := s.Load(first.Ref); err != nil {
						t.Error(err)
					}
					s.Record([]session.Change{
						{Kind: session.Sent, Session: ids[i], Ref: first.Ref, PacketID: 1},
						{Kind: session.Done, Session: ids[i], Ref: first.Ref},
					})
				}
				s.Sync(func(err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
	wg.Wait()
	wait(t, s)
	for _, id := range append(ids, all) {
		want := rounds / 2
		if id == all {
			want = rounds * workers
		}
		q := queue(s, id)
		if len(q) != want || !slices.IsSortedFunc(q, func(a, b session.Stored) int { return int(a.Ref) - int(b.Ref) }) {
			t.Fatalf("session %d has %d messages, want %d in order", id, len(q), want)
		}
	}
	if st := s.Stats(); st.Messages != workers*rounds {
		t.Fatalf("%d messages, want %d", st.Messages, workers*rounds)
	}
}
