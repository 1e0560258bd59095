package logstore_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"sampan/fuzz/storetest"
	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// life is what happened to a store since it was opened, and how much of it is known to hold.
type life struct {
	mu     sync.Mutex
	base   *storetest.Model
	done   []func(*storetest.Model)
	synced int // done[:synced] holds
}

func (l *life) note(redo func(*storetest.Model)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, redo)
}

// sync syncs, and notes what holds from then on. It calls after with the result.
func (l *life) sync(s session.Store, after func(error)) {
	l.mu.Lock()
	n := len(l.done)
	l.mu.Unlock()
	s.Sync(func(err error) {
		if err == nil {
			l.mu.Lock()
			l.synced = max(l.synced, n)
			l.mu.Unlock()
		}
		after(err)
	})
}

// recovered checks that a store holds what had happened at some moment not before the last sync, and begins
// a new life with that.
func (l *life) recovered(s session.Store) error {
	got, err := storetest.Recover(s)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	want := l.base.Clone()
	for _, redo := range l.done[:l.synced] {
		redo(want)
	}
	atSync := want.Clone()
	for k := l.synced; ; k++ {
		if want.Equal(got) {
			break
		}
		if k == len(l.done) {
			return fmt.Errorf("what was recovered is nothing that was between the last sync and %d calls later; "+
				"at the sync it was (-want +got):\n%s", len(l.done)-l.synced, atSync.Diff(got))
		}
		l.done[k](want)
	}
	l.base, l.done, l.synced = got, nil, 0
	return nil
}

