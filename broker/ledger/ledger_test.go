package ledger_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker/ledger"
	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// contents reads everything that a ledger has of a kind.
func contents(t testing.TB, l *ledger.Ledger, k ledger.Kind) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := l.All(k, func(key string, value []byte) error { all[key] = string(value); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func put(t testing.TB, l *ledger.Ledger, k ledger.Kind, key, value string) {
	t.Helper()
	if err := l.Put(k, ledger.Record{Key: key, Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
}

// both runs a test with a ledger in memory and one on a disk.
func both(t *testing.T, o ledger.Options, test func(t *testing.T, l *ledger.Ledger)) {
	t.Run("memory", func(t *testing.T) { test(t, ledger.New(o)) })
	t.Run("disk", func(t *testing.T) {
		o.FS = simdisk.New().FS()
		l, err := ledger.Open("", o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		test(t, l)
	})
}

func TestTheLatestRecordCounts(t *testing.T) {
	both(t, ledger.Options{}, func(t *testing.T, l *ledger.Ledger) {
		put(t, l, ledger.Shadow, "a", "1")
		put(t, l, ledger.Shadow, "a", "22")
		put(t, l, ledger.Desired, "a", "other kind")
		put(t, l, ledger.Shadow, "b", "")
		for key, want := range map[string]string{"a": "22", "b": ""} {
			if v, ok, err := l.Get(ledger.Shadow, key, nil); string(v) != want || !ok || err != nil {
				t.Errorf("%s: %q, %v, %v", key, v, ok, err)
			}
		}
		if err := l.Delete(ledger.Shadow, "a", "none"); err != nil {
			t.Fatal(err)
		}
		if v, ok, err := l.Get(ledger.Shadow, "a", nil); ok || err != nil {
			t.Errorf("deleted: %q, %v", v, err)
		}
		if l.Has(ledger.Shadow, "a") || !l.Has(ledger.Desired, "a") {
			t.Error("the wrong one was deleted")
		}
		if n, err := l.Sweep(ledger.Shadow, func(key string) bool { return key != "b" }); n != 1 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		if s := l.Stats(); s.Total != 1 || s.Records[ledger.Desired] != 1 {
			t.Errorf("%+v", s)
		}
		if err := l.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestBounds(t *testing.T) {
	both(t, ledger.Options{MaxRecords: 3, MaxBytes: 100}, func(t *testing.T, l *ledger.Ledger) {
		refused := func(what string, want error, records ...ledger.Record) {
			t.Helper()
			before := l.Stats().Bytes
			if err := l.Put(ledger.Topology, records...); !errors.Is(err, want) {
				t.Errorf("%s: %v", what, err)
			}
			if after := l.Stats().Bytes; after != before {
				t.Errorf("%s: %d bytes became %d", what, before, after)
			}
		}
		refused("long key", ledger.ErrTooLarge, ledger.Record{Key: strings.Repeat("k", ledger.MaxKey+1)})
		refused("long value", ledger.ErrTooLarge, ledger.Record{Value: make([]byte, ledger.MaxValue+1)})
		refused("four records", ledger.ErrFull, ledger.Record{Key: "a"}, ledger.Record{Key: "b"}, ledger.Record{Key: "c"}, ledger.Record{Key: "d"})
		refused("bytes", ledger.ErrFull, ledger.Record{Key: "a", Value: make([]byte, 100)})
		put(t, l, ledger.Topology, "a", "1")
		put(t, l, ledger.Topology, "b", strings.Repeat("x", 80))
		put(t, l, ledger.Topology, "c", "3")
		refused("one more", ledger.ErrFull, ledger.Record{Key: "d"})
		refused("it would grow", ledger.ErrFull, ledger.Record{Key: "a", Value: make([]byte, 20)})
		// What is there may change as long as it does not grow.
		put(t, l, ledger.Topology, "b", strings.Repeat("y", 80))
		if err := l.Delete(ledger.Topology, "b"); err != nil {
			t.Fatal(err)
		}
		put(t, l, ledger.Topology, "d", strings.Repeat("x", 80))
		if got := contents(t, l, ledger.Topology); len(got) != 3 || got["a"] != "1" || got["c"] != "3" {
			t.Errorf("%v", got)
		}
	})
}

// A model of what is in a ledger, and of what has to be there after a crash: for each key the value that was
// last known to hold, or any that was put later.
type model struct {
	mu    sync.Mutex
	holds map[string]string   // key: value, once Sync said so; "" is deleted
	since map[string][]string // key: what was put after that, oldest first
}

func (m *model) change(key, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.since[key] = append(m.since[key], value)
}

// hold notes that what since had at some time holds.
func (m *model) hold(counts map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, n := range counts {
		if n > 0 && n <= len(m.since[key]) {
			m.holds[key], m.since[key] = m.since[key][n-1], m.since[key][n:]
		}
	}
}

func (m *model) counts() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[string]int{}
	for key, since := range m.since {
		counts[key] = len(since)
	}
	return counts
}

func (m *model) check(t *testing.T, got map[string]string) {
	t.Helper()
	keys := maps.Clone(m.holds)
	for key := range m.since {
		keys[key] = m.holds[key]
	}
	for key, want := range keys {
		ok := got[key] == want
		for _, later := range m.since[key] {
			ok = ok || got[key] == later
		}
		if !ok {
			t.Errorf("%s: %.20q, want %.20q or one of %d later ones", key, got[key], want, len(m.since[key]))
		}
	}
	for key := range got {
		if _, known := keys[key]; !known {
			t.Errorf("%s was never put", key)
		}
	}
	m.holds, m.since = got, map[string][]string{}
}

// A ledger is used, compacted all the while, and ends by a power cut or a kill in the middle of something;
// what Sync has said holds is there when it is opened again, again and again.
func TestWhatHeldIsThereAfterACrash(t *testing.T) {
	rounds := uint64(24)
	if testing.Short() {
		rounds = 8
	}
	for seed := range rounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			disk := simdisk.New()
			m := &model{holds: map[string]string{}, since: map[string][]string{}}
			for range 6 {
				disk.Fault(nil)
				l, err := ledger.Open("", ledger.Options{FS: disk.FS(), SegmentBytes: wal.MinSegment})
				if err != nil {
					t.Fatal(err)
				}
				m.check(t, contents(t, l, ledger.Properties))
				var left atomic.Int64
				left.Store(20 + r.Int64N(300))
				disk.Fault(func(simdisk.Op, string) error {
					if left.Add(-1) < 0 {
						return simdisk.ErrPower
					}
					return nil
				})
				use(r, l, m)
				if seed%2 == 0 {
					disk.PowerCut(r)
				} else {
					disk.Kill()
				}
				l.Close() // fails, and is silent on the disk
			}
		})
	}
}

// use changes a ledger at random until its disk fails.
func use(r *rand.Rand, l *ledger.Ledger, m *model) {
	for n := 0; ; n++ {
		key, value := fmt.Sprint("device", r.IntN(20)), ""
		var err error
		if r.IntN(8) > 0 {
			value = fmt.Sprint(n, strings.Repeat("v", r.IntN(2000)))
			m.change(key, value)
			err = l.Put(ledger.Properties, ledger.Record{Key: key, Value: []byte(value)})
		} else {
			m.change(key, "")
			err = l.Delete(ledger.Properties, key)
		}
		if err == nil && r.IntN(5) == 0 {
			counts := m.counts()
			if err = l.Wait(); err == nil {
				m.hold(counts)
			}
		}
		if err != nil {
			return
		}
	}
}

// The log stays within twice of what counts and a few segments, however often it changes, and readers find
// every record while it is being moved.
func TestTheLogIsCompactedWhileItIsUsed(t *testing.T) {
	disk := simdisk.New()
	o := ledger.Options{SegmentBytes: wal.MinSegment, FS: disk.FS()}
	l, err := ledger.Open("", o)
	if err != nil {
		t.Fatal(err)
	}
	const keys = 40
	value := func(key, n int) string { return fmt.Sprintf("%d:%d:%s", key, n, strings.Repeat("v", 500)) }
	for key := range keys {
		put(t, l, ledger.Shadow, fmt.Sprint(key), value(key, 0))
	}
	var reader sync.WaitGroup
	stop := make(chan struct{})
	reader.Go(func() {
		for key := 0; ; key = (key + 1) % keys {
			select {
			case <-stop:
				return
			default:
			}
			if v, ok, err := l.Get(ledger.Shadow, fmt.Sprint(key), nil); err != nil || !ok || !strings.HasPrefix(string(v), fmt.Sprint(key, ":")) {
				t.Errorf("%d: %.20q, %v, %v", key, v, ok, err)
				return
			}
		}
	})
	bound := func() bool { s := l.Stats(); return s.LogBytes <= 2*s.Bytes+4*o.SegmentBytes }
	for round := range 4 {
		for n := range 400 {
			put(t, l, ledger.Shadow, fmt.Sprint(n%(keys/2)), value(n%(keys/2), round*400+n)) // the other half is carried along
		}
		for end := time.Now().Add(time.Minute); !bound(); runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("not compacted: %+v", l.Stats())
			}
		}
	}
	close(stop)
	reader.Wait()
	before := contents(t, l, ledger.Shadow)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = ledger.Open("", o); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if after := contents(t, l, ledger.Shadow); !maps.Equal(before, after) || len(after) != keys {
		t.Errorf("%d records, %d before", len(after), len(before))
	}
}

func TestADirectoryIsOpenOnce(t *testing.T) {
	dir := t.TempDir()
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(dir, ledger.Options{}); !errors.Is(err, wal.ErrLocked) {
		t.Errorf("%v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Put(ledger.Shadow, ledger.Record{Key: "a"}); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("put: %v", err)
	}
	if err := l.Close(); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("close: %v", err)
	}
}

func Example() {
	l := ledger.New(ledger.Options{}) // or Open, to keep it
	if err := l.Put(ledger.Topology, ledger.Record{Key: "sub-device", Value: []byte("gateway")}); err != nil {
		fmt.Println(err)
	}
	l.Sync(func(err error) { fmt.Println("holds:", err == nil) })
	gateway, _, _ := l.Get(ledger.Topology, "sub-device", nil)
	fmt.Printf("%s\n", gateway)
	// Output:
	// holds: true
	// gateway
}
