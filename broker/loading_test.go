package broker_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs"
	"sampan/session/wal/vfs/simdisk"
)

// These tests are about messages that a store cannot read back when they are wanted.

// unreadable is a store whose Load first asks whether to fail.
type unreadable struct {
	*brokertest.Store
	refuse atomic.Pointer[func(session.Ref) error]
}

func (u *unreadable) Load(r session.Ref) (*session.Message, error) {
	if refuse := u.refuse.Load(); refuse != nil {
		if err := (*refuse)(r); err != nil {
			return nil, err
		}
	}
	return u.Store.Load(r)
}

func (u *unreadable) when(refuse func(session.Ref) error) { u.refuse.Store(&refuse) }

// backlog starts a broker with a session that has one message in flight and others, "0" to "n-1", in its queue: all
// of them named in order, from 1. None of them is in memory: the broker has been started anew.
func backlog(t *testing.T, o broker.Options, n int) (*brokertest.Broker, *unreadable) {
	store := &unreadable{Store: brokertest.NewStore()}
	o.Profile, o.Store = broker.Open, store
	b := brokertest.Start(t, o)
	sub := b.Connect("sub", brokertest.Persistent)
	sub.Subscribe("a", 1)
	pub := b.Connect("pub")
	pub.Publish("a", "in flight", 1)
	sub.Expect(brokertest.Publish("a", "in flight", 1, 1))
	sub.Close()
	connections(t, b, 1)
	for i := range n {
		pub.Publish("a", fmt.Sprint(i), 1)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.Reopen()
	return brokertest.Start(t, o), store
}

// comes connects the session and returns what arrives until the connection ends.
func comes(t *testing.T, c *brokertest.Client) (got []packet.Publish) {
	t.Helper()
	if !c.Connect("sub", brokertest.Persistent) {
		t.Fatal("the session is gone")
	}
	for {
		f, err := c.Receive()
		if err != nil {
			c.Close()
			return got
		}
		var p packet.Publish
		if p.Decode(f, &packet.Limits{Level: c.Level}) == nil {
			got = append(got, p)
			c.TrySend(brokertest.Puback(p.ID))
		}
	}
}

// A store that cannot read for a moment costs the client its connection, each time, and no message: when it comes
// again and the store reads, it gets everything, in order, and under the identifiers that it knows.
func TestMessagesThatCannotBeReadNowAreKept(t *testing.T) {
	t.Run("pipe", func(t *testing.T) {
		keptUnread(t, func(b *brokertest.Broker) func() *brokertest.Client { return b.Dial })
	})
	t.Run("tcp", func(t *testing.T) {
		keptUnread(t, func(b *brokertest.Broker) func() *brokertest.Client {
			addr := b.Listen()
			return func() *brokertest.Client { return b.DialTCP(addr) }
		})
	})
}

func keptUnread(t *testing.T, dialer func(*brokertest.Broker) func() *brokertest.Client) {
	const n = 40
	b, store := backlog(t, broker.Options{}, n)
	dial := dialer(b)
	store.when(func(session.Ref) error { return syscall.EMFILE })
	before, _ := store.State("sub")
	for i := range 3 {
		if got := comes(t, dial()); len(got) != 0 {
			t.Fatalf("it got %d messages", len(got))
		}
		e := b.Events.WaitFor(t, broker.Disconnected, "sub")
		if e.Reason != broker.StoreFailed || !strings.Contains(e.Detail, syscall.EMFILE.Error()) {
			t.Errorf("the connection ended with %+v", e)
		}
		connections(t, b, 0)
		s := b.Stats()
		if s.Ended["store-failed"] != uint64(i+1) || s.Dropped["unreadable"] != 0 || s.QueuedMessages != n {
			t.Errorf("stats %+v", s)
		}
		if after, _ := store.State("sub"); len(after.Queue) != len(before.Queue) {
			t.Fatalf("the store has %d messages, it had %d", len(after.Queue), len(before.Queue))
		}
	}
	if lines := b.Log.Lines("disconnected", "reason=store-failed", syscall.EMFILE.Error()); len(lines) != 3 {
		t.Errorf("%d lines in\n%s", len(lines), b.Log)
	}
	// It is no failure of the store: others are served.
	b.Connect("pub").Publish("a", fmt.Sprint(n), 1)
	if lines := b.Log.Lines("the session store has failed"); len(lines) != 0 {
		t.Errorf("the log says %q", lines)
	}

	store.when(func(session.Ref) error { return nil })
	sub := dial()
	sub.Connect("sub", brokertest.Persistent)
	sub.Expect(brokertest.Again("a", "in flight", 1))
	for i := range n + 1 {
		sub.Expect(brokertest.Publish("a", fmt.Sprint(i), 1, uint16(i+2)))
		sub.Send(brokertest.Puback(uint16(i + 2)))
	}
	sub.Send(brokertest.Puback(1))
	sub.Sync()
	if state, _ := store.State("sub"); len(state.Queue) != 0 {
		t.Errorf("the store still has %d", len(state.Queue))
	}
}

// What lies before a message that cannot be read is delivered; what is damaged for good is left out, and told.
func TestQueueGoesOnUntilItCannotBeRead(t *testing.T) {
	const n, damaged, blocked = 80, 10, 45
	b, store := backlog(t, broker.Options{}, n)
	store.when(func(r session.Ref) error {
		switch r {
		case damaged:
			return fmt.Errorf("%w: a bit has flipped", session.ErrDamaged)
		case blocked:
			return syscall.EIO
		}
		return nil
	})
	got := comes(t, b.Dial())
	if len(got) != blocked-2 { // the damaged one, and from the one that cannot be read on
		t.Errorf("%d messages came", len(got))
	}
	connections(t, b, 0)
	if s := b.Stats(); s.Dropped["unreadable"] != 1 || s.Ended["store-failed"] != 1 {
		t.Errorf("stats %+v", s)
	}
	store.when(func(session.Ref) error { return nil })
	sub := b.Dial()
	sub.Connect("sub", brokertest.Persistent)
	for next := blocked - 2; next < n; {
		p := sub.NextPublish()
		sub.Send(brokertest.Puback(p.ID))
		if p.Dup {
			continue // sent when the connection ended
		}
		if string(p.Payload) != fmt.Sprint(next) {
			t.Fatalf("message %s, want %d", p.Payload, next)
		}
		next++
	}
	sub.Sync()
	if s := b.Stats(); s.QueuedMessages != 0 || s.Dropped["unreadable"] != 1 {
		t.Errorf("stats %+v", s)
	}
}

// A connection that takes over while the older one waits for the store does not end with the error that is the older
// one's: it asks for itself.
func TestErrorOfTheConnectionBefore(t *testing.T) {
	// The second piece is read back when the first has left some room, by the goroutine that writes.
	const n, second = 60, 36
	b, store := backlog(t, broker.Options{OutboundBytes: 100, Window: 1000}, n)
	loading, goOn := make(chan struct{}), make(chan struct{})
	var refused atomic.Bool
	store.when(func(r session.Ref) error {
		if r != second || refused.Swap(true) {
			return nil
		}
		close(loading)
		<-goOn
		return errors.New("not now")
	})
	old := b.Dial()
	old.Connect("sub", brokertest.Persistent)
	go func() { // ends with the connection
		for {
			if _, err := old.Receive(); err != nil {
				return
			}
		}
	}()
	<-loading
	sub := b.Dial()
	sub.Connect("sub", brokertest.Persistent)
	close(goOn)
	for last := ""; last != fmt.Sprint(n-1); {
		last = string(sub.NextPublish().Payload)
	}
	sub.Sync()
	if s := b.Stats(); s.Ended["store-failed"] != 0 || s.QueuedMessages != 0 || s.Dropped["unreadable"] != 0 {
		t.Errorf("stats %+v", s)
	}
}

// noneLeft is a directory of a process that has, while it is set, no descriptor left.
type noneLeft struct {
	vfs.FS
	set *atomic.Bool
}

func (f noneLeft) OpenRead(name string) (vfs.File, error) {
	if f.set.Load() {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	return f.FS.OpenRead(name)
}

// After a restart the files of the log are opened when they are wanted. A client that comes at a moment when there
// is no descriptor for that gets its messages when it comes again; one that is damaged then is all that it loses.
func TestNoDescriptorsForAMoment(t *testing.T) {
	d := simdisk.New()
	var none atomic.Bool
	start := func() *brokertest.Broker {
		store, err := logstore.Open("", logstore.Options{FS: noneLeft{d.FS(), &none}, SegmentBytes: wal.MinSegment})
		if err != nil {
			t.Fatal(err)
		}
		return brokertest.Start(t, broker.Options{Profile: broker.Open, Store: store, Window: 1000})
	}
	b := start()
	away(b)
	pub := b.Connect("pub")
	const n = 100 // files, more than the log keeps open
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint("message ", i, strings.Repeat(" ", 10_000)))
		pub.Publish("a/x", want[i], 1)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	b = start()
	none.Store(true)
	c := b.Dial()
	c.Connect("away", brokertest.Persistent)
	c.ExpectClosed()
	if e := b.Events.WaitFor(t, broker.Disconnected, "away"); e.Reason != broker.StoreFailed || !strings.Contains(e.Detail, syscall.EMFILE.Error()) {
		t.Errorf("the client was told goodbye with %+v", e)
	}
	connections(t, b, 0)
	none.Store(false)
	for name, data := range d.Files() {
		if at := bytes.Index(data, []byte("message 5 ")); at >= 0 {
			data[at] ^= 1
			d.Put(name, data)
		}
	}
	receiveAll(t, b, append(want[:5:5], want[6:]...), 0)
	if s := b.Stats(); s.Dropped["unreadable"] != 1 {
		t.Errorf("dropped %+v", s.Dropped)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A message that cannot be read and whose time is up is dropped like any other: its client does not wait for it.
func TestExpiredMessagesNeedNotBeRead(t *testing.T) {
	const blocked, n = 3, 4
	b, store := backlog(t, broker.Options{MessageExpiry: time.Hour}, n)
	store.when(func(r session.Ref) error {
		if r == blocked {
			return syscall.EIO
		}
		return nil
	})
	c := b.Dial()
	c.Connect("sub", brokertest.Persistent)
	c.Expect(brokertest.Again("a", "in flight", 1), brokertest.Publish("a", "0", 1, 2))
	c.ExpectClosed()
	connections(t, b, 0)
	b.Clock.Advance(time.Hour - 1)
	if got := comes(t, b.Dial()); len(got) != 2 {
		t.Errorf("%d messages came", len(got))
	}
	connections(t, b, 0)
	b.Clock.Advance(1)
	c = b.Dial()
	c.Connect("sub", brokertest.Persistent)
	for _, p := range c.Drain() { // what was in flight when the connection ended
		if !p.Dup {
			t.Errorf("%s came", p.Payload)
		}
		c.Send(brokertest.Puback(p.ID))
	}
	c.Sync()
	if s := b.Stats(); s.Dropped["expired"] != n-1 || s.Dropped["unreadable"] != 0 || s.QueuedMessages != 0 {
		t.Errorf("stats %+v", s)
	}
	if state, _ := store.State("sub"); len(state.Queue) != 0 {
		t.Errorf("the store still has %+v", state.Queue)
	}
	// One that was sent before is completed, whenever it can be read.
	b.Connect("pub").Publish("a", "in flight", 1)
	id := c.NextPublish().ID
	c.Close()
	connections(t, b, 1)
	b.Clock.Advance(2 * time.Hour)
	store.when(func(session.Ref) error { return syscall.EIO })
	if got := comes(t, b.Dial()); len(got) != 0 {
		t.Errorf("%d messages came", len(got))
	}
	store.when(func(session.Ref) error { return nil })
	c = b.Dial()
	c.Connect("sub", brokertest.Persistent)
	c.Expect(brokertest.Again("a", "in flight", id))
}