// TestCrashMachine drives a store through random calls, kills, power cuts and recoveries.
func TestCrashMachine(t *testing.T) {
	levels(t, func(t *testing.T, o logstore.Options) {
		rapid.Check(t, func(t *rapid.T) {
			d := simdisk.New()
			l := &life{base: storetest.NewModel()}
			m := &storetest.Machine{Model: storetest.NewModel(), Note: l.note}
			open := func() {
				o := o
				o.FS = d.FS()
				s, err := logstore.Open("", o)
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				if err := l.recovered(s); err != nil {
					t.Fatalf("%v", err)
				}
				m.Store, m.Model = s, l.base.Clone()
			}
			open()
			defer func() { m.Store.Close() }()
			actions := m.Actions()
			actions["sync"] = func(t *rapid.T) {
				done := make(chan error, 1)
				l.sync(m.Store, func(err error) { done <- err })
				if err := <-done; err != nil {
					t.Fatalf("sync: %v", err)
				}
			}
			actions["crash"] = func(t *rapid.T) {
				if o.Level == wal.Disk && rapid.Bool().Draw(t, "power cut") {
					d.PowerCut(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
				} else {
					d.Kill()
				}
				m.Store.Close() // it fails, or believes that it succeeds; the disk does not hear of it
				open()
			}
			t.Repeat(actions)
		})
	})
}

// worker makes random calls until one fails.
type worker struct {
	r *rand.Rand
	s session.Store
	l *life
	m *storetest.Model
	n int
}

func (w *worker) did(redo func(*storetest.Model)) {
	redo(w.m)
	w.l.note(redo)
}

func (w *worker) work() error {
	failed := make(chan error, 1)
	for {
		select {
		case err := <-failed:
			return err
		default:
		}
		if err := w.call(failed); err != nil {
			return err
		}
	}
}

func (w *worker) call(failed chan error) error {
	ids := slices.Sorted(maps.Keys(w.m.Sessions))
	switch k := w.r.IntN(30); {
	case k == 0 || len(ids) < 3:
		identity := fmt.Sprint("client", w.r.Uint32())
		id, err := w.s.Open(identity)
		if err == nil {
			w.did(func(m *storetest.Model) { m.Open(id, identity) })
		}
		return err
	case k < 12:
		to := []session.ID{ids[w.r.IntN(len(ids))]}
		if w.r.IntN(4) == 0 {
			to = ids
		}
		w.n++
		msg := session.NewMessage(fmt.Append(nil, "topic/", w.n), make([]byte, w.r.IntN(2000)), session.Time(w.r.Int64N(1<<41)))
		err := w.s.Append(msg, to)
		if err == nil {
			w.did(func(m *storetest.Model) { m.Append(msg, to) })
		}
		return err
	case k < 24:
		changes := w.changes(ids)
		err := w.s.Record(changes)
		if err == nil {
			w.did(func(m *storetest.Model) {
				for _, c := range changes {
					m.Record(c)
				}
			})
		}
		return err
	case k < 28:
		w.l.sync(w.s, func(err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
		return nil
	default:
		done := make(chan error, 1)
		w.l.sync(w.s, func(err error) { done <- err })
		return <-done
	}
}

// changes are of one session, in which one in six is silent.
func (w *worker) changes(ids []session.ID) []session.Change {
	id := ids[w.r.IntN(len(ids))]
	q := w.m.Sessions[id].Queue
	var changes []session.Change
	add := func(c session.Change) {
		c.Session = id
		changes = append(changes, c)
	}
	if len(q) > 0 && id%6 != 0 {
		add(session.Change{Kind: session.Sent, Ref: q[w.r.IntN(len(q))].Ref, PacketID: uint16(w.r.IntN(65535) + 1)})
		for _, s := range q[:w.r.IntN(len(q)+1)] {
			add(session.Change{Kind: session.Done, Ref: s.Ref})
		}
	}
	switch w.r.IntN(8) {
	case 0:
		add(session.Change{Kind: session.Subscribed, Filter: fmt.Sprint("f", w.r.IntN(5)), QoS: byte(w.r.IntN(2))})
	case 1:
		add(session.Change{Kind: session.Unsubscribed, Filter: fmt.Sprint("f", w.r.IntN(5))})
	case 2:
		add(session.Change{Kind: session.Disconnected, Until: session.Time(w.r.Int64N(2) * w.r.Int64N(1<<41)), Ref: session.Ref(w.r.Int64N(1000))})
	case 3:
		add(session.Change{Kind: session.Connected})
	case 4:
		if w.r.IntN(4) == 0 {
			add(session.Change{Kind: session.Closed})
		}
	}
	return changes
}

// crashes opens a store again and again on one disk, and ends each run in the middle of some operation of
// that disk, checkpoints and recoveries included.
func crashes(t *testing.T, seed uint64, o logstore.Options, end func(*simdisk.Disk, *rand.Rand)) {
	r := rand.New(rand.NewPCG(seed, 0))
	d := simdisk.New()
	l := &life{base: storetest.NewModel()}
	for round := range 8 {
		var left atomic.Int64
		left.Store(1 + r.Int64N(1+r.Int64N(500)))
		if round < 7 {
			d.Fault(func(simdisk.Op, string) error {
				if left.Add(-1) < 0 {
					return simdisk.ErrPower
				}
				return nil
			})
		} else {
			d.Fault(nil)
		}
		o.FS = d.FS()
		s, err := logstore.Open("", o)
		if err != nil {
			if left.Load() >= 0 {
				t.Fatalf("round %d: open: %v", round, err)
			}
			end(d, r)
			continue
		}
		if err := l.recovered(s); errors.Is(err, simdisk.ErrPower) {
			end(d, r) // already, in the upkeep; whether all is there is seen in the next round
			s.Close()
			continue
		} else if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if round == 7 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		w := &worker{r: r, s: s, l: l, m: l.base.Clone()}
		if err := w.work(); !errors.Is(err, simdisk.ErrPower) {
			t.Fatalf("round %d ended with %v", round, err)
		}
		end(d, r)
		s.Close()
	}
}

func seeds(t *testing.T, n uint64, run func(t *testing.T, seed uint64)) {
	if testing.Short() {
		n /= 4
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { run(t, seed) })
	}
}

func TestPowerCuts(t *testing.T) {
	o := small
	seeds(t, 40, func(t *testing.T, seed uint64) {
		o.SegmentBytes = wal.MinSegment << (seed % 3)
		crashes(t, seed, o, func(d *simdisk.Disk, r *rand.Rand) { d.PowerCut(r) })
	})
}

func TestKills(t *testing.T) {
	levels(t, func(t *testing.T, o logstore.Options) {
		seeds(t, 20, func(t *testing.T, seed uint64) {
			crashes(t, seed, o, func(d *simdisk.Disk, _ *rand.Rand) { d.Kill() })
		})
	})
}
